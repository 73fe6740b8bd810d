"""State on disk. (Interface for now; see the notes.)"""

import numpy as np
import numpy.typing as npt

State = dict[str, npt.NDArray[np.generic]]
"""A component's whole state as named arrays; names are paths with dots."""
