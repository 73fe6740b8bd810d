"""How every compiled inner loop is compiled.

One decorator, so that the rule stands in one place: cached on disk, the interpreter lock released, IEEE arithmetic in
source order (no fast-math) and no parallel reductions, because the same events must give the same bits.

Numba forgets what it cached of a file when that file changes, but not when one changes from which the file has taken a
kernel or a number, although both are compiled in: after an upgrade the old code of the one would run beside the new
code of the other. So whatever a file has imported counts as a part of it here.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher

_compile = njit(cache=True, nogil=True, error_model="numpy")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, or take it from the disk where nothing that went into it has changed."""
    assert isinstance(function, FunctionType)
    compiled: Any = _compile(function)
    digest = hashlib.sha256()
    for part in _parts(function):
        digest.update(part)
    compiled.parts = digest.hexdigest().encode()
    cached = compiled._cache._cache_file  # Numba has no public way to say what a cached function depends on
    cached._source_stamp = (*cached._source_stamp, compiled.parts)
    return compiled


def _parts(function: FunctionType) -> list[bytes]:
    """Return what may be compiled into a function: its file, and the kernels and numbers imported there so far."""
    parts = [_content(inspect.getfile(function))]
    for name, value in sorted(function.__globals__.items()):
        if isinstance(value, Dispatcher) and value.py_func.__module__ != function.__module__:
            parts.append(value.parts)  # type: ignore[attr-defined]
        elif isinstance(value, int | float | np.ndarray | np.generic):
            parts.append(name.encode() + np.asarray(value).tobytes())
    return parts


@cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()
