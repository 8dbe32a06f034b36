"""Random counts drawn from a stream: binomial numbers, and how long one waits for a success."""

import math

from .binomial import pmf
from .compiler import kernel
from .elementary import exp, expm1, log, log1p
from .streams import uniform


@kernel
def normals(state, out):
    """Independent draws from the standard normal distribution, two at a time.

    By Marsaglia's polar method (SIAM Rev. 6, 1964), with a logarithm that has the same bits everywhere.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    out : ndarray, shape (n,)
        Filled.
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
    """Bin(n, p) as what it is, a number of successes in n trials."""
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
    """Constants of `_reject`, the same for all draws from one distribution."""
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


@kernel
def _reject(state, n, p, q, hat):
    """Bin(n, p) with n·p ≥ 10 and p ≤ ½ by transformed rejection, at a cost that does not grow with n.

    Hörmann's BTRS (J. Stat. Comput. Simul. 46, 1993): a ratio of uniforms is bent so that almost all of it
    lies under the probabilities; most draws fall into a rectangle that lies under them for certain, and the others
    are held against `pmf` itself.
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
    """A count S ~ Bin(n, p), at a cost that does not grow with n.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    n : int
        Number of trials, 0 or more.
    p, q : float
        Probability of a one and of a zero, each exact to rounding (q is not taken as 1 − p).

    Returns
    -------
    int
    """
    if p > q:
        return n - _below_half(state, n, q, p)
    return _below_half(state, n, p, q)


@kernel
def some(state, n, p):
    """A count S ~ Bin(n, p), given that it is not zero.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    n : int
        Number of trials, 1 or more.
    p : float
        Probability of a one, above 0.

    Returns
    -------
    int
    """
    if n * p > 1.0:
        while True:
            found = binomial(state, n, p, 1.0 - p)
            if found > 0:
                return found
    log_none = n * log1p(-p)
    odds = p / (1.0 - p)
    while True:  # by inversion, from one upward
        rest = uniform(state) * -expm1(log_none)
        mass = n * odds * exp(log_none)
        for k in range(1, n + 1):
            rest -= mass
            if rest < 0.0:
                return k
            mass *= (n - k) * odds / (k + 1)


@kernel
def failures_before_success(state, log_failure, most):
    """Failures before the first success of independent trials, `most` where there are that many or more.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    log_failure : float
        Logarithm of the probability that a trial fails, below 0.
    most : int

    Returns
    -------
    int
    """
    failures = log(1.0 - uniform(state)) / log_failure
    return int(failures) if failures < most else most


#: A table pays from this many draws on, per standard deviation of the count.
_TABLE_FROM = 4.0


@kernel
def _reach(n, p, q):
    """How far from its mode a count can lie: outside is less than one part in 2⁵³ of all draws."""
    return int(9.0 * math.sqrt(n * p * q)) + 40


def table_size(n: int) -> int:
    """Numbers of workspace that `binomials` wants for counts of up to n trials."""
    return 2 * (2 * _reach(n, 0.5, 0.5) + 1)


@kernel
def _tabulate(n, p, q, table):
    """Write the distribution function of Bin(n, p) into a table, and behind it a guide to it.

    Entry i of the guide is the first entry of the function that exceeds i / size.

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
def binomials(state, n, p, q, draws, table, out):
    """Many independent counts S ~ Bin(n, p), by whatever costs least for so many.

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
        Its first entries are filled with the counts.
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
        for i in range(draws):
            u = uniform(state)
            k = int(table[size + int(u * size)])
            while table[k] <= u:
                k += 1
            out[i] = first + k
    elif mean < _WALK_BELOW:
        for i in range(draws):
            out[i] = binomial(state, n, p, q)
    else:
        hat = _hat(n, p, q)
        for i in range(draws):
            out[i] = _reject(state, n, p, q, hat)
