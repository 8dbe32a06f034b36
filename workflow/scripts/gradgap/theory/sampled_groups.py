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

#: Grid of |x|: cells this wide, up to where every long response has long failed.
_CELL, _FAR = 0.08, 32.0


def long_failure_rate(x, window: float):
    """q(x) = P(|Z| > b) for Z ~ N(x, 1), the failure rate of a long response."""
    return ndtr(-window - x) + ndtr(x - window)


def kept_alone(
    kick: float, window: float, start_failure_rate: float, responses: int, *, wrong: bool
) -> float:
    """Share kept at the end of a run in which a lone long response makes every update (G2).

    The density of |x| is carried through the moves x → x ± λ(Z − x) of one response after another; nothing is
    sampled.

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
        (1 − q)/(1 − q(0)), its mean over the density and over the last tenth of the run.
    """
    edges = np.arange(0.0, _FAR + _CELL / 2, _CELL)
    x = (edges[:-1] + edges[1:]) / 2
    here = x[:, None]
    factor = -kick if wrong else kick

    def reached(end: np.ndarray) -> np.ndarray:
        """P(the response moves x, and Z is below what moves it to `end`), a row for each x."""
        z = (end - (1 - factor) * here) / factor
        right = ndtr(np.clip(z, -window, window) - here) - ndtr(-window - here)
        return ndtr(z - here) - right if wrong else right

    failure = long_failure_rate(x, window)
    moving = failure if wrong else 1 - failure
    moves = np.abs(np.diff(np.abs(reached(edges) - reached(-edges)), axis=1))
    moves[:, -1] += moving - moves.sum(axis=1)  # what leaves the grid stays at its end
    transition = moves + np.diag(1 - moving)
    density = np.zeros(len(x))
    density[int(brentq(lambda y: long_failure_rate(y, window) - start_failure_rate, 0.0, _FAR) / _CELL)] = 1.0
    kept = (1 - failure) / (1 - long_failure_rate(0.0, window))
    tail = max(responses // 10, 1)
    total = 0.0
    for response in range(responses):
        density = density @ transition
        if response >= responses - tail:
            total += density @ kept
    return total / tail


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
