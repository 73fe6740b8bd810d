"""When a list will be met: after the user's usual absence.

A list that answers an event waits for its user, and what is next right now is not what is next then: habits have their
hour, and a session ends. So it is made for the moment at which the user comes again, as far as the past tells: one
median gap between the events of the window later. (A request is answered for its own moment.)
"""

import numpy as np

from stream.kernels import kernel
from stream.windows import Times, WindowView


def usual_gaps_ms(windows: WindowView) -> Times:
    """Median time (B,) between one event and the next in each window, the lower of two; 0 for fewer than two events."""
    gaps: Times = _medians(windows.times_ms, windows.lengths)
    return gaps


@kernel
def _medians(times_ms, lengths):
    medians = np.zeros(len(lengths), np.int64)
    for b in range(len(lengths)):
        gaps = lengths[b] - 1
        if gaps > 0:
            between = np.sort(times_ms[b, :gaps] - times_ms[b, 1 : gaps + 1])
            medians[b] = between[(gaps - 1) // 2]
    return medians
