"""Exponentials and logarithms in single precision, in a form that a compiler does several at once of.

The mathematical library computes one value a call, in 10 to 20 ns; a list needs thousands of them. These are straight
arithmetic on the bits of a float, without branches, so that a loop over an array becomes vector instructions: 1 to 3 ns
each. Polynomials from Cephes (S. Moshier, `expf` and `logf`); the relative error stays below 2.5e-7, and the same input
gives the same bits wherever it is compiled. What is not a number stays so.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from stream.kernels import kernel

# Every constant is a float32: one double among them, and the whole expression is computed in doubles.
_HALF, _ONE, _ROOT2 = np.float32(0.5), np.float32(1), np.float32(2**0.5)
_LOG2E = np.float32(np.log2(np.e))
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # high has few bits: its multiples are exact
_LEAST, _MOST = np.float32(-87), np.float32(88)  # e to these is a normal float
_BIAS = np.float32(127)
_ROUNDING = np.float32(1.5 * 2**23 + 127)  # added to t, it leaves round(t) + 127, the bits of 2^t, in the lowest bits
_E5, _E4, _E3, _E2, _E1, _E0 = (
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_L8, _L7, _L6, _L5, _L4, _L3, _L2, _L1, _L0 = (
    np.float32(c)
    for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
_EXPONENT_AT = np.int32(23)
_MANTISSA, _BITS_OF_ONE = np.int32((1 << 23) - 1), np.int32(127 << 23)


@kernel
def exp32(x):
    """``e^x``, x a float32; below -87 and above 88 it stays at what it is there."""
    x = _LEAST if x < _LEAST else x
    x = _MOST if x > _MOST else x
    shifted = x * _LOG2E + _ROUNDING
    n = shifted - _ROUNDING
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    y = ((((_E5 * r + _E4) * r + _E3) * r + _E2) * r + _E1) * r + _E0
    power = _float_of(np.int32(_bits_of(shifted) << _EXPONENT_AT))
    return (y * r * r + r + _ONE) * power


@kernel
def log32(x):
    """``log x``, x a float32 that is positive, not subnormal and finite."""
    bits = _bits_of(x)
    exponent = np.float32(np.int32(bits >> _EXPONENT_AT)) - _BIAS
    m = _float_of(np.int32((bits & _MANTISSA) | _BITS_OF_ONE))  # in [1, 2)
    large = m > _ROOT2
    exponent = exponent + _ONE if large else exponent
    m = (m * _HALF if large else m) - _ONE
    z = m * m
    y = (((((((_L8 * m + _L7) * m + _L6) * m + _L5) * m + _L4) * m + _L3) * m + _L2) * m + _L1) * m + _L0
    y = y * m * z + exponent * _LN2_LOW - _HALF * z
    return y + m + exponent * _LN2_HIGH


@kernel
def log1p32(x):
    """``log(1 + x)``, x a float32 of 0 or more, finite; exact also where x is tiny."""
    more = _ONE + x
    return log32(more) + (x - (more - _ONE)) / more


@kernel
def exp_all(values):
    """`exp32` of every entry of a contiguous array, in place."""
    flat = values.reshape(-1)
    for n in range(len(flat)):
        flat[n] = exp32(flat[n])


@kernel
def log1p_all(values):
    """`log1p32` of every entry of a contiguous array, in place."""
    flat = values.reshape(-1)
    for n in range(len(flat)):
        flat[n] = log1p32(flat[n])


def _bitcast(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


def _int_of_float(_typing: Any, _x: Any) -> Any:
    return types.int32(types.float32), _bitcast


def _float_of_int(_typing: Any, _bits: Any) -> Any:
    return types.float32(types.int32), _bitcast


_bits_of: Any = intrinsic(_int_of_float)
"""The bits of a float32, as an int32."""

_float_of: Any = intrinsic(_float_of_int)
"""The float32 of these bits."""
