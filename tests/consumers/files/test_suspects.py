from consumers.files.suspects import FEWEST_EVENTS, FEWEST_GAPS, RATE, Suspects

SECOND, HOUR = 1_000, 3_600_000


def rules(suspects: Suspects) -> list[tuple[str, str]]:
    return [(suspect.user, suspect.rule) for suspect in suspects.found()]


def test_a_rate_is_far_beyond_what_others_do_in_their_busiest_hour() -> None:
    suspects = Suspects(users=100)
    for number in range(RATE + 1):
        suspects.observe("crawler", f"i{number}", number * number, row=number)
    assert rules(suspects) == []  # there are no others
    for user in ("ann", "bob"):
        suspects.observe(user, "i1", 0, row=0)
    assert rules(suspects) == [("crawler", "rate")]
    for user in ("ann", "bob", "cy", "dee", "eve"):  # were others as busy, it would be a busy stream
        for number in range(11):
            suspects.observe(user, f"i{number}", number * number, row=0)
    assert rules(suspects) == []


def test_a_rate_begins_anew_each_hour() -> None:
    suspects = Suspects(users=100)
    for number in range(4 * RATE):
        suspects.observe("reader", f"i{number}", number // RATE * HOUR + number * number % 7, row=0)
    assert rules(suspects) == []


def test_intervals_that_are_alike_are_a_timer_also_when_it_stops_at_night() -> None:
    suspects = Suspects(users=100)
    for number in range(FEWEST_GAPS + 4):
        night = 8 * HOUR if number > 10 else 0
        suspects.observe("script", f"i{number % 5}", number * 60 * SECOND + night, row=number)
        suspects.observe("person", f"i{number % 5}", (60 * number + 7 * number * number % 90) * SECOND, row=number)
        suspects.observe("fast", f"i{number % 5}", number * SECOND, row=number)  # all alike, where times are in seconds
    (suspect,) = suspects.found()
    assert (suspect.user, suspect.rule, suspect.row, suspect.events) == ("script", "intervals", 0, FEWEST_GAPS + 4)
    assert suspect.noticed == "91% of 22 gaps alike, 60 s"


def test_one_item_over_and_over() -> None:
    suspects = Suspects(users=100)
    for number in range(FEWEST_EVENTS):
        suspects.observe("monitor", "home", number**3 * SECOND, row=number)
        suspects.observe("fan", "song" if number % 8 else "other", number**3 * SECOND, row=number)
    (suspect,) = suspects.found()
    assert (suspect.user, suspect.rule, suspect.noticed) == (
        "monitor",
        "one_item",
        "50 of 50 events of the item before",
    )


def test_few_events_are_no_sign() -> None:
    suspects = Suspects(users=100)
    for number in range(FEWEST_GAPS):
        suspects.observe("new", "home", number * 60 * SECOND, row=number)
    assert rules(suspects) == []


def test_when_there_are_too_many_the_users_with_the_fewest_events_are_forgotten() -> None:
    suspects = Suspects(users=4)
    for number in range(FEWEST_EVENTS):
        suspects.observe("monitor", "home", number**3 * SECOND, row=number)
        suspects.observe(f"passer-by {number}", "home", number * SECOND, row=number)
    assert rules(suspects) == [("monitor", "one_item")]
