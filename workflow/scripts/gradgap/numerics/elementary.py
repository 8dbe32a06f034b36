"""Elementary functions with the same bits on every machine.

With the functions of a C library, or the sums of a linear algebra library, the last bits of a result depend on the
processor. The functions here use only + − × ÷, square roots and whole numbers. IEEE 754 defines these operations to
the last bit, and the compiler neither fuses nor reorders them. So a result is the same wherever it is computed.

`exp`, `log`, `log1p`, `expm1`, `log10`, `exp10`, `log_factorial`, `sine` and `cosine` are within 1 unit in the last
place of the true value over their whole range, and `normal_cdf` within 8. Their main path has no branch, so that
loops over arrays can be vectorised. The method is that of Tang (ACM Trans. Math. Softw. 15, 1989, and 16, 1990): the
argument is reduced to the neighbourhood of one of 128 tabulated points, where a short polynomial is enough.

>>> exp(1.0), log(10.0), expm1(1e-20), exp10(-3.0)
(2.718281828459045, 2.302585092994046, 1e-20, 0.001)
"""

import decimal
import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from .compiler import kernel

#: Tabulated points between 1 and 2.
_POINTS = 128
#: Adding 1.5·2⁵² to a number below 2⁵¹ rounds it to a whole one, and leaves that in the last bits.
_SHIFT = 6755399441055744.0
_SHIFT_BITS = int(np.float64(_SHIFT).view(np.int64))
#: Bits of 11/16, where the tabulated points of the logarithm begin, and what clears the last 21 bits.
_FIRST_BITS = int(np.float64(0.6875).view(np.int64))
_UPPER = -(2**21)
#: Smallest normal number, and 2⁵⁴, which makes a smaller one normal.
_NORMAL, _LIFT = 2.2250738585072014e-308, 18014398509481984.0
_NORMAL_BITS, _INFINITY_BITS = 1 << 52, 0x7FF << 52
#: exp overflows above the first and is 0 below the second.
_LARGEST, _SMALLEST = 709.782712893384, -745.1332191019412


def _split(value: Decimal, bits: int) -> tuple[float, float]:
    """A number as a multiple of 2^−bits, whose products with small whole numbers are exact, and the rest."""
    high = float(round(value * (1 << bits))) / (1 << bits)
    return high, float(value - Decimal(high))


def _tables() -> dict:
    """All constants, correctly rounded. They are computed with 50 decimal digits, without any library."""
    with decimal.localcontext(decimal.Context(prec=50)):
        log_two, log_ten = Decimal(2).ln(), Decimal(10).ln()
        pi = Decimal("3.14159265358979323846264338327950288419716939937511")
        power, power_rest = np.empty((2, _POINTS))
        for i in range(_POINTS):
            exact = (log_two * i / _POINTS).exp()
            power[i] = float(exact)
            power_rest[i] = float(exact / Decimal(power[i]) - 1)
        inverse, log_high, log_low = np.empty((3, _POINTS))
        edges = (_FIRST_BITS + (np.arange(_POINTS + 1) << 45)).view(np.float64)
        for i in range(_POINTS):
            inverse[i] = round(2048 / (edges[i] + edges[i + 1])) / 1024
            if 1.0 in edges[i : i + 2]:
                inverse[i] = (
                    1.0  # next to 1 the argument is reduced exactly, and the logarithm is the polynomial
                )
            log_high[i], log_low[i] = _split(-Decimal(inverse[i]).ln(), 42)
        factorial, stirling = np.zeros((2, 32))
        exact = Decimal(0)
        for n in range(1, 32):
            exact += Decimal(n).ln()
            factorial[n] = float(exact)
            stirling[n] = float(exact - (2 * pi * n).ln() / 2 - n * Decimal(n).ln() + n)
        return {
            "power": power.view(np.int64),
            "power_rest": power_rest,
            "inverse": inverse,
            "log_high": log_high,
            "log_low": log_low,
            "factorial": factorial,
            "stirling": stirling,
            "log_two": _split(log_two, 42),
            "step": _split(log_two / _POINTS, 42),
            "ten_step": _split(log_two / log_ten / _POINTS, 42),
            "log_ten": float(log_ten),
            "per_log_ten": _split(1 / log_ten, 27),
            "half_log_two_pi": float((2 * pi).ln() / 2),
            "degree": _split(pi / 180, 31),
        }


