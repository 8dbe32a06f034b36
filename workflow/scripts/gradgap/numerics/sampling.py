"""Random numbers drawn from a stream: normal deviates, binomial counts, and waiting times for a success."""

import math

import numpy as np

from .binomial import pmf
from .compiler import inlined, kernel
from .elementary import exp, expm1, log, log1p
from .streams import uniform, uniforms


@kernel
def normals(state, out):
    """Independent draws from the standard normal distribution, two at a time.

    Marsaglia's polar method (SIAM Rev. 6, 1964), with a logarithm that gives the same bits on every machine.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    out : ndarray, shape (n,)
        Filled with the draws.

    Examples
    --------
    >>> import numpy as np
    >>> from gradgap.numerics import streams
    >>> out = np.empty(10_000)
    >>> normals(streams.state(1, {}), out)
    >>> abs(out.mean()) < 0.04, abs(out.std() - 1) < 0.03
    (np.True_, np.True_)
    """
    for i in range(0, out.size, 2):
        while True:
            u = 2.0 * uniform(state) - 1.0
            v = 2.0 * uniform(state) - 1.0
            square = u * u + v * v
            if 0.0 < square < 1.0:
                break
        scale = math.sqrt(-2.0 * log(square) / square)
        out[i] = scale * u
        if i + 1 < out.size:
            out[i + 1] = scale * v


#: Up to this many trials are counted one by one.
_COUNT_UP_TO = 8


#: Below this mean a count is found by walking up from zero, above it by rejection.
_WALK_BELOW = 10.0


@kernel
def _count(state, n, p):
    """Bin(n, p) by its definition: the number of successes in n trials."""
    found = 0
    for _ in range(n):
        if uniform(state) < p:
            found += 1
    return found


@kernel
def _walk(state, n, p, q):
    """Bin(n, p) by inversion: the smallest k whose distribution function exceeds a uniform number."""
    rest = uniform(state)
    if rest < 0.999999 - n * p:
        return 0  # (1 − p)ⁿ ≥ 1 − np, and need not be known
    odds = p / q
    none = exp(n * log1p(-p))
    while True:
        mass = none
        for k in range(n + 1):
            rest -= mass
            if rest < 0.0:
                return k
            mass *= (n - k) * odds / (k + 1)
        # only by rounding does a uniform number lie above the whole sum: draw again
        rest = uniform(state)


#: Up to this variance a probability over the highest one is found as a product, which then has few factors.
_PRODUCT_UP_TO = 150.0


@kernel
def _hat(n, p, q):
    """The constants that `_reject` needs, computed once for all draws from one distribution."""
    variance = n * p * q
    deviation = math.sqrt(variance)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    highest = 0.0 if variance <= _PRODUCT_UP_TO else pmf(int((n + 1) * p), n, p, q)
    return a, b, n * p + 0.5, 0.92 - 4.2 / b, (2.83 + 5.1 / b) * deviation, highest


@kernel
def _over_highest(k, n, p, q, highest):
    """P(S = k) over the probability of the mode, which is `highest`; where that is 0, as a product."""
    if highest > 0.0:
        return pmf(k, n, p, q) / highest
    mode = int((n + 1) * p)
    ratio = 1.0
    if k > mode:
        odds = p / q
        for j in range(mode + 1, k + 1):
            ratio *= (n - j + 1) * odds / j
    else:
        odds = q / p
        for j in range(k + 1, mode + 1):
            ratio *= j * odds / (n - j + 1)
    return ratio


@inlined
def _reject(state, n, p, q, hat):
    """Bin(n, p) with n·p ≥ 10 and p ≤ ½ by transformed rejection. The cost does not grow with n.

    Hörmann's BTRS (J. Stat. Comput. Simul. 46, 1993): a ratio of uniform numbers is transformed so that almost all
    proposals are accepted. Most fall into a rectangle that is known to lie below the probabilities; only the others
    are compared with the probabilities themselves.
    """
    a, b, centre, sure, scale, highest = hat
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        edge = 0.5 - abs(u)
        if edge == 0.0:
            continue
        x = math.floor((2.0 * a / edge + b) * u + centre)
        if x < 0.0 or x > n:
            continue
        k = int(x)
        if edge >= 0.07 and v <= sure:
            return k
        if v * scale <= _over_highest(k, n, p, q, highest) * (a / (edge * edge) + b):
            return k


@kernel
def _below_half(state, n, p, q):
    """Bin(n, p) with p ≤ ½."""
    if p == 0.0:
        return 0
    if n <= _COUNT_UP_TO:
        return _count(state, n, p)
    if n * p < _WALK_BELOW:
        return _walk(state, n, p, q)
    return _reject(state, n, p, q, _hat(n, p, q))


@kernel
def binomial(state, n, p, q):
    """A random count S ~ Bin(n, p). The cost does not grow with n.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    n : int
        Number of trials, 0 or more.
    p, q : float
        Probability of a one and of a zero. Both are given, because 1 − p would lose digits where p is near 1.

    Returns
    -------
    int

    Examples
    --------
    >>> from gradgap.numerics import streams
    >>> 0 <= binomial(streams.state(1, {}), 10, 0.3, 0.7) <= 10
    True
    """
    if p > q:
        return n - _below_half(state, n, q, p)
    return _below_half(state, n, p, q)


