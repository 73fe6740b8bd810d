"""How every compiled inner loop is compiled.

One decorator, so that the rule stands in one place: cached on disk, the interpreter lock released, IEEE arithmetic in
source order (no fast-math) and no parallel reductions, because the same events must give the same bits.
"""

from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
