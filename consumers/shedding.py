"""What is left out first when events come faster than they can be learned.

The network and the factorisation are the costly part of learning, and can do with a sample. So under load they train on
a smaller share of the events, and everything else goes on with all of them. A backlog that shrinks is no load: a task
that catches up with a long log learns all of it.
"""

from dataclasses import dataclass, field

_LESS = 0.7
_MORE = 1.1
_LEAST = 0.05  # of the usual share: the network must not go blind


@dataclass(slots=True)
class TrainingShare:
    """Decides the share from the backlog, which is looked at about once a second.

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
    _backlog: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.now = self.usual

    def observe(self, backlog: int) -> None:
        """Take note of how many records wait: the share shrinks while the backlog grows and recovers otherwise."""
        grows = backlog > max(self._backlog, self.tolerated)
        self.now = max(self.now * _LESS, self.usual * _LEAST) if grows else min(self.now * _MORE, self.usual)
        self._backlog = backlog