_FOUND = _tables()
_POWER, _POWER_REST = _FOUND["power"], _FOUND["power_rest"]
_INVERSE, _LOG_HIGH, _LOG_LOW = _FOUND["inverse"], _FOUND["log_high"], _FOUND["log_low"]
_FACTORIAL = _FOUND["factorial"]
_LOG_TWO_HIGH, _LOG_TWO_LOW = _FOUND["log_two"]
_STEP_HIGH, _STEP_LOW = _FOUND["step"]
_STEPS = 1 / _STEP_HIGH
_TEN_STEP_HIGH, _TEN_STEP_LOW = _FOUND["ten_step"]
_TEN_STEPS = 1 / _TEN_STEP_HIGH
_LOG_TEN = _FOUND["log_ten"]
_PER_LOG_TEN_HIGH, _PER_LOG_TEN_LOW = _FOUND["per_log_ten"]
_HALF_LOG_TWO_PI = _FOUND["half_log_two_pi"]
_DEGREE_HIGH, _DEGREE_LOW = _FOUND["degree"]


@kernel
def _stirling_series(n):
    """`stirling_error` to full accuracy from n = 32 on."""
    v = 1.0 / (n * n)
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - v / 1188) * v) * v) * v) / n


#: The series costs four divisions, a look-up none.
_STIRLING = np.append(
    _FOUND["stirling"], _stirling_series.py_func(np.arange(len(_FOUND["stirling"]), 1024.0))
)


@kernel
def _power(steps, r):
    """2^(steps/128) · exp(r) for |r| ≤ log(2)/256, the power of two in two factors: it may be 2¹⁰²⁴."""
    i = steps & 127
    exponent = steps >> 7
    half = exponent >> 1
    scale = np.int64(_POWER[i] + (half << 52)).view(np.float64)
    rest = np.int64((exponent - half + 1023) << 52).view(np.float64)
    square = r * r
    less_one = (
        (_POWER_REST[i] + r) + square * (0.5 + r * (1 / 6)) + (square * square) * (1 / 24 + r * (1 / 120))
    )
    return (scale + scale * less_one) * rest


@kernel
def exp(x):
    """e^x.

    Parameters
    ----------
    x : float
        Any number; infinities and nan too.

    Returns
    -------
    float

    Examples
    --------
    >>> exp(0.0), exp(1.0)
    (1.0, 2.718281828459045)
    """
    shifted = x * _STEPS + _SHIFT
    whole = shifted - _SHIFT
    r = (x - whole * _STEP_HIGH) - whole * _STEP_LOW
    y = _power(np.float64(shifted).view(np.int64) - _SHIFT_BITS, r)
    if x > _LARGEST:
        y = np.inf
    if x < _SMALLEST:
        y = 0.0
    return y


@kernel
def exp10(x):
    """10^x. A whole power of ten is exact wherever it is a float.

    Parameters
    ----------
    x : float
        Any number; infinities and nan too.

    Returns
    -------
    float

    Examples
    --------
    >>> exp10(2.0), exp10(-3.0)
    (100.0, 0.001)
    """
    shifted = x * _TEN_STEPS + _SHIFT
    whole = shifted - _SHIFT
    r = ((x - whole * _TEN_STEP_HIGH) - whole * _TEN_STEP_LOW) * _LOG_TEN
    y = _power(np.float64(shifted).view(np.int64) - _SHIFT_BITS, r)
    if x > 308.25471555991674:
        y = np.inf
    if x < -323.6072453387798:
        y = 0.0
    return y


@kernel
def expm1(x):
    """e^x − 1, to full relative accuracy where x is near 0.

    Parameters
    ----------
    x : float
        Any number; infinities and nan too.

    Returns
    -------
    float

    Examples
    --------
    >>> expm1(1e-20), exp(1e-20) - 1
    (1e-20, 0.0)
    """
    if abs(x) < 0.0625:
        square = x * x
        near = (1 / 24 + x * (1 / 120)) + square * (
            (1 / 720 + x * (1 / 5040)) + square * (1 / 40320 + x * (1 / 362880))
        )
        y = x + (0.5 * square + square * x * (1 / 6 + x * near))
        return y if x != 0.0 else x  # which may be −0
    shifted = x * _STEPS + _SHIFT
    whole = shifted - _SHIFT
    steps = np.float64(shifted).view(np.int64) - _SHIFT_BITS
    r = (x - whole * _STEP_HIGH) - whole * _STEP_LOW
    i = steps & 127
    exponent = steps >> 7
    last = 1 if exponent > 1023 else 0  # 2¹⁰²⁴ is no float
    scale = np.int64(_POWER[i] + ((exponent - last) << 52)).view(np.float64)
    rest = 2.0 if exponent > 1023 else 1.0
    one = 0.5 if exponent > 1023 else 1.0
    square = r * r
    less_one = (
        (_POWER_REST[i] + r) + square * (0.5 + r * (1 / 6)) + (square * square) * (1 / 24 + r * (1 / 120))
    )
    difference = scale - one
    lost = (scale - difference) - one if scale > one else scale - (difference + one)
    y = (difference + (lost + scale * less_one)) * rest
    if x > _LARGEST:
        y = np.inf
    if x < -40.0:
        y = -1.0
    return y


