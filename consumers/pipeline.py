"""The path of the data, from records to lists and from lists to learning.

`recommend` answers a batch by the models as they are; `learn` then tests and teaches them with it. Both are pure of
I/O, threads, clocks and unordered iteration: state and outputs are a function of the batches and the decisions seen.
The service on Kafka, a follower of its journal, the brokerless backtest and the tests drive these same two functions.

`recommend`:

1. Stock: what the items topic tells holds from here on.
2. Clean: what could not be read, or is not let through, becomes a dead letter.
3. Erase: a user who asks to be forgotten is, everywhere, with what the batch held of that user before.
4. Admit: ids become rows.
5. Window: each event's window just before it, and just after it.
6. Recommend: lists for the windows after, and the reasons.

`learn`, for the same batch in runs of a micro-batch:

7. Test: the rank of each event's item, by the models as they were before the micro-batch.
8. Learn: mixture, ranker, experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version

import msgspec
import numpy as np

from consumers import gate
from consumers.admission import NOBODY, Admission, Turns
from consumers.assortment import Assortment, with_more
from consumers.messages import Sender, length
from consumers.settings import Settings
from models.absence import usual_gaps_ms
from models.base import Events, Floats, Mask, Queries, Rows, Run
from models.families import experts
from models.network.checkpoint import Checkpoint
from models.published import PublishedLists
from models.recommender import Milestone, Recommender, micro_batches
from models.tables import dead_rows, grown
from stream.cleaning import Accepted, Cleaned, Cleaner
from stream.consumed import ConsumedItems
from stream.dead_letters import dead_letter
from stream.errors import MessageError
from stream.events import Decoded, Erase, Request
from stream.log import OutputRecord
from stream.snapshots import State, nest, pick
from stream.windows import Kinds, Times, UserWindows, WindowView

CONSUMED_NOTES = 4_000_000  # 32 MB: what is never offered again, of all users together
_LISTS_AT_ONCE = 256  # bounds the memory of scoring, about 100 KiB a list


Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class Decisions(msgspec.Struct, frozen=True):
    """What depended on the clock, the load or an accident: journaled, so that every follower does the same.

    Records stamped before `publish_after_ms` are learned from, and answered only where they are requests.
    `training_share` is the part of the events, in [0, 1], that the costly models train on; where it is small,
    micro-batches are longer too. With `coalesce` a user gets one list a batch, for the last event. With `singly` the
    records went through one by one, without those in `skipped`: a model had raised on the batch, and did on them.
    """

    publish_after_ms: int = 0
    training_share: float = 1.0
    coalesce: bool = False
    singly: bool = False
    skipped: tuple[Place, ...] = ()


@dataclass(slots=True)
class Outputs:
    """What one batch sends out, and what became of its events."""

    lists: list[OutputRecord] = field(default_factory=list)  # with the removals of erased users
    dead: list[OutputRecord] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # of the dead letters
    accepted: int = 0
    learned: int = 0
    requests: int = 0
    negatives: int = 0
    exposures: int = 0
    erased: int = 0
    duplicates: int = 0
    ignored: int = 0
    key_mismatches: int = 0
    coalesced: int = 0
    items: int = 0  # records that tell of one
    homeless: int = 0  # of those that tell of an available one, where no row was free
    unpublished: int = 0  # accepted events that got no list of their own, coalesced ones aside

    def add(self, other: "Outputs") -> None:
        """Take in what another batch sends out, behind what is there."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


@dataclass(frozen=True, slots=True)
class Learned:
    """How well n events were foreseen, just before they were learned.

    `users` and `items` (n,) are rows, as they are until the next batch; `times_ms` (n,) event times. `ranks` (n, S) are
    by the recommender's `scorers`; `with_history` (n,) marks events of users met before; `items_met` (n,) is how often
    the models had met the item; `published` (n,) is the rank in the list that was out for the user, and `list_ages_ms`
    (n,) the age of that, -1 without one.
    """

    users: Rows
    items: Rows
    times_ms: Times
    ranks: Rows
    with_history: Mask
    items_met: Times
    published: Rows
    list_ages_ms: Times


