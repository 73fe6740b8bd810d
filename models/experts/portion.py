"""Every 1/share-th event: what a model learns that need not, or cannot, learn all of them."""

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


class Portion:
    """Chooses an even part of a stream, however that is cut into batches.

    Attributes
    ----------
    credit
        Part of an event that has been saved up, in [0, 1); all that has to be kept of the past.
    """

    def __init__(self) -> None:
        self.credit = 0.0

    def choose(self, count: int, share: float) -> Places:
        """Return which of the next `count` events belong to the part `share`, in [0, 1]."""
        saved = self.credit + share * np.arange(count + 1)
        self.credit = float(saved[-1] % 1.0)
        return np.flatnonzero(np.diff(np.floor(saved)))
