import msgspec
import pytest

from stream.errors import SettingsError
from stream.fields import FieldMap, wire_type


def test_the_getter_follows_the_map_and_fills_with_none() -> None:
    wire, getter = wire_type(
        FieldMap(user_id="user", item_id="product.id", value="product.price", k=""), integer_ids=False
    )
    message = msgspec.json.decode(b'{"user":"u1","product":{"id":"i1","price":2},"k":3,"schema":"s"}', type=wire)

    assert getter(message) == ("u1", "i1", None, None, None, None, 2.0, None, None, None, "s", None)


@pytest.mark.parametrize("inner", ["", ',"product":null', ',"product":{}', ',"product":{"id":null}'])
def test_what_is_in_a_parent_that_is_null_is_absent_too(inner: str) -> None:
    wire, getter = wire_type(FieldMap(item_id="product.id", value="product.price.net"), integer_ids=False)
    message = msgspec.json.decode(f'{{"user_id":"u1"{inner}}}', type=wire)
    assert getter(message) == ("u1", *[None] * 11)


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": ""},
        {"event_type": "type"},
        {"item_id": "user_id"},
        {"item_id": "user_id.item"},
        {"user_id": "value.user"},
        {"event_id": "specversion"},
        {"item_id": "a..b"},
    ],
)
def test_names_that_cannot_be(fields: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="mapped to"):
        FieldMap(**fields)
