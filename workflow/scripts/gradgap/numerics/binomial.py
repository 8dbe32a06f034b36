"""Binomial probabilities, to full relative accuracy in both tails.

Every response of the exact families is summarised by a count S ~ Bin(n, p) with p = σ(θ), and is right when S
lies in the window |S − n/2| ≤ B. All sums run over positive terms only, outward from the largest, so the success
and the failure rate are each computed directly and nothing cancels. A sum stops where its terms no longer
count, O(√n) terms at most; a long tail is a continued fraction instead, whose cost hardly grows with n.
"""

import math

from .compiler import kernel

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
#: Terms below this share of the sum are left out: the rest of the tail is then far below one rounding.
_NEGLIGIBLE = 1e-19


@kernel
def _stirling_error(n):
    """log n! − log(√(2πn) (n/e)ⁿ): what Stirling's formula leaves out."""
    if n < 16.0:
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - _HALF_LOG_2PI
    v = 1.0 / (n * n)
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - v / 1188) * v) * v) * v) / n


@kernel
def _deviance(k, mean):
    """k log(k/mean) + mean − k, without cancellation where k is near the mean."""
    if abs(k - mean) < 0.1 * (k + mean):
        v = (k - mean) / (k + mean)
        total = (k - mean) * v
        term = 2.0 * k * v
        for j in range(1, 1000):
            term *= v * v
            previous = total
            total += term / (2 * j + 1)
            if total == previous:
                break
        return total
    return k * math.log(k / mean) + mean - k


@kernel
def pmf(k, n, p, q):
    """P(S = k) for S ~ Bin(n, p).

    Loader's saddle-point form: the exponent is a sum of small terms, so the relative error stays near 1e-12 even
    for n = 10⁶ and probabilities near the smallest number that can be represented.

    Parameters
    ----------
    k, n : int
        Count and number of trials, 0 ≤ k ≤ n.
    p, q : float
        Probability of a one and of a zero, each exact to rounding (q is not taken as 1 − p).
    """
    if p == 0.0:
        return 1.0 if k == 0 else 0.0
    if q == 0.0:
        return 1.0 if k == n else 0.0
    if k == 0:
        return math.exp(n * (math.log1p(-p) if p < 0.5 else math.log(q)))
    if k == n:
        return math.exp(n * (math.log1p(-q) if q < 0.5 else math.log(p)))
    x, m = float(k), float(n)
    exponent = (
        _stirling_error(m)
        - _stirling_error(x)
        - _stirling_error(m - x)
        - _deviance(x, m * p)
        - _deviance(m - x, m * q)
    )
    return math.sqrt(m / (2 * math.pi * x * (m - x))) * math.exp(exponent)


@kernel
def _sum_down(k, stop, n, odds):
    """Σ_{stop ≤ j ≤ k} f(j) / f(k), for terms that fall as j falls from k."""
    term = 1.0
    total = 1.0
    for j in range(k, stop, -1):
        term *= j / ((n - j + 1) * odds)
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return total


@kernel
def _sum_up(k, stop, n, odds):
    """Σ_{k ≤ j ≤ stop} f(j) / f(k), for terms that fall as j grows from k."""
    term = 1.0
    total = 1.0
    for j in range(k, stop):
        term *= (n - j) * odds / (j + 1)
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return total


