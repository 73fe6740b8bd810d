from benchmarks.latency import Answer, end_to_end, freshness, learned_by


def test_the_nth_answer_of_a_partition_belongs_to_its_nth_record() -> None:
    sent = [(0, 1_000), (1, 1_000), (0, 1_100)]
    answers = [Answer(1, 1_500, b""), Answer(0, 1_250, b""), Answer(0, 1_300, b"")]
    assert end_to_end(sent, answers) == [0.25, 0.2, 0.5]


def test_an_event_is_in_use_when_a_list_has_learned_as_many() -> None:
    stamps_ms = [0, 100, 200, 300]
    lists = [(500.0, 12), (150.0, 10), (400.0, 11)]  # models that had learned 10, 11, and 12 events
    assert freshness(stamps_ms, 10, lists) == [0.4, 0.4]


def test_what_no_list_has_learned_is_left_out() -> None:
    assert freshness([0, 100], 5, [(200.0, 5)]) == []


def test_lists_say_how_much_was_learned() -> None:
    assert learned_by([Answer(0, 7.0, b'{"items":[],"model":{"version":"1","events_learned":42}}')]) == [(7.0, 42)]
