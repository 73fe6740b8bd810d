import pytest

from stream.errors import SettingsError
from stream.policy import EventPolicy, Role, Rule


@pytest.mark.parametrize(
    ("event_type", "role"),
    [
        ("view_item", Role.LEARN),
        ("Product Viewed", Role.LEARN),
        ("remove_from_cart", Role.NEGATIVE),
        ("Product List Viewed", Role.EXPOSURE),
        ("page_view", Role.IGNORE),
        ("a name of one's own", Role.LEARN),
        ("", Role.LEARN),
    ],
)
def test_defaults(event_type: str, role: Role) -> None:
    assert EventPolicy().judge(event_type, None) == Rule(role, 1.0)


def test_settings_stand_above_the_defaults() -> None:
    policy = EventPolicy({"view_item": "exposure", "purchase": 3, "ping": "ignore", "page_view": 0.5})

    assert policy.judge("view_item", None).role is Role.EXPOSURE
    assert policy.judge("purchase", None) == Rule(Role.LEARN, 3.0)
    assert policy.judge("page_view", None) == Rule(Role.LEARN, 0.5)
    assert "ping" in policy.ignored
    assert "page_view" not in policy.ignored


def test_low_values_are_negative_where_they_would_be_learned_from() -> None:
    policy = EventPolicy({"shown": "exposure"}, negative_below=3.0)

    assert policy.judge("rating", 2.5).role is Role.NEGATIVE
    assert policy.judge("rating", 3.0).role is Role.LEARN
    assert policy.judge("rating", None).role is Role.LEARN
    assert policy.judge("shown", 1.0).role is Role.EXPOSURE


@pytest.mark.parametrize("entry", ["learns", "", 0, -1.0, float("nan"), float("inf"), True])
def test_entries_that_mean_nothing_are_refused(entry: str | float) -> None:
    with pytest.raises(SettingsError, match="'view'"):
        EventPolicy({"view": entry})