@kernel
def _log_parts(bits, correction):
    """What log of z + correction is made of, z the positive normal number with these bits.

    Parameters
    ----------
    bits : int
    correction : float
        Far below z, and scaled as z to about 1.

    Returns
    -------
    exponent : float
        z = 2^exponent · (1 + r) / inverse[i].
    i : int
    r_upper, r_rest, r : float
        r and its two parts. The first part, and its sum with exponent · log 2 and log_high[i], are exact.
    """
    offset = bits - _FIRST_BITS
    i = (offset >> 45) & 127
    exponent = offset >> 52
    bits -= exponent << 52
    z = np.int64(bits).view(np.float64)
    upper = np.int64((bits + 0x100000) & _UPPER).view(np.float64)
    inverse = _INVERSE[i]
    r_upper = upper * inverse - 1.0  # exact: 32 bits times 11
    r_rest = ((z - upper) + correction) * inverse
    r = r_upper + r_rest
    whole = float(exponent)
    return whole, i, r_upper, r_rest, r


@kernel
def _log_tail(r):
    """log(1 + r) − r for −0.0045 < r < 0.0081; the polynomial nearest to it there, to 2⁻⁵⁸ of r."""
    square = r * r
    return square * (
        (-0.49999999999999994 + r * 0.33333333333311166)
        + square
        * (
            (-0.2500000000191053 + r * 0.2000000375291173)
            + square * (-0.16666767122773107 + r * 0.1414980160534935)
        )
    )


@kernel
def _log_pair(bits, halvings):
    """log(z / 2^halvings), z the number with these bits, as the sum of a number and a much smaller one: 66 bits."""
    whole, i, r_upper, r_rest, r = _log_parts(bits, 0.0)
    whole -= halvings
    start = whole * _LOG_TWO_HIGH + _LOG_HIGH[i]
    if start == 0.0:
        return r, _log_tail(r)  # next to 1, where r is exact
    return start + r_upper, (r_rest + (whole * _LOG_TWO_LOW + _LOG_LOW[i])) + _log_tail(r)


@kernel
def log(x):
    """Natural logarithm.

    Parameters
    ----------
    x : float
        Any number: nan below 0, minus infinity at ±0.

    Returns
    -------
    float

    Examples
    --------
    >>> log(1.0), log(0.0)
    (0.0, -inf)
    """
    bits = np.float64(x).view(np.int64)
    halvings = 0.0
    if not 0 <= bits - _NORMAL_BITS < _INFINITY_BITS - _NORMAL_BITS:
        if x == 0.0:
            return -np.inf
        if x < 0.0:
            return np.nan
        if not x < np.inf:
            return x
        bits = np.float64(x * _LIFT).view(np.int64)
        halvings = 54.0
    whole, i, r_upper, r_rest, r = _log_parts(bits, 0.0)
    whole -= halvings
    rest = r_rest + (whole * _LOG_TWO_LOW + _LOG_LOW[i])
    return ((whole * _LOG_TWO_HIGH + _LOG_HIGH[i]) + r_upper) + (rest + _log_tail(r))


@kernel
def log10(x):
    """Logarithm to the base 10. That of a whole power of ten is exact.

    Parameters
    ----------
    x : float
        Any number: nan below 0, minus infinity at ±0.

    Returns
    -------
    float

    Examples
    --------
    >>> log10(1000.0)
    3.0
    """
    small = x < _NORMAL
    high, low = _log_pair(np.float64(x * _LIFT if small else x).view(np.int64), 54.0 if small else 0.0)
    total = high + low
    low = (high - total) + low
    upper = np.int64((np.float64(total).view(np.int64) + 0x2000000) & -0x4000000).view(np.float64)  # 27 bits
    y = upper * _PER_LOG_TEN_HIGH + (
        ((total - upper) + low) * _PER_LOG_TEN_HIGH + (total + low) * _PER_LOG_TEN_LOW
    )
    if not x < np.inf:
        y = x
    if x == 0.0:
        y = -np.inf
    if x < 0.0:
        y = np.nan
    return y


