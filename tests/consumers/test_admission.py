from consumers.admission import Admission
from models.base import Mask
from stream.cleaning import Accepted
from stream.events import Decoded, Interaction, Request
from stream.policy import Role
from tests.stream.records import NOON, decoded, record


def accepted(user: str, item: str, event_type: str = "") -> Accepted:
    one = decoded(user=user, item=item, event_type=event_type)
    return Accepted(one, 0, one.events[0], Role.LEARN, 2.0)


def admission(users: int = 100, items: int = 100) -> tuple[Admission, list[tuple[str, list[bool]]]]:
    """An admission, and what it tells others to forget."""
    forgotten: list[tuple[str, list[bool]]] = []

    def forget_users(dead: Mask) -> None:
        forgotten.append(("users", dead.tolist()))

    def forget_items(dead: Mask) -> None:
        forgotten.append(("items", dead.tolist()))

    return Admission(users, items, forget_users, forget_items), forgotten


def test_ids_become_rows_in_order_of_their_first_turn() -> None:
    turns = admission()[0].admit([accepted("u1", "a"), accepted("u2", "a"), accepted("u1", "b")])
    assert turns.users.tolist() == [0, 1, 0]
    assert turns.items.tolist() == [0, 0, 1]
    assert turns.times_ms.tolist() == [NOON] * 3
    assert turns.weights.tolist() == [2.0] * 3
    assert turns.learned.tolist() == [True] * 3


def test_a_request_has_a_user_and_no_item() -> None:
    one = decoded()
    turns = admission()[0].admit([Accepted(one, 0, Request("r", "u1", NOON), None, 0.0)])
    assert (turns.users.tolist(), turns.items.tolist(), turns.learned.tolist()) == ([0], [-1], [False])
    assert turns.kinds.tolist() == [0]


def test_an_event_type_is_the_same_number_everywhere() -> None:
    types = ["view", "buy", "view", "", "прочитано"]
    kinds = [admission()[0].admit([accepted("u1", "a", type_) for type_ in types]).kinds.tolist() for _ in range(2)]
    assert kinds[0] == kinds[1] == [56, 78, 56, 0, 189]


def test_the_least_recently_used_make_room_and_are_forgotten_before_their_rows_are_reused() -> None:
    door, forgotten = admission(users=3, items=100)
    door.admit([accepted("u1", "a"), accepted("u2", "a"), accepted("u3", "a")])
    door.admit([accepted("u1", "a")])

    turns = door.admit([accepted("u4", "a")])

    assert forgotten == [("users", [False, True, False])]
    assert turns.users.tolist() == [1]
    assert (door.expired_users, door.expired_items) == (1, 0)


def test_a_batch_fits_as_far_as_its_ids_fit_at_once() -> None:
    door, _ = admission(users=2, items=2)
    batch = [accepted("u1", "a"), accepted("u2", "b"), accepted("u1", "b"), accepted("u3", "a"), accepted("u1", "a")]
    fitting, rest = door.fitting(batch)
    assert (fitting, rest) == (batch[:3], batch[3:])


def test_the_events_of_one_record_find_room_together_or_not_at_all() -> None:
    door, _ = admission(items=3)
    items = tuple(Interaction(f"e-{item}", "u1", item, NOON) for item in "bcd")
    one = Decoded(record(b"{}"), items, None, NOON)
    batch = [accepted("u1", "a"), *(Accepted(one, slot, event, Role.LEARN, 1.0) for slot, event in enumerate(items))]
    assert door.fitting(batch) == (batch[:1], batch[1:])
    assert door.fitting(batch[1:]) == (batch[1:], [])


def test_known_ids_that_expire_on_the_way_find_room_too() -> None:
    door, _ = admission(users=2, items=2)
    door.admit([accepted("u1", "a"), accepted("u2", "b")])
    turns = door.admit([accepted("u3", "c"), accepted("u1", "a")])
    assert len(set(turns.users.tolist())) == len(set(turns.items.tolist())) == 2


def test_an_erased_user_is_forgotten_and_a_stranger_nothing_to_forget() -> None:
    door, forgotten = admission()
    door.admit([accepted("u1", "a"), accepted("u2", "a"), accepted("u3", "a")])
    assert door.erase(["u3", "nobody", "u2"]) == {"u2", "u3"}
    assert door.erase(["nobody"]) == set()
    assert forgotten == [("users", [False, True, True])]
    assert door.users.find("u2") == -1


def test_restored_vocabularies_give_the_same_rows() -> None:
    door, _ = admission(users=3)
    door.admit([accepted("u1", "a"), accepted("u2", "b")])
    other, forgotten = admission(users=3)
    other.restore(door.state())
    turns = other.admit([accepted("u3", "b"), accepted("u4", "a")])
    assert forgotten == [("users", [True, False])]
    assert (turns.users.tolist(), turns.items.tolist()) == ([0, 2], [1, 0])


def test_who_is_an_item_too_is_known_from_the_turn_that_made_him_one() -> None:
    door, _ = admission()
    turns = door.admit([accepted("ann", "bob"), accepted("bob", "ann"), accepted("ann", "bob"), accepted("eve", "eve")])
    assert turns.selves.tolist() == [-1, 0, 1, 2]
    assert turns.items.tolist() == [0, 1, 0, 2]
