"""How sampling changes the half-kept learning rate on `gated` (derivations: docs/theory_groups.md).

The count of ones of a long response, in standard deviations, is Z ~ N(x, 1) with mean x = √N θ/2. The response fails
if |Z| > b. If failures are rare, a single response makes the whole update: x moves by λ(Z − x), and this noise can
throw the policy out of its optimum. If failures are many, the expected update does. Each of these two limits has its
own threshold. Mean-square stability says how they combine in between.
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

#: Spacing of the nodes in |x|, and from how many of them a value in between is interpolated. The measured error of
#: the share kept is about 1e-6 here, and 2e-4 at three times the spacing. A kick away from the edge of the window
#: stretches any detail that the function has there, so the grid must be finer than its smoothness alone would need.
_SPACING, _NODES = 0.15, 8
#: Panels over each stretch of Z that does not cross the window's edge, where a stretch far from x is cut off, and
#: nodes and weights of Gauss and Legendre's rule of eight on a panel (positive half; to the last digit of a float).
_PANELS, _TAIL = 8, 9.0
_GAUSS = (
    (0.18343464249564980, 0.36268378337836198),
    (0.52553240991632899, 0.31370664587788729),
    (0.79666647741362674, 0.22238103445337447),
    (0.96028985649753623, 0.10122853629037626),
)
_NORMAL = 1 / math.sqrt(2 * math.pi)


@kernel
def long_failure_rate(x, window):
    """Failure rate of a long response: q(x) = P(|Z| > b) for Z ~ N(x, 1).

    Examples
    --------
    >>> round(long_failure_rate(0.0, 1.0), 4)
    0.3173
    """
    return normal_cdf(-window - x) + normal_cdf(x - window)


@kernel
def _shares(place, limit, spacing, shares):
    """Fill in the Lagrange weights of the nodes nearest to a place, and return the first node (it may be below 0)."""
    first = math.floor(place / spacing) - (_NODES // 2 - 1)
    if first >= limit:
        return limit
    local = place / spacing - first
    for i in range(_NODES):
        share = 1.0
        for j in range(_NODES):
            if j != i:
                share *= (local - j) / (i - j)
        shares[i] = share
    return first


@kernel
def _add_moves(x, low, high, factor, row, spacing, shares):
    """Add to a row of the transition matrix the moves of x by responses with Z between `low` and `high`."""
    size = row.size
    half = (high - low) / (2 * _PANELS)
    for panel in range(_PANELS):
        middle = low + (2 * panel + 1) * half
        for k in range(2 * len(_GAUSS)):
            node, weight = _GAUSS[k // 2]
            z = middle + half * (node if k % 2 else -node)
            mass = half * weight * exp(-(z - x) * (z - x) / 2) * _NORMAL
            first = _shares(abs(x + factor * (z - x)), size, spacing, shares)
            for i in range(_NODES):
                target = abs(first + i)  # the function is even
                if first < size and target < size:
                    row[target] += mass * shares[i]


@kernel
def _kept(kick, window, start, responses, wrong, transition, value, moved, spacing, shares):
    size = value.size
    factor = -kick if wrong else kick
    best = 1.0 - long_failure_rate(0.0, window)
    for i in range(size):
        x = i * spacing
        failure = long_failure_rate(x, window)
        value[i] = (1.0 - failure) / best
        for j in range(size):
            transition[i, j] = 0.0
        transition[i, i] = 1.0 - failure if wrong else failure
        if wrong:
            if x - _TAIL < -window:
                _add_moves(x, x - _TAIL, -window, factor, transition[i], spacing, shares)
            _add_moves(
                x, max(window, x - _TAIL), max(window, x) + _TAIL, factor, transition[i], spacing, shares
            )
        elif x - _TAIL < window:
            _add_moves(x, max(-window, x - _TAIL), window, factor, transition[i], spacing, shares)
    for i in range(
        size
    ):  # transposed: so the loop over i below is the inner one, and becomes vector instructions
        for j in range(i):
            transition[i, j], transition[j, i] = transition[j, i], transition[i, j]
    tail = max(responses // 10, 1)
    found = 0.0
    for response in range(1, responses + 1):
        for i in range(size):
            moved[i] = 0.0
        for j in range(size):
            for i in range(size):
                moved[i] += transition[j, i] * value[j]
        for i in range(size):
            value[i] = moved[i]
        if response > responses - tail:
            first = _shares(start, size, spacing, shares)
            for i in range(_NODES):
                found += shares[i] * value[abs(first + i)]
    return found / tail


def kept_alone(
    kick: float, window: float, start_failure_rate: float, responses: int, *, wrong: bool
) -> float:
    """Share kept at the end of a run in which every update comes from a single long response (G2).

    Let u_k(x) be the share kept after k responses from a start at |x|. Then u_0 = kept, and
    u_{k+1}(x) = (1 − m(x)) u_k(x) + E[u_k(x ± λ(Z − x)); Z moves it], with m(x) the probability that a response moves
    x. Every u_k is smooth. It is stored at equally spaced nodes and interpolated between them. The expectation is
    computed by Gauss–Legendre quadrature on each side of the window's edge.

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
        True: wrong responses move x, away from Z. False: right ones do, towards Z.

    Returns
    -------
    float
        (1 − q)/(1 − q(0)), its mean over the last tenth of the run.

    Examples
    --------
    >>> weak = kept_alone(0.1, 1.0, 0.8, 50, wrong=True)
    >>> strong = kept_alone(2.0, 1.0, 0.8, 50, wrong=True)
    >>> bool(weak > 0.5 > strong)
    True
    """
    start = root(
        lambda x: long_failure_rate(x, window) - start_failure_rate, 0.0, window + 40.0, absolute=1e-14
    )
    # going so far and back takes six standard deviations of the free walk, so nothing from beyond is kept at the end
    far = start + window + _TAIL + 3 * min(kick, 2.0) * math.sqrt(responses)
    size = math.ceil(far / _SPACING) + 1
    scratch = np.empty((size, size)), *np.empty((2, size)), _SPACING, np.empty(_NODES)
    return _kept(kick, window, start, responses, wrong, *scratch)


@functools.cache
def lone_kick(window: float, start_failure_rate: float, *, wrong: bool) -> float:
    """The kick λ₁ of a single response at which half is kept (G2).

    Parameters
    ----------
    window, start_failure_rate, wrong
        As in `kept_alone`. The run is as long as `training.run.iterations_to_judge` says.

    Returns
    -------
    float
        To 1e-4.

    Examples
    --------
    >>> kick = lone_kick(1.0, 0.8, wrong=True)
    >>> bool(abs(kept_alone(kick, 1.0, 0.8, 250, wrong=True) - 0.5) < 1e-3)
    True
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
    """The smallest count that Bin(size, p) exceeds with probability 1e-12 at most."""
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