@kernel
def log1p(x):
    """log(1 + x), to full relative accuracy where x is near 0.

    Parameters
    ----------
    x : float
        Any number: nan below −1, minus infinity at −1.

    Returns
    -------
    float

    Examples
    --------
    >>> log1p(1e-20), log(1 + 1e-20)
    (1e-20, 0.0)
    """
    one_more = 1.0 + x
    near = one_more - 1.0
    lost = (1.0 - (one_more - near)) + (x - near)  # 1 + x = one_more + lost, exactly
    bits = np.float64(one_more).view(np.int64)
    exponent = min((bits - _FIRST_BITS) >> 52, 1022)  # beyond, what was lost is nothing
    scale = np.int64((1023 - exponent) << 52).view(np.float64)
    whole, i, r_upper, r_rest, r = _log_parts(bits, lost * scale)
    start = whole * _LOG_TWO_HIGH + _LOG_HIGH[i]
    rest = whole * _LOG_TWO_LOW + _LOG_LOW[i]
    next_to_one = start == 0.0
    r = x if next_to_one else r
    high = x if next_to_one else start + r_upper
    low = -0.0 if next_to_one else r_rest + rest  # log1p(−0) is −0
    y = high + (low + _log_tail(r))
    if not x < np.inf:
        y = x
    if x == -1.0:
        y = -np.inf
    if x < -1.0:
        y = np.nan
    return y


@kernel
def log_factorial(n):
    """log n!

    Parameters
    ----------
    n : float
        A whole number, 0 or more; nan below.

    Returns
    -------
    float

    Examples
    --------
    >>> abs(log_factorial(5.0) - log(120.0)) < 1e-15
    True
    """
    if n < 0.0:
        return np.nan
    if n < 32.0:
        return _FACTORIAL[int(n)]
    if not n < 1e300:
        return np.inf if n > 0.0 else n
    high, low = _log_pair(np.float64(n).view(np.int64), 0.0)
    less = high - 1.0  # (n + ½)(log n − 1) + ½ + ½ log 2π + …: what cancels is taken away before the product
    low += (high - less) - 1.0
    total = less + low
    low += less - total
    factor = n + 0.5
    upper = np.int64(np.float64(total).view(np.int64) & -0x8000000).view(np.float64)
    first = np.int64(np.float64(factor).view(np.int64) & -0x8000000).view(np.float64)
    product = factor * total
    lost = ((first * upper - product) + first * (total - upper)) + (factor - first) * upper
    lost += (factor - first) * (total - upper)
    return product + ((stirling_error(n) + (0.5 + _HALF_LOG_TWO_PI)) + (lost + factor * low))


@kernel
def stirling_error(n):
    """log n! − log(√(2πn) (n/e)ⁿ): what Stirling's formula leaves out.

    Parameters
    ----------
    n : float
        A whole number, 1 or more.

    Returns
    -------
    float
        To 1e-15 relative.

    Examples
    --------
    >>> n = 10.0
    >>> formula = n * log(n) - n + log(2 * math.pi * n) / 2
    >>> abs(log_factorial(n) - formula - stirling_error(n)) < 1e-12
    True
    """
    if n < _STIRLING.size:
        return _STIRLING[int(n)]
    return _stirling_series(n)


@kernel
def _turned(degrees):
    """Degrees as quarter turns and the rest, which is at most 45 degrees and returned in radians, as a sum of two."""
    quarters = np.floor(degrees / 90.0 + 0.5)
    rest = degrees - 90.0 * quarters
    upper = np.int64(np.float64(rest).view(np.int64) & -0x10000000).view(np.float64)
    high = upper * _DEGREE_HIGH
    low = (rest - upper) * _DEGREE_HIGH + rest * _DEGREE_LOW
    total = high + low
    return int(quarters - 4.0 * np.floor(quarters / 4.0)), total, (high - total) + low


@kernel
def _sine(r, low):
    v = r * r
    tail = 1 / 362880 - v * (
        1 / 39916800 - v * (1 / 6227020800 - v * (1 / 1307674368000 - v * (1 / 355687428096000)))
    )
    tail = v * (-1 / 6 + v * (1 / 120 - v * (1 / 5040 - v * tail)))
    return r + (low * (1.0 - 0.5 * v) + r * tail)


@kernel
def _cosine(r, low):
    v = r * r
    tail = 1 / 3628800 - v * (1 / 479001600 - v * (1 / 87178291200 - v * (1 / 20922789888000)))
    tail = v * v * (1 / 24 - v * (1 / 720 - v * (1 / 40320 - v * tail)))
    half = 0.5 * v
    first = 1.0 - half
    return first + (((1.0 - first) - half) + (tail - r * low))


