"""Rows that expire and are used again never change the meaning of what is older.

The oracle is the same pipeline with vocabularies that never give out a row twice, so that no table can take one id for
another. In vocabularies of four places somebody expires with almost every batch. What the two pipelines know must be
the same after each, when it is said in ids, and so must their lists.

Left out is what depends on a row's number by design: in which order equals stand, the last bits of sums, and the random
numbers of the factorisation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from consumers.pipeline import Outputs, Pipeline
from models.base import Expert, Floats
from models.experts.circle import Circle
from models.experts.factorization import FactorizationConfig, FactorizationExpert
from models.experts.replies import Replies
from models.families import experts
from models.network.training import SequenceExpert, TrainingConfig
from models.recommender import Recommender
from stream.events import Decoded
from stream.vocabulary import Vocabulary
from tests.consumers.knowledge import known
from tests.consumers.stream import MINUTE, NOON, lists, message, run, settings

PLACES = 4


class NeverAgain(Vocabulary):
    """Gives every id a row that was never used before."""

    def _take_row(self) -> int:
        if not self.free:
            raise IndexError
        self._ids.append(None)
        self._last_used.append(-1)
        return len(self._ids) - 1


class Turn(NamedTuple):
    kind: str
    user: int
    item: int
    late: int = 0  # minutes behind its turn
    being: bool = False  # whether the item is a user

    def body(self, turn: int) -> dict[str, object]:
        body: dict[str, object] = {"user_id": f"u{self.user}", "event_time": NOON + (turn - self.late) * MINUTE}
        item = f"{'u' if self.being else 'i'}{self.item}"
        match self.kind:
            case "erase":
                return body | {"type": "erase"}
            case "request":
                return body | {"type": "request", "exclude": [item]}
            case _:
                return body | {"item_id": item, "event_type": self.kind}


def pipeline_of(vocabulary: type[Vocabulary], experts: Sequence[Expert], repeats: str) -> Pipeline:
    pipeline = Pipeline(settings(serving={"repeats": repeats}), recommender=Recommender(experts))
    pipeline.admission.users, pipeline.admission.items = vocabulary(PLACES), vocabulary(PLACES)
    return pipeline


def check_lists(one: Outputs, other: Outputs, tolerance: float) -> None:
    assert len(one.lists) == len(other.lists)
    for mine, its in zip(lists(one), lists(other), strict=True):
        assert (mine.user_id, mine.trigger, mine.watermark) == (its.user_id, its.trigger, its.watermark)
        scores = {item.item_id: item.score for item in mine.items}
        assert scores == pytest.approx({item.item_id: item.score for item in its.items}, abs=tolerance)


def play(one: Pipeline, other: Pipeline, batches: Sequence[Sequence[Turn]], tolerance: float) -> int:
    """Give both the same batches and compare what comes of them; return how many rows were used again."""
    offset = 0
    for batch in batches:
        bodies = [turn.body(offset + place) for place, turn in enumerate(batch)]
        outputs = []
        for pipeline in (one, other):
            decoded: list[Decoded] = [message(pipeline, offset + n, body) for n, body in enumerate(bodies)]
            outputs.append(run(pipeline, decoded))
        offset += len(batch)
        check_lists(outputs[0], outputs[1], tolerance)
        assert known(one) == known(other)
    return sum(
        len(getattr(other.admission, kind)._ids) - len(getattr(one.admission, kind)._ids) for kind in ("users", "items")
    )


class Unseeded(FactorizationExpert):
    """Begins with the same vectors in every row, and draws no items by their rows."""

    def __init__(self) -> None:
        super().__init__(FactorizationConfig(negatives=0))

    def _new_vector(self, kind: int, row: int) -> Floats:
        return np.linspace(-0.1, 0.2 + kind, self._config.factors, dtype=np.float32)


def counting() -> list[Expert]:
    """Give all experts that count, none of which waits for a proof."""
    instead = {"factorization": Unseeded(), "replies": Replies(0, 0), "circle": Circle(0, 0)}
    return [instead.get(expert.name, expert) for expert in experts(1, None)]


def small_network() -> list[Expert]:
    return [*counting(), SequenceExpert(training=TrainingConfig(batch=4, replay_capacity=16), seed=1)]


turns = st.builds(
    Turn,
    st.sampled_from([*["view"] * 8, "skip", "skip", "request", "erase"]),
    st.integers(0, 7),
    st.integers(0, 7),
    st.sampled_from([0, 0, 0, 5, 10_000]),
    st.booleans(),
)


@given(st.lists(st.lists(turns, max_size=10), min_size=3, max_size=10), st.sampled_from(["learned", "never"]))
@example_settings(max_examples=40)
def test_a_row_that_is_used_again_is_as_good_as_new(batches: list[list[Turn]], repeats: str) -> None:
    one, other = (pipeline_of(vocabulary, counting(), repeats) for vocabulary in (Vocabulary, NeverAgain))
    play(one, other, batches, 1e-4)


def walk(events: int, seed: int) -> list[list[Turn]]:
    random = np.random.default_rng(seed)
    kinds = random.choice(["view", "skip", "request", "erase"], events, p=[0.85, 0.05, 0.05, 0.05])
    users, items = random.integers(0, 8, events), random.integers(0, 8, events)
    drawn = [
        Turn(str(kind), int(user), int(item), being=bool(being))
        for kind, user, item, being in zip(kinds, users, items, random.integers(0, 2, events), strict=True)
    ]
    return [drawn[start : start + 6] for start in range(0, events, 6)]


@pytest.mark.parametrize("repeats", ["learned", "never"])
def test_so_it_is_in_a_long_stream(repeats: str) -> None:
    one, other = (pipeline_of(vocabulary, counting(), repeats) for vocabulary in (Vocabulary, NeverAgain))
    assert play(one, other, walk(400, seed=1), 1e-4) > 200


def test_so_it_is_for_the_network() -> None:
    one, other = (pipeline_of(vocabulary, small_network(), "learned") for vocabulary in (Vocabulary, NeverAgain))
    assert play(one, other, walk(120, seed=2), 1e-3) > 60
