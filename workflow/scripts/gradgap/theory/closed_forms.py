"""Critical steps and plateaus in closed form, and where they hold (docs/theory.md, C1–C6)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..bandits import FAMILIES, Instance
from ..training.rules import ADVANTAGES, AGGREGATIONS


def one_step_closed_form(instance: Instance) -> float:
    """The one-step critical step in closed form: η* = 2|θ₀| (C2).

    It holds for families whose success rate is even and unimodal, such as `counting` and `gated`; else it is nan.

    Examples
    --------
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> one_step_closed_form(bandit) == -2 * bandit.theta0
    True
    """
    return 2 * abs(instance.theta0) if FAMILIES.find(instance.family).even_and_unimodal else math.nan


def critical_closed_form(instance: Instance, advantage: str, aggregation: str) -> float:
    """The critical learning rate in closed form: where the best θ stops being a stable fixed point (C4).

    α* = 2 J(1−J) · divisor / (c(J) |J″|) at the best θ. It is known for `counting` and `gated`, where
    J″(0) = −ε (N/4)(2B+1) f(N/2+B) with f the Bin(N−1, ½) mass (C3). It is nan for other families, and for `unit`,
    whose update does not vanish at the best θ. `critical_reach` says for which starts it holds.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `training.rules`.

    Examples
    --------
    Four times the length, a quarter of the learning rate:

    >>> counting = FAMILIES.find("counting")
    >>> rule = "reinforce", "seq-mean-token-sum"
    >>> [round(critical_closed_form(counting.instance(length, 0.2), *rule), 4) for length in (64, 256)]
    [0.2617, 0.0648]
    """
    chosen = ADVANTAGES.find(advantage)
    curvature = FAMILIES.find(instance.family).curvature(instance)
    if math.isnan(curvature) or not chosen.vanishes:
        return math.nan
    success, failure, _ = instance.at(instance.best_theta)
    coefficient = chosen.coefficient(success, failure, 0.0)
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)
    return 2 * success * failure * divisor / (coefficient * curvature)


def plateau_closed_form(instance: Instance, step: float) -> float:
    """The failure rate at which the `unit` rule with a fixed step η stalls (C5).

    The run walks to x = |θ₀| mod η on one side of the best θ, and then jumps to and fro between x and x − η. This is
    the mean failure rate of these two points. It is nan if the success rate is not known to be even and unimodal.

    Examples
    --------
    A larger fixed step leaves more failures:

    >>> wide = FAMILIES.find("counting").instance(1024, 0.2, window=6)
    >>> plateau_closed_form(wide, 0.01) < plateau_closed_form(wide, 0.3)
    True
    """
    if not FAMILIES.find(instance.family).even_and_unimodal:
        return math.nan
    x = math.fmod(abs(instance.theta0), step)
    return (instance.at(x)[1] + instance.at(x - step)[1]) / 2


@dataclass(frozen=True)
class Reach:
    """For which starts the closed form of the critical learning rate holds (docs/theory.md, C6).

    Attributes
    ----------
    word : str
        ``global``: every start that is no farther from the best θ than θ₀ converges at every learning rate below the
        closed form, which is then the critical learning rate itself. ``local``: only starts close to the best θ do.
        Empty if no closed form is known.
    safe : float
        min 2|θ|·divisor/|F(θ)| over 0 < |θ| ≤ |θ₀|, with F the update with token sums. Below this learning rate every
        update comes nearer to the best θ. If the closed form is global, it is that number.
    """

    word: str
    safe: float


def critical_reach(instance: Instance, advantage: str, aggregation: str) -> Reach:
    """Whether the closed form of the critical learning rate is global or local, and the learning rate that is safe.

    For advantages that follow ∇J a theorem decides, if the family has one (`Family.stable_globally`). Otherwise the
    smallest value of 2|θ|/|F(θ)| on a fine grid decides. A measured critical learning rate can lie above a global
    closed form: a run on a small cycle around the best θ counts as converged within the tolerance (M1). Where the
    success rate is flat around the best θ, as with wide windows, that cycle can be large.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> wide = FAMILIES.find("counting").instance(1024, 0.2, window=4)
    >>> critical_reach(wide, "reinforce", "seq-mean-token-sum").word
    'local'
    """
    closed = critical_closed_form(instance, advantage, aggregation)
    if math.isnan(closed):
        return Reach("", math.nan)
    chosen = ADVANTAGES.find(advantage)
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)

    def ratio(theta: float) -> float:
        success, failure, gap = instance.at(theta)
        update = chosen.coefficient(success, failure, abs(gap)) * abs(gap)
        return 2 * theta * divisor / update if update > 0 else math.inf

    start = abs(instance.theta0)
    grid = [start * step / 512 for step in range(1, 513)]
    values = [ratio(theta) for theta in grid]
    least = min(range(512), key=values.__getitem__)
    safe = values[least]
    if 0 < least < 511:
        safe = min(safe, _least(ratio, grid[least - 1], grid[least + 1]))
    everywhere = FAMILIES.find(instance.family).stable_globally(instance) if chosen.follows_gradient else None
    if everywhere is None:
        everywhere = safe >= closed * (1 - 1e-9)
    return Reach("global", closed) if everywhere else Reach("local", min(safe, closed))


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value between two points of a function with one minimum there, by golden section."""
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-9 * high:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = function(right)
    return min(at_left, at_right)