@kernel
def sine(degrees):
    """Sine of an angle in degrees.

    Parameters
    ----------
    degrees : float
        Up to 2⁴⁰ in size.

    Returns
    -------
    float

    Examples
    --------
    >>> round(sine(30.0), 15)
    0.5
    """
    quarter, r, low = _turned(degrees)
    size = _cosine(r, low) if quarter % 2 == 1 else _sine(r, low)
    return 0.0 - size if quarter >= 2 else size


@kernel
def cosine(degrees):
    """Cosine of an angle in degrees: exactly 0 at a right angle.

    Parameters
    ----------
    degrees : float
        Up to 2⁴⁰ in size.

    Returns
    -------
    float

    Examples
    --------
    >>> cosine(90.0)
    0.0
    """
    quarter, r, low = _turned(degrees)
    size = _sine(r, low) if quarter % 2 == 1 else _cosine(r, low)
    return 0.0 - size if quarter in (1, 2) else size


#: (y + 5) P(Z > y) / exp(−y²/2) as a polynomial in t = (y − 5)/(y + 5), from Chebyshev points on 0 ≤ y ≤ ∞.
_TAIL = np.array(
    [
        0.769193049750063,
        -0.665382502890057,
        0.4953056159699761,
        -0.3135331566712811,
        0.16502036617040705,
        -0.0691186387070788,
        0.02079506679927978,
        -0.0029933767588929696,
        -0.0007978693896214666,
        0.0005448989678067301,
        -5.937580520734689e-05,
        -4.976232562740196e-05,
        1.6681634711293694e-05,
        3.979355531855443e-06,
        -2.770734796050303e-06,
        -3.3353249867432987e-07,
        4.364151268952791e-07,
        3.856007040219001e-08,
        -7.048962494230879e-08,
        -6.932887246302887e-09,
        1.1312676436572751e-08,
        1.2682007125726964e-09,
        -1.5616328191231981e-09,
        -1.3257025388451077e-10,
        1.293585043172264e-10,
    ]
)


@kernel
def normal_cdf(x):
    """P(Z ≤ x) for Z ~ N(0, 1), to full relative accuracy in the lower tail.

    Parameters
    ----------
    x : float
        Any number; infinities and nan too.

    Returns
    -------
    float

    Examples
    --------
    >>> normal_cdf(0.0), round(normal_cdf(-1.96), 5)
    (0.5, 0.025)
    """
    if x > 8.3:
        return 1.0
    if x < -38.6:
        return 0.0
    y = abs(x)
    t = (y - 5.0) / (y + 5.0)
    total = 0.0
    for i in range(_TAIL.size - 1, -1, -1):
        total = total * t + _TAIL[i]
    upper = np.int64(np.float64(y).view(np.int64) & -0x10000000).view(np.float64)  # whose square is exact
    tail = exp(-0.5 * upper * upper) * exp(-0.5 * (y - upper) * (y + upper)) * total / (y + 5.0)
    return 1.0 - tail if x > 0.0 else tail


@kernel
def total(x):
    """Sum of the entries of a vector, from the first to the last. All sums here have that order.

    Examples
    --------
    >>> total(np.array([1.0, 2.0, 3.0]))
    6.0
    """
    found = 0.0
    for i in range(x.size):
        found += x[i]
    return found


@kernel
def dot(x, y):
    """⟨x, y⟩ of two vectors.

    Examples
    --------
    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    found = 0.0
    for i in range(x.size):
        found += x[i] * y[i]
    return found


@kernel
def norm(x):
    """Euclidean norm of a vector.

    Examples
    --------
    >>> norm(np.array([3.0, 4.0]))
    5.0
    """
    return math.sqrt(dot(x, x))


def each(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    """Apply a function of one number to every entry of an array.

    Examples
    --------
    >>> each(log10, np.array([1.0, 100.0]))
    array([0., 2.])
    """
    return np.array([function(value) for value in np.ravel(x).tolist()]).reshape(np.shape(x))


@kernel
def times(x, y, out):
    """Fill `out`, of shape (m,), with the product of a matrix `x`, of shape (m, n), and a vector `y`.

    Examples
    --------
    >>> out = np.empty(2)
    >>> times(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([2.0, 3.0]), out)
    >>> out
    array([2., 5.])
    """
    for i in range(out.size):
        out[i] = dot(x[i], y)
