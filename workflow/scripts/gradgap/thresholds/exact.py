"""Searches in the exact dynamics: one-step critical step and critical learning rate (docs/theory.md, M2–M3)."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..bandits import Instance
from ..numerics.elementary import exp10, norm
from ..numerics.roots import root
from ..training.outcome import Outcome
from ..training.rules import ADVANTAGES
from ..training.run import train


def one_step(instance: Instance) -> float:
    """The one-step critical step η*: the smallest step along the gradient gap that lowers the success rate.

    Steps of a fine geometric ladder are tried from the start θ₀, from far below the scale of the scores upward. Then
    the root is found between the last step that helps and the first that does not.

    Returns
    -------
    float
        η*, in units of θ, to 1e-9 relative. It is infinite if no step up to 10⁶ score scales lowers the rate.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> round(one_step(bandit) / (2 * abs(bandit.theta0)), 6)  # 2|θ₀| in closed form (C2)
    1.0
    """
    success, failure, gap = instance.at(instance.start)
    direction = math.copysign(1.0, gap) if len(instance.start) == 1 else gap / norm(gap)

    def gain(step: float) -> float:
        moved_success, moved_failure, _ = instance.at(instance.start + step * direction)
        # the difference of the smaller of the two rates loses fewer digits
        return moved_success - success if success < failure else failure - moved_failure

    low = first = 1e-4 / (instance.max_length * instance.token_score_bound)
    for rung in range(1, 16 * 10 + 1):
        high = first * exp10(rung / 16)
        if gain(high) < 0:
            return root(gain, low, high, relative=1e-9)
        low = high
    return math.inf


class Search(enum.IntEnum):
    """How a search for a critical learning rate ended."""

    found = 0
    never_converged = 1  #: no scanned learning rate converged
    always_converged = 2  #: the largest scanned learning rate still converged


@dataclass(frozen=True)
class Critical:
    """A critical learning rate, with the bracket in which it was found.

    Attributes
    ----------
    learning_rate : float
        α*, the geometric mean of the bracket; nan unless found.
    low, high : float
        The bracket: runs converge at `low`, and do not at `high`.
    search : Search
        How the search ended.

    Examples
    --------
    An aggregation that divides updates by 10 needs a learning rate that is ten times as large:

    >>> found = Critical(0.5, 0.25, 1.0, Search.found).divided(10)
    >>> found.learning_rate, found.low, found.high
    (5.0, 2.5, 10.0)
    """

    learning_rate: float
    low: float
    high: float
    search: Search

    def divided(self, divisor: float) -> "Critical":
        """The critical learning rate for an aggregation that divides every update by this number."""
        return Critical(self.learning_rate * divisor, self.low * divisor, self.high * divisor, self.search)


def critical(
    instance: Instance,
    advantage: str,
    *,
    iterations: int,
    tolerance: float = 1e-4,
    per_decade: int = 32,
    decades: float = 4.0,
    precision: float = 1e-3,
    stride: int = 8,
    **options: Any,
) -> Critical:
    """The critical learning rate α* of an advantage with token sums: where runs stop converging.

    A logarithmic scan of learning rates goes up until runs converge (below that they are merely slow), and on until
    they no longer do. The bracket between these two is bisected. Higher learning rates are not looked at, because
    there the outcome can change back and forth. The scan is centred on the learning rate whose first step is the
    one-step critical step.

    To save time the scan first tries only every `stride`-th learning rate, and then all of the stride in which
    convergence ends. If none of the first ones converges, it tries all.

    An aggregation divides every update by one number, so its critical learning rate is this one times
    `Aggregation.divisor` (see `Critical.divided`).

    Parameters
    ----------
    instance : Instance
    advantage : str
    iterations, tolerance
        Of each run, see `training.run.train`.
    per_decade : int
        Learning rates that are scanned in each decade.
    decades : float
        How far the scan reaches below and above its centre.
    precision : float
        Width high/low − 1 at which bisection stops.
    stride : int
        Learning rates in a stride. An interval of learning rates that do not converge, between others that do, can be
        missed if it is narrower than a stride. With 1, only intervals narrower than a rung can be missed.
    **options
        Other arguments of `training.run.train`, such as the optimizer.

    Returns
    -------
    Critical

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> from gradgap.theory.closed_forms import critical_closed_form
    >>> bandit = FAMILIES.find("counting").instance(16, 0.2)
    >>> found = critical(bandit, "grpo", iterations=2000)
    >>> closed = critical_closed_form(bandit, "grpo", "seq-mean-token-sum")
    >>> found.search.name, bool(abs(found.learning_rate / closed - 1) < 0.01)
    ('found', True)
    """
    success, failure, _ = instance.at(instance.start)
    gap_norm = instance.gap_norm
    first_update = ADVANTAGES.find(advantage).coefficient(success, failure, gap_norm) * gap_norm
    centre = one_step(instance) / first_update
    count = round(2 * decades * per_decade)

    def rate(rung: float) -> float:
        return centre * exp10(rung / per_decade - decades)

    def converged(learning_rates: Sequence[float]) -> list[bool]:
        runs = train(
            instance,
            advantage,
            "seq-mean-token-sum",
            learning_rates,
            iterations=iterations,
            tolerance=tolerance,
            **options,
        )
        assert runs.outcome is not None
        return [code == Outcome.converged for code in runs.outcome]

    def last_of_first_stretch(rungs: Sequence[int]) -> int | None:
        """The last of the first converging rungs that follow one another."""
        last = None
        for rung, good in zip(rungs, converged([rate(rung) for rung in rungs]), strict=True):
            if good:
                last = rung
            elif last is not None:
                break
        return last

    known = last_of_first_stretch(range(0, count + 1, stride))
    if known is None and stride > 1:
        known, stride = last_of_first_stretch(range(count + 1)), 1
    if known is None:
        return Critical(math.nan, math.nan, math.nan, Search.never_converged)
    if stride > 1:
        known = last_of_first_stretch(range(known, min(known + stride, count) + 1)) or known
    known += 1
    low, high = rate(known - 1), rate(known)
    if known > count:
        return Critical(math.nan, low, math.nan, Search.always_converged)
    while high / low - 1 > precision:  # two bisections in one call
        middle = math.sqrt(low * high)
        quarters = [math.sqrt(low * middle), middle, math.sqrt(middle * high)]
        good = converged(quarters)
        if good[1]:
            low, high = (quarters[2], high) if good[2] else (middle, quarters[2])
        else:
            low, high = (quarters[0], middle) if good[0] else (low, quarters[0])
    return Critical(math.sqrt(low * high), low, high, Search.found)