@kernel
def _fraction(a, b, excess, p, q):
    """Σ_{j ≥ a} f(j) / f(a) with n = a + b − 1, as a continued fraction.

    The even part of DLMF 8.17.22 for I_p(a, b), brought to a form whose terms are all positive at `excess`
    a − (n+1)p ≥ 0, so that nothing cancels. It takes some 95/z² steps z standard deviations above the mean,
    whatever n is, and at the mean no more than a share of √n.
    """
    scale = 1.0 / (a * math.sqrt(a * b))
    numerator, numerator_before = 1.0, 0.0
    denominator, denominator_before = a * (excess + 1.0) * scale, 1.0
    for m in range(1, 100_000):
        factor = m * (b - m) * p * (a + 2 * m + 1.0) / (a + 2 * m - 1.0) * scale
        partial_numerator = (a + m - 1.0) * (a + b + m - 1.0) * p * scale * factor
        partial_denominator = ((a + m) * (excess + 1.0 + m * (2.0 + q)) + m * (m + 1.0)) * scale + factor
        next_numerator = partial_denominator * numerator + partial_numerator * numerator_before
        next_denominator = partial_denominator * denominator + partial_numerator * denominator_before
        change = next_numerator * denominator - numerator * next_denominator
        numerator_before, numerator = numerator, next_numerator
        denominator_before, denominator = denominator, next_denominator
        if abs(change) <= 1e-17 * numerator * denominator_before:
            break
        if not 1e-100 < denominator < 1e100:
            rescale = 1.0 / denominator
            numerator_before *= rescale
            numerator *= rescale
            denominator_before *= rescale
            denominator = 1.0
    return q * a * (a + 1.0) * scale * numerator / denominator


#: Where a sum would have more terms than this, the continued fraction takes less time.
_MANY = 150.0


@kernel
def _tail(k, n, p, q, odds):
    """Σ_{j ≥ k} f(j) / f(k), for k above the mean."""
    excess = k - (n + 1) * p
    # terms fall like a Gaussian: below one part in 10¹⁹ of the first at a distance d with d² + 2 d·excess = 87 npq
    if excess > 0.0 and math.sqrt(excess * excess + 87.0 * n * p * q) - excess > _MANY:
        return _fraction(float(k), float(n - k + 1), excess, p, q)
    return _sum_up(k, n, n, odds)


@kernel
def window(theta, n, half_width):
    """Success rate of a window and the logarithmic derivatives of success and failure.

    Parameters
    ----------
    theta : float
        Logit of a one.
    n, half_width : int
        Number of tokens n (even) and half-width B of the window, 0 ≤ B < n/2.

    Returns
    -------
    success, failure : float
        P(|S − n/2| ≤ B) and its complement, each computed directly.
    success_slope, failure_slope : float
        d log(success)/dθ and −d log(failure)/dθ, finite even where the rate itself is too small for a float.
        Their sum is the gradient gap, d log(success/failure)/dθ.

    Notes
    -----
    With a = n/2 − B, dJ/dθ = −a q f(a) expm1((2B+1)θ): the closed form of docs/theory.md (C1), with its
    difference of two masses, symmetric about n/2, taken in one piece.
    """
    x = -abs(theta)  # the success rate is even in θ
    odds = math.exp(x)
    p = odds / (1.0 + odds)
    q = 1.0 / (1.0 + odds)
    low = n // 2 - half_width
    high = n // 2 + half_width
    edge = -low * q * math.expm1((2 * half_width + 1) * x)  # dJ/dθ over f(low)
    mode = math.floor((n + 1) * p)
    if mode < low:
        inside = _sum_up(low, high, n, odds)
        mass = pmf(low, n, p, q)
        success = mass * inside
        failure = 1.0 - success
        success_slope = edge / inside
        failure_slope = edge * mass / failure
    else:
        outside = _tail(n - low + 1, n, q, p, 1.0 / odds)  # zeros in place of ones
        outside += math.exp((2 * half_width + 2) * x) * _tail(high + 1, n, p, q, odds)
        mass = pmf(low - 1, n, p, q)
        failure = mass * outside
        failure_slope = edge * odds * (n - low + 1) / (low * outside)
        if failure > 0.5:  # a narrow window: its few terms give the small success rate directly
            inside = _sum_down(mode, low, n, odds) + _sum_up(mode, high, n, odds) - 1.0
            success = pmf(mode, n, p, q) * inside
        else:
            success = 1.0 - failure
        success_slope = failure * failure_slope / success
    if theta > 0.0:
        success_slope = -success_slope
        failure_slope = -failure_slope
    return success, failure, success_slope, failure_slope
