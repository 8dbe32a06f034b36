"""Binomial probabilities, to full relative accuracy in both tails.

In the exact families all that matters of a response is a count S ~ Bin(n, p) with p = σ(θ). The response is right
when S lies in the window |S − n/2| ≤ B. The success rate and the failure rate are each computed directly. Every sum
has positive terms only, so nothing cancels. It starts at the largest term and stops once terms are too small to
matter, after O(√n) terms at most. A long tail is computed as a continued fraction, whose cost hardly grows with n.
"""

import math

from .compiler import inlined, kernel
from .elementary import exp, expm1, log, log1p, stirling_error

#: A sum stops at terms below this share of it. What is left out is then far smaller than a rounding error.
_NEGLIGIBLE = 1e-19


@kernel
def _deviance(k, mean):
    """k log(k/mean) + mean − k. Near the mean a series is used, because the difference would cancel."""
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
    return k * log(k / mean) + mean - k


@kernel
def pmf(k, n, p, q):
    """Binomial probability P(S = k) for S ~ Bin(n, p).

    The relative error stays near 1e-12, even for n = 10⁶ and for probabilities close to the smallest float.

    Parameters
    ----------
    k, n : int
        Count and number of trials, 0 ≤ k ≤ n.
    p, q : float
        Probability of a one and of a zero. Both are given, because 1 − p would lose digits where p is near 1.

    Returns
    -------
    float

    Notes
    -----
    Loader's saddle-point form (C. Loader, *Fast and accurate computation of binomial probabilities*, 2000): the
    exponent is a sum of small terms.

    Examples
    --------
    >>> round(pmf(2, 4, 0.5, 0.5), 12)
    0.375
    """
    if p == 0.0:
        return 1.0 if k == 0 else 0.0
    if q == 0.0:
        return 1.0 if k == n else 0.0
    if k == 0:
        return exp(n * (log1p(-p) if p < 0.5 else log(q)))
    if k == n:
        return exp(n * (log1p(-q) if q < 0.5 else log(p)))
    x, m = float(k), float(n)
    exponent = (
        stirling_error(m)
        - stirling_error(x)
        - stirling_error(m - x)
        - _deviance(x, m * p)
        - _deviance(m - x, m * q)
    )
    return math.sqrt(m / (2 * math.pi * x * (m - x))) * exp(exponent)


@kernel
def _sum_down(k, stop, n, odds):
    """Σ_{stop ≤ j ≤ k} f(j) / f(k), where f falls as j goes down from k."""
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
    """Σ_{k ≤ j ≤ stop} f(j) / f(k), where f falls as j goes up from k."""
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

    It is the even part of DLMF 8.17.22 for I_p(a, b), rewritten so that all terms are positive where `excess`
    a − (n+1)p ≥ 0; then nothing cancels. At z standard deviations above the mean it takes about 95/z² steps for any
    n, and at the mean a fraction of √n steps.
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


#: Sums with more terms than this take longer than the continued fraction.
_MANY = 150.0


@kernel
def _tail(k, n, p, q, odds):
    """Σ_{j ≥ k} f(j) / f(k), for k above the mean."""
    excess = k - (n + 1) * p
    # terms fall like a Gaussian: below one part in 10¹⁹ of the first at a distance d with d² + 2 d·excess = 87 npq
    if excess > 0.0 and math.sqrt(excess * excess + 87.0 * n * p * q) - excess > _MANY:
        return _fraction(float(k), float(n - k + 1), excess, p, q)
    return _sum_up(k, n, n, odds)


@inlined
def window(theta, n, half_width):
    """Success rate of a window, failure rate, and how the logarithm of each changes with θ.

    A response of n tokens, each a one with probability σ(θ), is right if its number S of ones is within
    `half_width` of n/2.

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
        d log(success)/dθ and −d log(failure)/dθ. They stay finite where the rate itself is too small for a float.
        Their sum is the gradient gap, d log(success/failure)/dθ.

    Notes
    -----
    With a = n/2 − B, dJ/dθ = −a q f(a) expm1((2B+1)θ). This is the closed form C1 of docs/theory.md, with the
    difference of its two masses written as one term.

    Examples
    --------
    Four tokens at θ = 0, right with exactly two ones: J = 6/16, and no gradient at the best θ.

    >>> success, failure, up, down = window(0.0, 4, 0)
    >>> round(success, 12), round(failure, 12), abs(up + down)
    (0.375, 0.625, 0.0)
    """
    x = -abs(theta)  # the success rate is even in θ
    odds = exp(x)
    p = odds / (1.0 + odds)
    q = 1.0 / (1.0 + odds)
    low = n // 2 - half_width
    high = n // 2 + half_width
    edge = -low * q * expm1((2 * half_width + 1) * x)  # dJ/dθ over f(low)
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
        outside += exp((2 * half_width + 2) * x) * _tail(high + 1, n, p, q, odds)
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
