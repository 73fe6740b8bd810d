import numpy as np

from models.measuring.slices import slices
from models.measuring.streams import Stream


def stream(users: str, items: str) -> Stream:
    letters = sorted(set(items))
    return Stream(
        np.array([int(user) for user in users], np.int32),
        np.array([letters.index(item) for item in items], np.int32),
        np.arange(len(users)),
    )


def marked(mask: np.ndarray) -> str:
    return "".join(".x"[place] for place in mask.astype(int))


def test_items_are_new_once_then_cold_for_four_events() -> None:
    found = slices(stream("00000000", "aabaaaaa"))
    assert marked(found["new_items"]) == "x.x....."
    assert marked(found["cold_items"]) == ".x.xxx.."


def test_a_history_is_short_for_four_events() -> None:
    assert marked(slices(stream("0101000000", "abcdefghij"))["short_histories"]) == "..xxxxx..."


def test_a_repeat_is_of_the_same_user() -> None:
    found = slices(stream("00110", "abaab"))
    assert marked(found["repeats"]) == "...xx"
    assert marked(found["new_to_user"]) == "xxx.."


def test_rare_items_are_the_tail_beyond_four_fifths_of_the_events() -> None:
    # Of 10 events a has 5 and b 3, together four fifths; c is the tail, from its second event on.
    assert marked(slices(stream("0" * 10, "caabaacbba"))["rare_items"]) == "......x..."
