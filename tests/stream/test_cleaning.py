from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from stream.cleaning import Accepted, Cleaned, Cleaner
from stream.errors import MessageError
from stream.events import AT_ONCE, Decoded, Erase, Interaction, Request
from stream.policy import EventPolicy, Role
from tests.stream.records import NOON, decoded, record

DAY_MS = 86_400_000


def cleaner(remembered: int = 100) -> Cleaner:
    policy = EventPolicy({"shown": "exposure", "skip": "negative", "buy": 3.0})
    return Cleaner(policy, span_ms=DAY_MS, grace_ms=60_000, remembered=remembered)


def request(time_ms: int = NOON, user: str = "u1", identity: str | None = None) -> Decoded:
    return Decoded(record(b"{}"), (Request(identity or "r", user, time_ms),), None, time_ms, identity)


def erase(time_ms: int = NOON, user: str = "u1", identity: str | None = None) -> Decoded:
    return Decoded(record(b"{}"), (Erase(identity or "e", user, time_ms),), None, time_ms, identity)


def reasons(cleaned: Cleaned) -> list[str]:
    return [error.reason for _, error in cleaned.rejected]


def test_each_event_gets_its_meaning() -> None:
    view, buy, skip, shown = (decoded(event_type=name) for name in ("view", "buy", "skip", "shown"))
    asked = request()
    cleaned = cleaner().clean([view, buy, skip, shown, asked])

    assert cleaned.accepted == [
        Accepted(view, 0, view.events[0], Role.LEARN, 1.0),
        Accepted(buy, 0, buy.events[0], Role.LEARN, 3.0),
        Accepted(skip, 0, skip.events[0], Role.NEGATIVE, 1.0),
        Accepted(asked, 0, asked.events[0], None, 0.0),
    ]
    assert (cleaned.exposures, cleaned.ignored, cleaned.duplicates, cleaned.rejected) == (1, 0, 0, [])


def test_items_of_one_record_keep_their_slots() -> None:
    items = tuple(Interaction(f"e-{slot}", "u1", f"i{slot}", NOON) for slot in range(3))
    cleaned = cleaner().clean([Decoded(record(b"{}"), items, None, NOON, "e")])

    assert [(one.slot, one.event) for one in cleaned.accepted] == list(enumerate(items))


def test_what_could_not_be_read_is_rejected_with_its_reason() -> None:
    error = MessageError(reason="bad_json", message="No.")
    bad = Decoded(record(b"x"), (), error, AT_ONCE)

    assert cleaner().clean([bad]).rejected == [(bad, error)]


def test_what_the_policy_ignores_is_counted() -> None:
    assert cleaner().clean([Decoded(record(b"{}"), (), None, AT_ONCE)]).ignored == 1


def test_a_repeat_is_counted_and_goes_no_further() -> None:
    clean = cleaner()
    first = clean.clean([decoded(identity="a"), request(identity="r"), decoded(identity="a", offset=1)])
    second = clean.clean([decoded(identity="a", offset=2), request(identity="r"), decoded(identity="b", offset=3)])

    assert [one.decoded.identity for one in first.accepted + second.accepted] == ["a", "r", "b"]
    assert (first.duplicates, second.duplicates) == (1, 2)


def test_all_items_of_a_repeated_record_are_counted() -> None:
    items = tuple(Interaction(f"e-{slot}", "u1", f"i{slot}", NOON) for slot in range(3))
    twice = [Decoded(record(b"{}"), items, None, NOON, "e")] * 2

    assert cleaner().clean(twice).duplicates == 3


def test_events_named_by_their_place_are_never_repeats() -> None:
    assert len(cleaner().clean([decoded(), decoded(offset=1)]).accepted) == 2


def test_the_same_id_of_two_users_is_two_events() -> None:
    assert cleaner().clean([decoded(user="u1", identity="1"), decoded(user="u2", identity="1")]).duplicates == 0


def test_what_was_refused_after_all_is_no_repeat_when_it_comes_again() -> None:
    clean = cleaner()
    refused, nameless = decoded(identity="a"), decoded()
    clean.clean([refused, decoded(identity="b"), nameless])
    clean.take_back(refused)
    clean.take_back(nameless)
    clean.take_back(refused)

    assert clean.clean([refused, decoded(identity="b")]).duplicates == 1


def test_only_the_last_identities_are_remembered() -> None:
    clean = cleaner(remembered=2)

    assert clean.clean([decoded(identity=name) for name in "abcbca"]).duplicates == 2
    assert cleaner(remembered=0).clean([decoded(identity="a")] * 2).duplicates == 0


def test_interactions_that_no_window_could_hold_are_too_late() -> None:
    clean = cleaner()
    oldest = NOON - 60_000 - DAY_MS
    cleaned = clean.clean([decoded(NOON), decoded(oldest), decoded(oldest - 1), decoded(oldest - 1, partition=1)])

    assert reasons(cleaned) == ["too_late"]
    assert [one.decoded.time_ms for one in cleaned.accepted] == [NOON, oldest, oldest - 1]
    assert clean.watermarks.lowest() == oldest - 1 - 60_000


def test_requests_and_erasures_are_never_too_late() -> None:
    late = NOON - 2 * DAY_MS

    assert reasons(cleaner().clean([decoded(NOON), request(late), erase(late)])) == []


def test_an_erasure_removes_the_user_from_what_is_remembered() -> None:
    clean = cleaner()
    clean.clean([decoded(user="u1", identity="a"), decoded(user="u2", identity="b"), erase(user="u1", identity="x")])

    assert b"u1" not in clean.state()["seen"].tobytes()
    assert clean.clean([decoded(user="u2", identity="b")]).duplicates == 1


def test_what_a_user_sends_again_after_an_erasure_is_new_and_known_from_then_on() -> None:
    again = decoded(identity="a", offset=2)
    batch = [decoded(identity="a"), erase(identity="e"), again, again, erase(identity="e"), again]
    whole, cut = cleaner(), cleaner()
    cleaned = whole.clean(batch)

    assert [one.event.event_id for one in cleaned.accepted] == ["a", "e", "a", "e", "a"]
    assert cleaned.duplicates == 1
    assert sum(cut.clean([one]).duplicates for one in batch) == 1
    assert whole.state()["seen"].tobytes() == cut.state()["seen"].tobytes() == b'[["u1","a"]]'


batches = st.lists(
    st.builds(
        decoded,
        st.integers(NOON - 3 * DAY_MS, NOON),
        user=st.sampled_from(["u1", "u2"]),
        event_type=st.sampled_from(["view", "shown", "skip"]),
        identity=st.sampled_from(["a", "b", "c", "d", None]),
        partition=st.integers(0, 1),
    ),
    max_size=20,
)


def outcome(cleaned: Cleaned) -> tuple[Sequence[Accepted], list[str], int, int]:
    return cleaned.accepted, reasons(cleaned), cleaned.duplicates, cleaned.exposures


@given(batches, batches)
def test_no_event_is_lost_and_a_restored_cleaner_goes_on_the_same(past: list[Decoded], future: list[Decoded]) -> None:
    one, other = cleaner(remembered=3), cleaner(remembered=3)
    cleaned = one.clean(past)
    assert len(past) == len(cleaned.accepted) + len(cleaned.rejected) + cleaned.duplicates + cleaned.exposures

    other.restore(one.state())
    assert outcome(other.clean(future)) == outcome(one.clean(future))
    assert {name: array.tobytes() for name, array in other.state().items()} == {
        name: array.tobytes() for name, array in one.state().items()
    }
