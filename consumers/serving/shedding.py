"""What is left out first when events come faster than they can be learned.

The network and the factorisation are the costly part of learning, and can do with a sample. So under load they train on
a smaller share of the events, and everything else goes on with all of them, in longer micro-batches where the stream is
young (`models.recommender.micro_batches`). Three rules, looked at about once a second:

1. More records wait than may, and more than at the last look: train on less.
2. More wait than may, but not more than at the last look: leave it so, until they are gone.
3. Not more wait than may: train on more, slowly, up to the usual share.

A backlog that shrinks is no load: a task that catches up with a long log while little is added learns all of it.

Batches need no rule of their own. One takes all that waits, up to `batch.max_records`, and waits `batch.latency` for
more: so batches are small and fast while little comes, and large and cheap when much does.
"""

from dataclasses import dataclass, field

_LESS = 0.7
_MORE = 1.1
_LEAST = 0.05  # of the usual share: the network must not go blind


@dataclass(slots=True)
class TrainingShare:
    """Decides the share from the backlog.

    Parameters
    ----------
    usual
        The share without load, in [0, 1].
    tolerated
        Records that may wait without being a backlog.
    """

    usual: float
    tolerated: int
    now: float = field(init=False)
    _backlog: int | None = field(init=False, default=None)  # at the last look

    def __post_init__(self) -> None:
        self.now = self.usual

    def observe(self, backlog: int) -> None:
        """Take note of how many records wait."""
        if backlog <= self.tolerated:
            self.now = min(self.now * _MORE, self.usual)
        elif self._backlog is not None and backlog > self._backlog:
            self.now = max(self.now * _LESS, self.usual * _LEAST)
        self._backlog = backlog
