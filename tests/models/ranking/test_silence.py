import numpy as np
import pytest

from models.experts import bursts, covisitation, transitions
from models.experts.cooccurrence import Cooccurrence
from models.experts.popularity import Popularity
from models.experts.repeats import Repeats
from models.ranking.features import GROUPS, PLAIN
from models.ranking.silence import SITUATION, TIMES, silenced
from models.recommender import Recommender, Scored
from tests.models.checks import HOUR_MS, queries_of, stream

SEEN = stream(events=240)
TOLD_BY = "transitions", "covisitation", "page_burst"


def scored(silent: str, later_ms: int) -> Scored:
    counting = Cooccurrence((*transitions.READOUTS, *covisitation.READOUTS, *bursts.READOUTS), told_by=TOLD_BY)
    recommender = Recommender([counting, Repeats(), Popularity()], [silent])
    for events in SEEN.batches:
        recommender.learn(recommender.test(events, queries_of(events.before)))
    users = SEEN.queries().windows.users
    return recommender.score(queries_of(SEEN.windows.view(users, np.full(len(users), SEEN.now_ms + later_ms))))


def plain(one: Scored) -> np.ndarray:
    return one.features[:, :, -PLAIN:]


def test_nothing_is_silent_unless_it_is_named() -> None:
    assert [len(columns) for columns in silenced(())] == [0, 0]
    assert [len(columns) for columns in silenced(["transitions"])] == [0, 0]


@pytest.mark.parametrize("silent", ["", TIMES])
def test_without_times_it_does_not_matter_how_late_it_is(silent: str) -> None:
    """All but the precedence after the likeliest candidates: the experts keep their times, and so the mixture does."""
    soon, late = scored(silent, HOUR_MS // 120), scored(silent, 9 * HOUR_MS)
    assert np.array_equal(soon.x, late.x) is (silent == TIMES)
    for one in range(len(soon.sizes)):  # the experts may propose the candidates in another order
        rows = [
            {item: tuple(row[:-1]) for item, row in zip(a.candidates[one], plain(a)[one], strict=True)}
            for a in (soon, late)
        ]
        assert all(rows[0][item] == rows[1][item] for item in rows[0].keys() & rows[1].keys()) is (silent == TIMES)


def test_places_in_the_window_are_no_times() -> None:
    found = plain(scored(TIMES, HOUR_MS))
    own = found[:, :, [place for place, group in enumerate(GROUPS) if group == "own_history"]]
    untimed = [*range(5), 12, 13, 16]
    assert own[:, :, untimed].any(axis=(0, 1)).all(), (
        "met, last, second last, place, how often; how readily, ever; what was done"
    )
    assert not np.delete(own, untimed, axis=2).any()


def test_without_the_situation_the_weights_are_the_same_in_all() -> None:
    x = scored(SITUATION, HOUR_MS).x
    assert (x[:, 0] == 1).all()
    assert not x[:, 1:].any()
    assert scored("", HOUR_MS).x[:, 1:].any()


def test_a_group_of_features_is_silent_by_its_name() -> None:
    columns = [place for place, group in enumerate(GROUPS) if group == "item_statistics"]
    assert not plain(scored("item_statistics", HOUR_MS))[:, :, columns].any()
    assert plain(scored("", HOUR_MS))[:, :, columns].any()
