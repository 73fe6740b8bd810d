"""Where the fields of an event stand in the messages of a topic that was there before.

A `FieldMap` names a place for each field. From it one struct type is built whose shape is that of the messages, so that
a record of a foreign topic is decoded as fast as one of springtide's own: msgspec does the mapping while it reads.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from stream.errors import SettingsError

MAX_ITEMS = 1_000  # in one record; long result lists have hundreds
MAX_K = 1_000

_REQUIRED = ("user_id", "item_id", "event_time")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where each field stands.

    A name with dots is a path into nested objects (``properties.product_id``). The members of `items` are looked up
    under the last parts of the paths of `item_id` and `value`. An optional field set to ``""`` is not read at all: for
    topics that have no such field, or mean something else by its name.

    Raises
    ------
    SettingsError
        A required field is set to ``""``, or two fields are mapped to the same place.
    """

    user_id: str = "user_id"
    item_id: str = "item_id"
    event_time: str = "event_time"
    type: str = "type"
    event_id: str = "event_id"
    event_type: str = "event_type"
    value: str = "value"
    items: str = "items"
    k: str = "k"
    exclude: str = "exclude"

    def __post_init__(self) -> None:
        taken = {"schema", "specversion"}
        for field in fields(self):
            path: str = getattr(self, field.name)
            if not path and field.name not in _REQUIRED:
                continue
            if not all(path.split(".")):
                sentence = f"The field {field.name} is mapped to {path!r}; write the name of a field, or a path."
                raise SettingsError(sentence)
            if any(f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.") for other in taken):
                sentence = (
                    f"The field {field.name} is mapped to {path!r}, which is taken by another; map each field to a "
                    f'place of its own, and set those that the topic does not have to "".'
                )
                raise SettingsError(sentence)
            taken.add(path)


def wire_type(names: FieldMap, *, integer_ids: bool) -> tuple[type[Struct], Callable[[Struct], tuple[Any, ...]]]:
    """Build the struct that holds one message as it is written, and the getter of its fields.

    The getter returns a tuple in the order of `FieldMap`, then `schema` and `specversion`; what is absent, or null, is
    None. Members of `items` have the attributes `item` and `value`.
    """
    one_id: Any = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | str if integer_ids else str
    item: Any = msgspec.defstruct(
        "Item",
        [("item", one_id | None, None), ("value", float | None, None)],
        frozen=True,
        rename={"item": names.item_id.rpartition(".")[2], "value": names.value.rpartition(".")[2]},
    )
    kinds: dict[str, Any] = {
        "user_id": one_id | None,
        "item_id": one_id | None,
        "event_time": Annotated[dt.datetime, Meta(tz=True)] | int | None,
        "type": str | None,
        "event_id": one_id | None,
        "event_type": str | None,
        "value": float | None,
        "items": Annotated[list[item], Meta(min_length=1, max_length=MAX_ITEMS)] | None,
        "k": Annotated[int, Meta(ge=1, le=MAX_K)] | None,
        "exclude": list[one_id] | None,
    }
    tree: dict[str, Any] = {"schema": Any, "specversion": str | None}
    for name, kind in kinds.items():
        *parents, leaf = getattr(names, name).split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        if leaf:
            branch[leaf] = kind
    wire, places = _grow(tree)
    order = [*(getattr(names, name) for name in kinds), "schema", "specversion"]
    return wire, attrgetter(*(places.get(path, "absent") for path in order))


class _Wire(Struct, frozen=True):
    """Base of the wire forms; `absent` is what a field that is not read always holds."""

    absent: ClassVar[None] = None


def _grow(tree: dict[str, Any]) -> tuple[type[Struct], dict[str, str]]:
    """Make a struct of a tree of names; return it with the attribute path of each field's path."""
    members: list[Any] = []
    rename: dict[str, str] = {}
    places: dict[str, str] = {}
    branches: dict[str, type[Struct]] = {}
    for number, (name, kind) in enumerate(tree.items()):
        attribute = f"field_{number}"  # names in messages need not be identifiers
        rename[attribute] = name
        if isinstance(kind, dict):
            nested, inner = _grow(kind)
            members.append((attribute, nested | None, None))
            branches[attribute] = nested
            places |= {f"{name}.{path}": f"{attribute}.{place}" for path, place in inner.items()}
        else:
            members.append((attribute, kind, None))
            places[name] = attribute

    def fill(wire: Struct) -> None:
        for attribute, nested in branches.items():
            if getattr(wire, attribute) is None:  # absent or null: then all that is in it is absent
                msgspec.structs.force_setattr(wire, attribute, nested())

    namespace = {"__post_init__": fill} if branches else {}
    wire = msgspec.defstruct("Wire", members, bases=(_Wire,), namespace=namespace, frozen=True, rename=rename)
    return wire, places
