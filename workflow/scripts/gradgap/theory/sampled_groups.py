"""What sampling makes of the critical learning rate on `gated`; derivation in docs/theory_groups.md.

In units of the spread of a long response's count, x = √N θ/2 is its mean, Z ~ N(x, 1) the count, and it fails where
|Z| > b. Where failures are rare a lone response makes the whole update, x moves by λ(Z − x), and noise throws the
policy out of its optimum; where they are many the expected update does. Each limit has its own threshold, and
mean-square stability says how the two combine in between.
"""

import functools
import math

import numpy as np

from ..bandits import Instance
from ..numerics.binomial import pmf
from ..numerics.compiler import kernel
from ..numerics.elementary import exp, log, normal_cdf
from ..numerics.roots import root
from ..training import rules
from ..training.rules import ADVANTAGES
from ..training.run import FAILURES

#: Grid of |x|: cells this wide, up to where every long response has long failed.
_CELL, _FAR = 0.08, 32.0


@kernel
def long_failure_rate(x, window):
    """q(x) = P(|Z| > b) for Z ~ N(x, 1), the failure rate of a long response."""
    return normal_cdf(-window - x) + normal_cdf(x - window)


@kernel
def _reached(x, end, factor, window, wrong, below, within):
    """P(the response moves x, and Z is below what moves it to `end`), from P(Z < −b) and P(Z < b)."""
    z = (end - (1.0 - factor) * x) / factor
    if wrong:  # Z lies outside the window
        if z < -window:
            return normal_cdf(z - x)
        return below if z <= window else below + (normal_cdf(z - x) - within)
    if z <= -window:
        return 0.0
    return (within if z >= window else normal_cdf(z - x)) - below


@kernel
def _kept(kick, window, start_failure_rate, responses, wrong, transition, failure, kept, density, moved):
    cells = failure.size
    factor = -kick if wrong else kick
    best = 1.0 - long_failure_rate(0.0, window)
    first = -1
    for i in range(cells):
        x = (i + 0.5) * _CELL
        failure[i] = long_failure_rate(x, window)
        kept[i] = (1.0 - failure[i]) / best
        moving = failure[i] if wrong else 1.0 - failure[i]
        below = normal_cdf(-window - x)
        within = normal_cdf(window - x)
        left = moving
        before = 0.0
        for j in range(cells + 1):
            end = j * _CELL
            here = abs(
                _reached(x, end, factor, window, wrong, below, within)
                - _reached(x, -end, factor, window, wrong, below, within)
            )
            if j > 0:
                transition[i, j - 1] = abs(here - before)
                left -= transition[i, j - 1]
            before = here
        transition[i, cells - 1] += left  # what leaves the grid stays at its end
        transition[i, i] += 1.0 - moving
        density[i] = 0.0
        if first < 0 and long_failure_rate((i + 1) * _CELL, window) >= start_failure_rate:
            first = i  # the cell that holds the start
    density[first] = 1.0
    tail = max(responses // 10, 1)
    total = 0.0
    for response in range(responses):
        moved[:] = 0.0
        for i in range(cells):
            for j in range(cells):
                moved[j] += density[i] * transition[i, j]
        for i in range(cells):
            density[i] = moved[i]
            if response >= responses - tail:
                total += density[i] * kept[i]
    return total / tail


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
    cells = round(_FAR / _CELL)
    scratch = np.empty((cells, cells)), *np.empty((4, cells))
    return _kept(kick, window, start_failure_rate, responses, wrong, *scratch)


@functools.cache
def lone_kick(window: float, start_failure_rate: float, *, wrong: bool) -> float:
    """λ₁, the kick of a lone response at which half is kept (G2).

    Parameters
    ----------
    window, start_failure_rate, wrong
        As in `kept_alone`; the run is as long as `training.run.iterations_to_judge` makes it.

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
    return root(excess, high / 1.25, high, absolute=1e-4)


@kernel
def _most(size, p):
    """The least count that Bin(size, p) exceeds with a chance of at most 1e-12."""
    count = int((size + 1) * p)
    mass = pmf(count, size, p, 1.0 - p)
    while count < size:
        ratio = (size - count) * p / ((count + 1) * (1.0 - p))
        if ratio < 1.0 and mass * ratio <= 1e-12 * (
            1.0 - ratio
        ):  # the rest falls faster than a geometric series
            break
        mass *= ratio
        count += 1
    return count


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
        α_∞, the threshold of the exact dynamics by the same criterion (`thresholds.sampled.half_kept_exact`).

    Returns
    -------
    float
        nan where the weight depends on the lengths of the other responses, as for token-mean.
    """
    of_group, weight = rules.sampled(advantage, aggregation)
    long_length, half_width, share = instance.kernels.constants
    window = (2 * half_width + 1) / math.sqrt(long_length)  # the window ends half-way between two counts
    start = instance.at(instance.theta0)[1] / share
    wrong = of_group(group_size - 1.0, float(group_size))[1] != 0.0
    failing = (1 + float(long_failure_rate(0.0, window))) / 2
    p = share * (failing if wrong else 1 - failing)

    def moved(count: float, size: float) -> float:
        """Weight of each of `count` responses that move θ, in a group of that size."""
        of_right, of_wrong = of_group(size - count if wrong else count, size)
        return abs(of_wrong if wrong else of_right) * weight(long_length, size, math.nan, instance.max_length)

    counts = np.arange(1, min(_most(group_size, p) + 1, group_size) + 1)
    mass = np.array([pmf(count, group_size, p, 1 - p) for count in counts.tolist()])
    w = np.array([moved(float(count), float(group_size)) for count in counts])
    mean = np.sum(mass * w * counts)
    noise = long_length / 4 * np.sum(mass * w * w * counts) / mean / lone_kick(window, start, wrong=wrong)
    many = 1e9  # responses: a group without noise
    drift = np.sum(mass * w * w * counts * (counts - 1)) / mean / (moved(many * p, many) * many * p) / limit
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
        here = log(sizes[-1] * sizes[-2]) / 2
        slope = log(rates[-1] / rates[-2]) / log(sizes[-1] / sizes[-2])
        if slope < power / 2 <= above[1] and failure * sizes[-1] > 1:
            return failure * exp(here + (above[0] - here) * (power / 2 - slope) / (above[1] - slope))
        above = here, slope
    return math.nan
