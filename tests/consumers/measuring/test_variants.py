import pytest

from consumers.durations import Duration
from consumers.measuring.variants import Variant, ablations, update_period
from models.families import CONTENT, FAMILIES, NETWORK
from models.measuring.lateness import DeferredRecommender, FrozenRecommender
from stream.errors import SettingsError
from tests.consumers.stream import settings

NUMBERS = {"item_statistics", "lift", "precedence", "times", "situation"}


def test_two_ways_of_learning_late_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="give one of them"):
        Variant(update_every=Duration.parse("1d"), freeze_after=0.5)


def test_a_period_must_have_a_length() -> None:
    assert update_period("1d") == 86_400_000
    with pytest.raises(SettingsError, match=r"^--update-every is '1', but must be a duration with units, .*\.$"):
        update_period("1")
    with pytest.raises(SettingsError, match="must be longer than nothing"):
        Variant(update_every=update_period("0s"))


def test_learning_late_takes_a_recommender_of_its_own() -> None:
    one = settings()
    assert isinstance(Variant(update_every=Duration.parse("1d")).recommender(one, 10), DeferredRecommender)
    assert isinstance(Variant(freeze_after=0.5).recommender(one, 10), FrozenRecommender)
    assert not isinstance(Variant().recommender(one, 10), DeferredRecommender | FrozenRecommender)


def test_everything_can_be_left_out_that_is_there() -> None:
    told = settings(items={"topic": "items"})
    assert set(ablations(settings(network={"enabled": True}))) == {*FAMILIES, *NUMBERS} - {CONTENT}
    assert set(ablations(told)) == {*FAMILIES, *NUMBERS} - {NETWORK}
    whole, lesser = Variant().recommender(told, 10), Variant(ablate=True).recommender(told, 10)
    assert lesser.scorers == (*whole.scorers, *(f"without {name}" for name in ablations(told)))


def test_only_what_is_named_is_left_out_where_something_is() -> None:
    some = Variant(without=("popularity", "bursts")).recommender(settings(), 10)
    assert [name for name in some.scorers if name.startswith("without ")] == ["without bursts", "without popularity"]
    assert Variant().left_out(settings()) == ()
    with pytest.raises(SettingsError, match=r"^--without nothing: .*there are transitions, .*\.$"):
        Variant(without=("nothing",)).recommender(settings(), 10)


def test_a_family_asked_for_is_there_and_can_be_left_out() -> None:
    asked = settings(models={"demand": True})
    assert "demand" in ablations(asked)
    assert "demand" in Variant().recommender(asked, 10).scorers


def test_what_learns_late_has_nothing_left_out() -> None:
    for late in (Duration.parse("1d"), None):
        with pytest.raises(SettingsError, match="for what learns at once"):
            Variant(late, None if late else 0.5, ablate=True)
        with pytest.raises(SettingsError, match="for what learns at once"):
            Variant(late, None if late else 0.5, without=("sequence",))
