"""What sampling makes of the critical learning rate on `gated`; derivation in docs/theory_groups.md.

In units of the spread of a long response's count, x = √N θ/2 is its mean, Z ~ N(x, 1) the count, and it fails where
|Z| > b. Where failures are rare a lone response makes the whole update, x moves by λ(Z − x), and noise throws the
policy out of its optimum; where they are many the expected update does. Each limit has its own threshold, and
mean-square stability says how the two combine in between.
"""

import functools
import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from ..bandits import Instance
from ..training import rules
from ..training.rules import ADVANTAGES
from ..training.sampled import FAILURES

#: Spacing of the nodes in |x|, and how many of them a value between is interpolated from. Measured error of the share
#: kept: some 1e-6 here, 2e-4 at three times the spacing. It falls slower than smoothness alone would have it, because
#: a kick away from the edge of the window stretches whatever detail the function has there.
_SPACING, _NODES = 0.15, 8
#: Nodes of the quadrature over each stretch of Z that does not cross the window's edge, and where the stretches end.
_QUADRATURE, _TAIL = 48, 9.0


def long_failure_rate(x, window: float):
    """q(x) = P(|Z| > b) for Z ~ N(x, 1), the failure rate of a long response."""
    return ndtr(-window - x) + ndtr(x - window)