def half_kept(instance: Instance, advantage: str, aggregation: str, group_size: int, limit: float) -> float:
    """Predicted half-kept learning rate of sampled groups (G4).

    1/α½ = (N/4λ₁) E[w²M]/E[wM] + R/α_∞, where R is E[w²M(M−1)]/E[wM] divided by its value as n → ∞. In a group
    M ~ Bin(n, p) long responses move θ, each with weight w(M). The p is taken halfway between the best and collapse.

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
        nan if the weight of a response depends on the lengths of the others, as with token-mean.

    Examples
    --------
    Sampling noise makes the threshold of small groups smaller than the limit 10 of large ones:

    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("gated").instance(64, 0.99)
    >>> small, large = (half_kept(bandit, "dr_grpo", "seq-mean-token-sum", n, 10.0) for n in (4, 4096))
    >>> small < large < 10.0
    True
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
    """Predicted n(1−J₀) at which the exponent in 1−J is midway between its two limits (G5).

    The limits are single failures in a group and the exact dynamics. Let b be the exact exponent. Because
    α½ (1−J)^−b depends on n(1−J) alone, the exponent at fixed n is b plus the exponent in n at fixed 1−J. The latter
    falls from the power p of the advantage to 0.

    Parameters
    ----------
    instance, advantage, aggregation, limit
        As in `half_kept`. The result hardly depends on the instance as long as its failures are rare.

    Returns
    -------
    float
        By interpolation in log n between sizes a factor √2 apart; nan as in `half_kept`, or if there is no p.
    """
    power = ADVANTAGES.find(advantage).power
    if power is None:
        return math.nan
    failure = instance.at(instance.theta0)[1]
    sizes, rates, above = [2], [half_kept(instance, advantage, aggregation, 2, limit)], (math.nan, math.nan)
    while math.isfinite(rates[-1]):
        sizes.append(math.ceil(sizes[-1] * math.sqrt(2)))
        rates.append(half_kept(instance, advantage, aggregation, sizes[-1], limit))
        here = log(sizes[-1] * sizes[-2]) / 2
        slope = log(rates[-1] / rates[-2]) / log(sizes[-1] / sizes[-2])
        if slope < power / 2 <= above[1] and failure * sizes[-1] > 1:
            return failure * exp(here + (above[0] - here) * (power / 2 - slope) / (above[1] - slope))
        above = here, slope
    return math.nan
