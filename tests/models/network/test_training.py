from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.base import Events, Mask, Rows
from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig
from models.network.replay import Inputs
from models.network.training import SequenceExpert, TrainingConfig
from stream.snapshots import State, state_hash
from stream.windows import WindowView
from tests.models.checks import CHECKS, ITEMS, Check, Factory, all_items, name_of, queries_of, stream

NETWORK = NetworkConfig(width=8, window=4, heads=2)
TRAINING = TrainingConfig(batch=8, old=8, replay_capacity=64)
SQUARE = np.float32(1e-2)  # of gradients in history


def small() -> SequenceExpert:
    return SequenceExpert(NETWORK, TRAINING, seed=3)


def sampled() -> SequenceExpert:
    return SequenceExpert(NETWORK, replace(TRAINING, softmax_rows=4), seed=3)


def begun() -> SequenceExpert:
    """One that knows the first ten items from history."""
    former = small()
    for events in stream(seed=5, items=10).batches:
        former.learn(events)
    weights = {name: tensor.numpy().copy() for name, tensor in former._encoder.state_dict().items()}
    ids = tuple(f"i{row}" for row in range(10))
    vectors = former.state()["items.vectors"].astype(np.float32)[:10]
    squares = {name: np.full_like(array, SQUARE) for name, array in weights.items()}
    start = Checkpoint(NETWORK, weights, ids, vectors, squares, np.full_like(vectors, SQUARE))
    return SequenceExpert(NETWORK, TRAINING, seed=3, start=start)


def taught(batches: list[Events], training: TrainingConfig = TRAINING) -> SequenceExpert:
    expert = SequenceExpert(NETWORK, training, seed=3)
    for events in batches:
        expert.learn(events)
    return expert


def joined(batches: list[Events]) -> Events:
    """All events in one batch."""
    views = [events.before for events in batches]
    columns = [np.concatenate([getattr(view, name) for view in views]) for name in WindowView.__slots__]
    return Events(
        WindowView(*columns),
        np.concatenate([events.items for events in batches]),
        np.concatenate([events.weights for events in batches]),
    )


def part(events: Events, start: int, stop: int) -> Events:
    places = np.arange(start, min(stop, len(events)))
    return Events(events.before.take(places), events.items[places], events.weights[places])


def weights(expert: SequenceExpert) -> State:
    state = expert.state()
    return {name: array for name, array in state.items() if "replay" not in name and name != "counters"}


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.parametrize("factory", [small, sampled, begun], ids=name_of)
def test_contract(factory: Factory, check: Check) -> None:
    check(factory)


def test_a_third_of_old_windows_is_hidden_and_nothing_of_live_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    expert = small()
    contexts, met, shown = expert._contexts, [], []

    def watched(inputs: Inputs, vectors: Tensor, slots: Rows, valid: Mask) -> Tensor:
        met.append(expert._valid(inputs.items).reshape(2, 8, 4))  # live and old ones
        shown.append(valid.reshape(2, 8, 4))
        return contexts(inputs, vectors, slots, valid)

    monkeypatch.setattr(expert, "_contexts", watched)
    for events in stream(events=2400).batches:
        expert.learn(events)
    live, old = np.sum(shown, axis=(0, 2, 3)) / np.sum(met, axis=(0, 2, 3))
    assert live == 1
    assert old == pytest.approx(0.65, abs=0.02)


@pytest.mark.parametrize("softmax_rows", [1000, 20])
def test_it_learns_what_follows_what(softmax_rows: int) -> None:
    seen = stream(events=2400)  # seven in ten events are the next item of a circle of 30
    training = replace(TRAINING, old=40, replay_capacity=1000, softmax_rows=softmax_rows)
    expert = SequenceExpert(NetworkConfig(width=16, window=4, heads=2), training, seed=3)
    for events in seen.batches:
        expert.learn(events)
    queries = seen.queries()
    best = expert.read(queries).propose()[:, 0, 0]
    following = (queries.windows.items[:, 0] + 1) % ITEMS
    assert (best == following).mean() > 0.7
    assert expert.loss < 0.8 * np.log(ITEMS)


def test_it_does_not_matter_how_the_stream_is_cut_into_batches() -> None:
    events = joined(stream().batches)
    states = set()
    for size in (1, 7, 8, 240):
        cut = [part(events, start, start + size) for start in range(0, len(events), size)]
        states.add(state_hash(taught(cut).state()))
    assert len(states) == 1


@pytest.mark.parametrize(("share", "updates"), [(1.0, 30), (0.5, 15), (0.1, 3), (0.0, 0)])
def test_the_training_share_decides_how_many_events_are_trained_on(share: float, updates: int) -> None:
    batches = [replace(events, training_share=share) for events in stream(events=240).batches]
    assert taught(batches).updates == updates


def test_events_that_are_shed_leave_no_trace() -> None:
    batches = stream().batches
    state = taught([replace(events, training_share=0.0) for events in batches]).state()
    assert state_hash(state) == state_hash(small().state())