def kept_alone(
    kick: float, window: float, start_failure_rate: float, responses: int, *, wrong: bool
) -> float:
    """Share kept at the end of a run in which a lone long response makes every update (G2).

    The share kept after k responses, as a function u_k of the start |x|, obeys u_0 = kept and
    u_{k+1}(x) = (1 − m(x)) u_k(x) + E[u_k(x ± λ(Z − x)); Z moves it], m the probability that it moves. Every u_k is a
    smooth function although what moves x is cut off at the window's edge; it is kept at equally spaced nodes, the
    expectation is Gauss–Legendre quadrature on each side of the edge, and between nodes u_k is interpolated.

    Parameters
    ----------
    kick : float
        λ > 0.
    window : float
        b, in standard deviations.
    start_failure_rate : float
        q₀ of the start.
    responses : int
        Long responses in a run.
    wrong : bool
        Whether wrong responses move x, away from Z, or right ones, towards it.

    Returns
    -------
    float
        (1 − q)/(1 − q(0)), its mean over the last tenth of the run.
    """
    start = brentq(lambda y: long_failure_rate(y, window) - start_failure_rate, 0.0, 1e3, xtol=1e-14)
    # there and back is six standard deviations of the free walk: what goes farther is not kept by the end
    far = start + window + _TAIL + 3 * min(kick, 2.0) * math.sqrt(responses)
    x = _SPACING * np.arange(math.ceil(far / _SPACING) + 1)
    if wrong:
        edges = [np.array([-np.inf, -window]), np.array([window, np.inf])]
    else:
        edges = [np.array([-window, 0.0]), np.array([0.0, window])]
    node, weight = np.polynomial.legendre.leggauss(_QUADRATURE)
    stays = 1 - (long_failure_rate(x, window) if wrong else 1 - long_failure_rate(x, window))
    transition = np.diag(stays)
    factor = -kick if wrong else kick
    for low, high in edges:
        low, high = np.maximum(low, x - _TAIL), np.minimum(high, x + _TAIL)
        half = np.maximum(high - low, 0.0) / 2
        z = ((low + high) / 2)[:, None] + half[:, None] * node
        mass = half[:, None] * weight * np.exp(-((z - x[:, None]) ** 2) / 2) / math.sqrt(2 * math.pi)
        _spread_to(transition, np.abs(x[:, None] + factor * (z - x[:, None])), mass)
    value = (1 - long_failure_rate(x, window)) / (1 - long_failure_rate(0.0, window))
    at_start = np.zeros((1, len(x)))
    _spread_to(at_start, np.array([[start]]), np.ones((1, 1)))
    tail = max(responses // 10, 1)
    total = 0.0
    for response in range(1, responses + 1):
        value = transition @ value
        if response > responses - tail:
            total += float(at_start[0] @ value)
    return total / tail


def _spread_to(rows: np.ndarray, places: np.ndarray, masses: np.ndarray) -> None:
    """Add to each row the masses at its places, shared among the nearest nodes by Lagrange's polynomials.

    The function that is interpolated is even in x, and 0 beyond the last node.
    """
    first = np.floor(places / _SPACING).astype(int) - (_NODES // 2 - 1)
    local = places / _SPACING - first
    row = np.broadcast_to(np.arange(len(rows))[:, None], places.shape)
    for i in range(_NODES):
        share = masses.copy()
        for j in range(_NODES):
            if j != i:
                share *= (local - j) / (i - j)
        target = np.abs(first + i)
        inside = target < rows.shape[1]
        flat = row[inside] * rows.shape[1] + target[inside]
        rows += np.bincount(flat, share[inside], rows.size).reshape(rows.shape)


@functools.cache
def lone_kick(window: float, start_failure_rate: float, *, wrong: bool) -> float:
    """λ₁, the kick of a lone response at which half is kept (G2).

    Parameters
    ----------
    window, start_failure_rate, wrong
        As in `kept_alone`; the run is as long as `sampled.iterations_to_judge` makes it.

    Returns
    -------
    float
        To 1e-4.
    """
    responses = round(FAILURES / start_failure_rate)

    def excess(kick: float) -> float:
        return kept_alone(kick, window, start_failure_rate, responses, wrong=wrong) - 0.5

    high = 0.2
    while excess(high) > 0:
        high *= 1.25
    return brentq(excess, high / 1.25, high, xtol=1e-4)


def critical(instance: Instance, advantage: str, aggregation: str, group_size: int, limit: float) -> float:
    """Predicted critical learning rate of sampled groups (G4).

    1/α* = (N/4λ₁) E[w²M]/E[wM] + R/α_∞ with R = E[w²M(M−1)]/E[wM] over its value as n → ∞. M ~ Bin(n, p) long
    responses of a group move θ, each with weight w(M), and p is taken halfway between the best and collapse.

    Parameters
    ----------
    instance : Instance
        Of `gated` or `counting`.
    advantage, aggregation : str
        Names in `rules`, with sampled forms.
    group_size : int
        n ≥ 2.
    limit : float
        α_∞, the threshold of the exact dynamics by the same criterion (`sampled_thresholds.exact`).

    Returns
    -------
    float
        nan where the weight depends on the lengths of the other responses, as for token-mean.
    """
    from scipy import stats  # heavy, and not needed by all that import this module

    of_group, weight = rules.sampled(advantage, aggregation)
    long_length, half_width, share = instance.parameters
    window = (2 * half_width + 1) / math.sqrt(long_length)  # the window ends half-way between two counts
    start = instance.at(instance.theta0)[1] / share
    wrong = of_group(group_size - 1.0, float(group_size))[1] != 0.0
    failing = (1 + float(long_failure_rate(0.0, window))) / 2
    p = share * (failing if wrong else 1 - failing)

    def moved(count: float, size: float) -> float:
        """Weight of each of `count` responses that move θ, in a group of that size."""
        of_right, of_wrong = of_group(size - count if wrong else count, size)
        return abs(of_wrong if wrong else of_right) * weight(long_length, size, math.nan, instance.max_length)

    most = int(stats.binom.isf(1e-12, group_size, p)) + 1
    counts = np.arange(1, min(most, group_size) + 1)
    mass = stats.binom.pmf(counts, group_size, p)
    w = np.array([moved(float(count), float(group_size)) for count in counts])
    mean = np.sum(mass * w * counts)
    noise = long_length / 4 * np.sum(mass * w**2 * counts) / mean / lone_kick(window, start, wrong=wrong)
    many = 1e9  # responses: a group without noise
    drift = np.sum(mass * w**2 * counts * (counts - 1)) / mean / (moved(many * p, many) * many * p) / limit
    return float(1 / (noise + drift))


def crossing(instance: Instance, advantage: str, aggregation: str, limit: float) -> float:
    """Predicted n(1−J₀) at which the exponent in 1−J is midway between lone failures and the exact limit (G5).

    As α* (1−J)^−b, b the exact exponent, depends on n and 1−J through n(1−J) alone, the exponent at fixed n is b
    plus that in n at fixed 1−J, which falls from the advantage's power p to 0.

    Parameters
    ----------
    instance, advantage, aggregation, limit
        As in `critical`. The number hardly depends on the instance, unless its failures are frequent.

    Returns
    -------
    float
        By interpolation in log n on a ladder of factors of √2; nan as in `critical`, or where there is no p.
    """
    power = ADVANTAGES.find(advantage).power
    if power is None:
        return math.nan
    failure = instance.at(instance.theta0)[1]
    sizes, rates, above = [2], [critical(instance, advantage, aggregation, 2, limit)], (math.nan, math.nan)
    while math.isfinite(rates[-1]):
        sizes.append(math.ceil(sizes[-1] * math.sqrt(2)))
        rates.append(critical(instance, advantage, aggregation, sizes[-1], limit))
        here = math.log(sizes[-1] * sizes[-2]) / 2
        slope = math.log(rates[-1] / rates[-2]) / math.log(sizes[-1] / sizes[-2])
        if slope < power / 2 <= above[1] and failure * sizes[-1] > 1:
            return failure * math.exp(here + (above[0] - here) * (power / 2 - slope) / (above[1] - slope))
        above = here, slope
    return math.nan