@kernel
def some(state, n, p, log_none):
    """A random count S ~ Bin(n, p), conditional on S ≥ 1.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    n : int
        Number of trials, 1 or more.
    p : float
        Probability of a one, above 0.
    log_none : float
        Logarithm of the probability that there is none, n log(1 − p).

    Returns
    -------
    int

    Examples
    --------
    >>> from gradgap.numerics import streams
    >>> some(streams.state(1, {}), 10, 1e-9, -1e-8)
    1
    """
    if n * p > 1.0:
        while True:
            found = binomial(state, n, p, 1.0 - p)
            if found > 0:
                return found
    odds = p / (1.0 - p)
    while (
        True
    ):  # by inversion, from 1 upward; again where rounding leaves the uniform number above the whole sum
        rest = uniform(state) * -expm1(log_none)
        mass = n * odds * exp(log_none)
        for k in range(1, n + 1):
            rest -= mass
            if rest < 0.0:
                return k
            mass *= (n - k) * odds / (k + 1)


@kernel
def failures_before_success(state, log_failure, most):
    """How many of independent trials fail before the first that succeeds, at most `most`.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    log_failure : float
        Logarithm of the probability that a trial fails, below 0.
    most : int
        Returned where so many trials or more fail.

    Returns
    -------
    int

    Examples
    --------
    >>> import math
    >>> from gradgap.numerics import streams
    >>> failures_before_success(streams.state(1, {}), math.log(0.5), 0)
    0
    """
    failures = log(1.0 - uniform(state)) / log_failure
    return int(failures) if failures < most else most


#: With more draws than this, per standard deviation of the count, making a table first is faster.
_TABLE_FROM = 4.0


@kernel
def _reach(n, p, q):
    """How far from its mode a count may lie: fewer than one draw in 2⁵³ lies farther."""
    return int(9.0 * math.sqrt(n * p * q)) + 40


def table_size(n: int) -> int:
    """How many numbers of workspace `binomials` needs for counts of up to n trials.

    Examples
    --------
    >>> table_size(100) < table_size(10_000)
    True
    """
    return 2 * (2 * _reach(n, 0.5, 0.5) + 1)


@kernel
def _tabulate(n, p, q, table):
    """Write the distribution function of Bin(n, p) into a table, followed by an index into it.

    Entry i of the index is the position of the first value of the function above i / size, where a search starts.

    Returns
    -------
    first, size : int
        The count of the first entry, and the number of entries.
    """
    odds = p / q
    mode = int((n + 1) * p)
    first = mode
    lowest = max(0, mode - _reach(n, p, q))
    table[mode - lowest] = 1.0
    term = 1.0
    while first > lowest and term > 1e-18:
        term *= first / ((n - first + 1) * odds)
        first -= 1
        table[first - lowest] = term
    last = mode
    highest = min(n, mode + _reach(n, p, q))
    term = 1.0
    while last < highest and term > 1e-18:
        term *= (n - last) * odds / (last + 1)
        last += 1
        table[last - lowest] = term
    size = last - first + 1
    total = 0.0
    for i in range(size):
        total += table[first - lowest + i]
        table[i] = total
    below = 0
    for i in range(size):
        table[i] /= total
        while below < size and below < table[i] * size:
            table[size + below] = i
            below += 1
    return first, size


@kernel
def _unsigned(x):
    """The whole part of a number, 0 or more, as an index that numba need not check for being negative."""
    return np.uint64(np.int64(x))


@kernel
def binomials(state, n, p, q, draws, table, out):
    """Many independent counts S ~ Bin(n, p), by the method that is fastest for so many.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    n, p, q
        As for `binomial`.
    draws : int
        How many.
    table : ndarray, shape (table_size(n),)
        Workspace.
    out : ndarray
        Its first `draws` entries are filled with the counts.

    Examples
    --------
    >>> import numpy as np
    >>> from gradgap.numerics import streams
    >>> out = np.empty(1000)
    >>> binomials(streams.state(1, {}), 100, 0.3, 0.7, 1000, np.empty(table_size(100)), out)
    >>> abs(out.mean() - 30) < 1
    np.True_
    """
    if draws == 0:
        return
    if p > q:
        binomials(state, n, q, p, draws, table, out)
        for i in range(draws):
            out[i] = n - out[i]
        return
    mean = n * p
    if draws > _TABLE_FROM * (1.0 + math.sqrt(mean * q)):
        first, size = _tabulate(n, p, q, table)
        uniforms(state, draws, out)
        for i in range(draws):
            u = out[i]
            k = _unsigned(table[_unsigned(size + int(u * size))])
            while table[k] <= u:
                k += np.uint64(1)
            out[i] = first + np.int64(k)
    elif mean < _WALK_BELOW:
        for i in range(draws):
            out[i] = binomial(state, n, p, q)
    else:
        hat = _hat(n, p, q)
        for i in range(draws):
            out[i] = _reject(state, n, p, q, hat)