@dataclass(frozen=True, slots=True)
class _Pending:
    """What `recommend` leaves for `learn`: n events to learn from."""

    before: WindowView
    items: Rows
    weights: Floats
    kinds: Kinds
    selves: Rows
    turns: Times  # number of the first note of consumption that was not known yet
    with_history: Mask
    published: Rows
    list_ages_ms: Times
    training_share: float


class Pipeline:
    """One task's whole state, and the two functions that change it.

    Parameters
    ----------
    settings
        Those that change state must stay the same for the life of a state.
    epoch
        Life of the state, part of every `rec_id`.
    recommender
        A new one; None for all experts of the settings.
    start
        What the network begins with; a recommender that is given has begun with it.
    """

    def __init__(
        self,
        settings: Settings,
        epoch: int = 0,
        recommender: Recommender | None = None,
        start: Checkpoint | None = None,
    ) -> None:
        self.decoder = gate.topic_decoder(settings)
        self.recommender = recommender or Recommender(
            experts(
                settings.models.seed,
                settings.network.config(),
                start=start,
                vector_length=settings.items.told_length,
                optional=settings.models.optional(),
            )
        )
        self.admission = Admission(
            settings.windows.users, settings.models.items, self._forget_users, self._forget_items
        )
        self.assortment = Assortment(self.admission, self.recommender)
        if start is not None:
            self.admission.begin(start.ids)
        self._application = settings.application.name
        self._input_topic = settings.input.topic
        self._version = version("springtide")
        self._cleaner = gate.cleaner(settings)
        self._windows = UserWindows(settings.windows.length, settings.windows.span.ms)
        self._consumed = ConsumedItems(CONSUMED_NOTES)
        self._never_again = settings.serving.repeats == "never"
        self._published = PublishedLists(settings.publish.k)
        self._met = np.zeros(0, np.bool_)  # users with an event learned from, by row
        self._k = settings.publish.k
        self._micro_batch = settings.models.micro_batch
        self._sender = Sender(self._application, epoch, settings.publish.topic, self._version, self.recommender.sources)
        self._pending: _Pending | None = None

    @property
    def watermark_ms(self) -> int | None:
        """Event time up to which everything is expected to have been seen; None before the first event."""
        return self._cleaner.watermarks.lowest()

    @property
    def milestone(self) -> Milestone | None:
        """The last checksum of what has been learned, since it was made or restored; None before the first."""
        return self.recommender.milestone

    def recommend(self, batch: Sequence[Decoded], decisions: Decisions) -> Outputs:
        """Answer a batch, which is in the order of `stream.clock.merge`; `learn` must follow before the next one."""
        told = [one.item for one in batch if one.item is not None]
        homeless = self.assortment.tell(told)
        cleaned = self._cleaner.clean(batch)
        outputs = self._counted(batch, cleaned)
        outputs.items, outputs.homeless = len(told), homeless
        outputs.dead = [
            self._buried(decoded, error, "clean" if decoded.error is None else "decode")
            for decoded, error in cleaned.rejected
        ]
        outputs.reasons = [error.reason for _, error in cleaned.rejected]
        accepted, crowd = self.admission.fitting(self._erase(cleaned.accepted, outputs))
        self._refuse(crowd, outputs)
        turns = self.admission.admit(accepted)
        self.assortment.admitted(turns)
        entered = np.where(turns.learned, turns.items, -1)
        before, after = self._windows.extend(turns.users, entered, turns.times_ms, turns.kinds)
        notes = self._note_consumed(turns)
        published, ages = self._published.ranks(turns.users, turns.items, turns.times_ms)
        self._pending = _Pending(
            before.take(turns.learned),
            turns.items[turns.learned],
            turns.weights[turns.learned],
            turns.kinds[turns.learned],
            turns.selves[turns.learned],
            notes[:-1][turns.learned],
            self._meet(turns.users[turns.learned]),
            published[turns.learned],
            ages[turns.learned],
            decisions.training_share,
        )
        answered = self._answered(turns, decisions, outputs)
        for start in range(0, len(answered), _LISTS_AT_ONCE):
            places = answered[start : start + _LISTS_AT_ONCE]
            outputs.lists += self._answer(_select(turns, places), after.take(places), notes[1:][places])
        return outputs

    def learn(self) -> Learned:
        """Test and learn the batch that was last given to `recommend`, once."""
        if self._pending is None:
            message = "learn() follows recommend(), once for each batch"
            raise RuntimeError(message)
        pending, self._pending = self._pending, None
        ranks = [np.empty((0, len(self.recommender.scorers)), np.int32)]
        met = [np.empty(0, np.int64)]
        share = pending.training_share
        for part in micro_batches(len(pending.items), self._micro_batch, self.recommender.events_learned, share):
            before = pending.before.part(part.start, part.stop)
            selves = pending.selves[part]
            events = Events(before, pending.items[part], pending.weights[part], share, pending.kinds[part], selves)
            run = Run(pending.before, part.start, share)
            queries = replace(self._queries(before, selves, pending.turns[part]), run=run)
            tested = self.recommender.test(events, queries)
            met.append(self.recommender.met(events.items))
            self.recommender.learn(tested)
            ranks.append(tested.ranks)
        return Learned(
            pending.before.users,
            pending.items,
            pending.before.now_ms,
            np.concatenate(ranks),
            pending.with_history,
            np.concatenate(met),
            pending.published,
            pending.list_ages_ms,
        )

    def dead_letter(self, decoded: Decoded, error: Exception) -> OutputRecord:
        """Return the dead letter of a record on which a model raised."""
        return self._buried(decoded, error, "model")

    def state(self) -> State:
        """Return a copy of everything that decides future outputs; between `learn` and the next `recommend`."""
        if self._pending is not None:
            message = "the state is whole only after learn()"
            raise RuntimeError(message)
        state: State = {"met": self._met[: self.admission.users.rows_used].copy()}
        for name, part in self._parts().items():
            state |= nest(name, part.state())
        return state

    def restore(self, state: State) -> None:
        """Take back what `state` gave, under the same state-changing settings."""
        self._met = state["met"].astype(np.bool_)
        for name, part in self._parts().items():
            part.restore(pick(name, state))
        self._pending = None

    def _parts(
        self,
    ) -> dict[str, "Admission | Assortment | Cleaner | ConsumedItems | PublishedLists | Recommender | UserWindows"]:
        return {
            "cleaner": self._cleaner,
            "admission": self.admission,
            "assortment": self.assortment,
            "windows": self._windows,
            "consumed": self._consumed,
            "published": self._published,
            "recommender": self.recommender,
        }

    def _counted(self, batch: Sequence[Decoded], cleaned: Cleaned) -> Outputs:
        return Outputs(
            exposures=cleaned.exposures,
            duplicates=cleaned.duplicates,
            ignored=cleaned.ignored,
            key_mismatches=sum(decoded.key_mismatch for decoded in batch),
        )

    def _buried(self, decoded: Decoded, error: Exception, stage: str) -> OutputRecord:
        return dead_letter(
            decoded.record,
            error,
            stage=stage,
            application=self._application,
            version=self._version,
            group=self._application,
            input_topic=self._input_topic,
        )

    def _erase(self, accepted: Sequence[Accepted], outputs: Outputs) -> list[Accepted]:
        """Forget who asks for it; return what is left to act on: nothing of a user from before the erasure."""
        erased_at = {one.event.user_id: place for place, one in enumerate(accepted) if isinstance(one.event, Erase)}
        if not erased_at:
            return list(accepted)
        known = self.admission.erase(erased_at)
        for one in accepted:
            if isinstance(one.event, Erase):
                outputs.lists.append(self._sender.removal(one, known=one.event.user_id in known))
                outputs.erased += 1
                known.discard(one.event.user_id)
            else:
                known.add(one.event.user_id)
        return [one for place, one in enumerate(accepted) if place > erased_at.get(one.event.user_id, -1)]

    def _refuse(self, crowd: Sequence[Accepted], outputs: Outputs) -> None:
        """Make dead letters of the records whose ids find no room in the vocabularies, one for each."""
        error = MessageError("no_room", "One batch holds more users or items than windows.users or models.items allow.")
        for decoded in {one.decoded.record: one.decoded for one in crowd}.values():
            self._cleaner.take_back(decoded)
            outputs.dead.append(self._buried(decoded, error, "clean"))
            outputs.reasons.append(error.reason)

    def _note_consumed(self, turns: Turns) -> Times:
        """Note what must not be offered again; return the number of notes known before each turn and at the end."""
        noted = turns.negative | (turns.learned & self._never_again)
        known = self._consumed.following + np.concatenate([[0], np.cumsum(noted)]).astype(np.int64)
        self._consumed.add(turns.users[noted], turns.items[noted])
        return known

    def _meet(self, users: Rows) -> Mask:
        """Say which of the events' users were met before, and note that all of them are now."""
        self._met = grown(self._met, int(users.max(initial=-1)) + 1)
        first = np.zeros(len(users), np.bool_)
        first[np.unique(users, return_index=True)[1]] = True
        known = self._met[users] | ~first
        self._met[users] = True
        return known

    def _answered(self, turns: Turns, decisions: Decisions, outputs: Outputs) -> Rows:
        """Places of the turns that get a list."""
        requests = np.array([isinstance(one.event, Request) for one in turns.accepted], np.bool_)
        recent = np.array(
            [one.decoded.record.timestamp_ms >= decisions.publish_after_ms for one in turns.accepted], np.bool_
        )
        answered = recent | requests
        if decisions.coalesce:
            last = np.zeros(len(turns), np.bool_)
            last[len(turns) - 1 - np.unique(turns.users[::-1], return_index=True)[1]] = True
            outputs.coalesced = int((answered & ~(last | requests)).sum())
            answered &= last | requests
        outputs.accepted = len(turns)
        outputs.learned, outputs.negatives = int(turns.learned.sum()), int(turns.negative.sum())
        outputs.requests = int(requests.sum())
        outputs.unpublished = len(turns) - int(answered.sum()) - outputs.coalesced
        return np.flatnonzero(answered).astype(np.int32)

    def _answer(self, turns: Turns, windows: WindowView, notes: Times) -> list[OutputRecord]:
        """Make and note the lists of B turns, by the windows after them, for the moment when they will be met.

        Who asks is there; others come again after a while.
        """
        met_ms = windows.now_ms + np.where(turns.items == NOBODY, 0, usual_gaps_ms(windows))
        queries = self._queries(replace(windows, now_ms=met_ms), turns.selves, notes, turns.accepted)
        queries = replace(queries, ahead=turns.learned)
        lists = self.recommender.recommend(queries, max(length(one.event, self._k) for one in turns.accepted))
        self._published.publish(turns.users, lists.rows, windows.now_ms)
        return self._sender.messages(
            lists,
            turns,
            windows,
            self.admission.items,
            usual=self._k,
            events_learned=self.recommender.events_learned,
            watermark_ms=self.watermark_ms,
        )

    def _queries(self, windows: WindowView, selves: Rows, notes: Times, accepted: Sequence[Accepted] = ()) -> Queries:
        """Windows with what must not be offered: consumed for good, not available, or left out by a request."""
        starts, excluded = with_more(*self._consumed.of(windows.users, notes), self.assortment.newly_barred())
        wishes = {b: one.event.exclude for b, one in enumerate(accepted) if isinstance(one.event, Request)}
        if not any(wishes.values()):
            return Queries(windows, starts, excluded, barred=self.assortment.barred, selves=selves)
        rows = [excluded[starts[b] : starts[b + 1]].tolist() for b in range(len(windows))]
        for b, ids in wishes.items():
            found = (self.admission.items.find(id_) for id_ in ids)
            rows[b] += [row for row in found if row >= 0]
        starts = np.concatenate([[0], np.cumsum([len(of_one) for of_one in rows])]).astype(np.int64)
        excluded = np.array([row for of_one in rows for row in of_one], np.int32)
        return Queries(windows, starts, excluded, barred=self.assortment.barred, selves=selves)

    def _forget_users(self, dead: Mask) -> None:
        self._met[dead_rows(dead, len(self._met))] = False
        for part in (self._windows, self._consumed, self._published, self.recommender):
            part.forget_users(dead)

    def _forget_items(self, dead: Mask) -> None:
        for part in (self._windows, self._consumed, self._published, self.assortment, self.recommender):
            part.forget_items(dead)


def _select(turns: Turns, places: Rows) -> Turns:
    return Turns(
        [turns.accepted[place] for place in places],
        turns.users[places],
        turns.items[places],
        turns.selves[places],
        turns.times_ms[places],
        turns.weights[places],
        turns.learned[places],
        turns.negative[places],
        turns.kinds[places],
    )