def test_examples_wait_until_a_batch_has_gathered() -> None:
    seen = stream()
    expert = small()
    expert.learn(part(seen.batches[0], 0, 7))
    assert expert.updates == 0
    assert (expert.read(seen.queries()).propose() == -1).all()
    expert.learn(part(seen.batches[0], 7, 8))
    assert expert.updates == 1
    known = expert.read(seen.queries()).score(all_items(seen.queries()))[0, :, 0] > 0
    assert set(np.flatnonzero(known)) == set(seen.batches[0].items[:8])


def test_what_history_taught_is_there_before_the_first_event() -> None:
    expert, former = begun(), small()
    seen = stream(seed=5, items=10)
    for events in seen.batches:
        former.learn(events)
    queries = seen.queries()
    assert expert.updates == 0
    scores, expected = (one.read(queries).score(all_items(queries)) for one in (expert, former))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)  # their sums run over the items in another order
    assert set(expert.read(queries).propose().ravel()) >= set(range(10))


def test_what_history_taught_is_not_overturned_by_the_first_update() -> None:
    fresh, begun_with = small(), begun()
    moved = []
    for expert in (fresh, begun_with):
        before = expert.state()
        expert.learn(part(stream(items=10).batches[0], 0, 8))
        rows = min(len(before["items.vectors"]), 10)
        both = [
            (state["weights"].astype(float), state["items.vectors"].astype(float)[:rows])
            for state in (before, expert.state())
        ]
        moved.append([np.abs(one - other).max() for one, other in zip(*both, strict=True)])
    assert moved[0][0] == pytest.approx(TRAINING.network_rate, rel=0.05), "Adam's first step is as long as its rate"
    assert 0 < moved[1][0] < TRAINING.network_rate * TRAINING.tuning
    assert 0 < moved[1][1] < TRAINING.vector_rate * TRAINING.tuning


def test_a_new_item_starts_where_it_was_met() -> None:
    batches = stream().batches
    still = replace(TRAINING, vector_rate=0.0, network_rate=0.0)
    expert = SequenceExpert(replace(NETWORK, dropout=0.0), still, seed=3)
    for events in batches[:-1]:
        expert.learn(events)
    last = part(batches[-1], 0, 8)
    expert.learn(replace(last, items=np.arange(ITEMS, ITEMS + 8, dtype=np.int32)))
    queries = queries_of(last.before)
    scores = expert.read(queries).score(np.tile(np.arange(ITEMS, ITEMS + 8, dtype=np.int32), (8, 1)))[:, :, 0]
    assert (scores.argmax(axis=1) == np.arange(8)).all()


@pytest.mark.parametrize("weight", [np.nan, np.inf, 1e38])
def test_an_update_that_is_not_finite_is_skipped_and_counted(weight: float) -> None:
    batches = stream().batches
    expert = taught(batches[:5])
    before, updates, loss = weights(expert), expert.updates, expert.loss
    poison = part(batches[5], 0, 8)
    new_items = np.arange(ITEMS, ITEMS + 8, dtype=np.int32)
    expert.learn(replace(poison, items=new_items, weights=np.full(8, weight, np.float32)))
    assert (expert.updates, expert.skipped, expert.loss) == (updates, 1, loss)
    assert state_hash(weights(expert)) == state_hash(before)


def test_what_made_an_update_fail_is_not_replayed() -> None:
    batches = stream().batches
    expert = taught(batches[:5])
    expert.learn(replace(part(batches[5], 0, 8), weights=np.full(8, np.nan, np.float32)))
    for events in batches[6:]:
        expert.learn(events)
    assert expert.skipped == 1


def test_a_huge_gradient_moves_no_weight_far() -> None:
    batches = stream().batches
    expert = taught(batches[:5])
    before = weights(expert)
    expert.learn(replace(part(batches[5], 0, 8), weights=np.full(8, 1e6, np.float32)))
    assert expert.skipped == 0
    one, other = (state["weights"].astype(float) for state in (before, weights(expert)))
    assert 0 < np.abs(one - other).max() < 10 * TRAINING.network_rate
    moments = expert.state()["second_moments"].astype(float)
    assert np.sqrt(moments).max() <= TRAINING.largest_gradient, "it was not clipped: all later steps would be tiny"


def test_a_large_catalogue_is_touched_in_a_few_rows_only() -> None:
    training = replace(TRAINING, softmax_rows=40)
    items, per_update = 2000, 8
    numbers = np.arange(items, dtype=np.int32)
    view = stream().batches[0].before.take(np.zeros(items, np.int64))
    expert = taught([Events(view, numbers, np.ones(items, np.float32))], training)
    before = expert.state()["items.updates"].astype(int)
    expert.learn(Events(view.take(np.arange(per_update)), numbers[:per_update], np.ones(per_update, np.float32)))
    touched = expert.state()["items.updates"].astype(int) > before
    assert touched[:per_update].all()
    assert per_update < touched.sum() <= training.softmax_rows


def test_global_random_numbers_are_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    taught(stream().batches)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_other_seeds_give_other_networks() -> None:
    batches = stream().batches
    one, other = taught(batches), SequenceExpert(NETWORK, TRAINING, seed=4)
    for events in batches:
        other.learn(events)
    assert state_hash(one.state()) != state_hash(other.state())
