"""Threshold search: the one-step critical step and the critical learning rate (docs/theory.md, M2–M3)."""

import bisect
import enum
import functools
import math
from dataclasses import dataclass

import numpy as np

from ..bandits import Instance
from ..training.rules import ADVANTAGES
from ..training.run import Outcome, run


def one_step(instance: Instance) -> float:
    """Smallest η > 0 at which a step along the gradient gap from θ₀ lowers the success rate.

    Looked for on a fine geometric ladder from far below the scale of the scores upward, then root-found.

    Returns
    -------
    float
        η*, in units of θ, to 1e-9 relative; infinite where no step up to 10⁶ score scales lowers it.
    """
    from scipy.optimize import brentq  # slow to import, and most jobs never search

    success, failure, gap = instance.at(instance.theta0)
    direction = math.copysign(1.0, gap)

    def gain(step: float) -> float:
        moved_success, moved_failure, _ = instance.at(instance.theta0 + step * direction)
        # the smaller of the two rates is the one whose difference keeps its digits
        return moved_success - success if success < failure else failure - moved_failure

    low = 1e-4 / (instance.max_length * instance.token_score_bound)
    for high in low * np.geomspace(1.0, 1e10, 16 * 10 + 1)[1:]:
        if gain(high) < 0:
            return brentq(gain, low, high, xtol=1e-300, rtol=1e-9)
        low = high
    return math.inf


class Search(enum.IntEnum):
    """How a search for a critical learning rate ended."""

    found = 0
    never_converged = 1  #: no scanned learning rate converged
    always_converged = 2  #: the largest scanned learning rate still converged


@dataclass(frozen=True)
class Critical:
    """A critical learning rate.

    Attributes
    ----------
    learning_rate : float
        α*, the geometric middle of the last bracket; nan unless found.
    low, high : float
        The bracket: converged at `low`, not at `high`.
    search : Search
    """

    learning_rate: float
    low: float
    high: float
    search: Search

    def divided(self, divisor: float) -> "Critical":
        """The same for an aggregation that divides every update by this number."""
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
) -> Critical:
    """Critical learning rate of an advantage with token sums.

    A logarithmic scan goes up to the first learning rate that converges (below it everything is merely slow)
    and on to the next one that does not; that bracket alone is bisected, because above it the outcome can flip
    back and forth. The scan is centred on the learning rate whose first step is the one-step critical step.

    Not every rung of the ladder is run: the scan bisects to the rung where convergence starts, goes up from there in
    strides, and takes every rung of the last stride. Where the bisection ends on a rung that does not converge, it
    takes every rung of all.

    An aggregation divides every update by the same number, so its critical learning rate is this one times
    `Aggregation.divisor` (see `Critical.divided`).

    Parameters
    ----------
    instance : Instance
    advantage : str
    iterations, tolerance
        Of each run, see `dynamics.run`.
    per_decade : int
        Scanned learning rates a decade.
    decades : float
        How far the scan reaches below and above its centre.
    precision : float
        Width high/low − 1 at which bisection stops.
    stride : int
        Rungs in a stride. An interval of learning rates that do not converge, with others above it that do, can be
        missed if it is narrower; 1 misses none that is as wide as a rung.

    Returns
    -------
    Critical
    """
    success, failure, gap = instance.at(instance.theta0)
    first_update = ADVANTAGES.find(advantage).coefficient(success, failure, abs(gap)) * abs(gap)
    centre = one_step(instance) / first_update
    count = round(2 * decades * per_decade)

    def outcome(learning_rate: float) -> Outcome | None:
        result = run(
            instance,
            advantage,
            "seq-mean-token-sum",
            learning_rate,
            iterations=iterations,
            tolerance=tolerance,
        )
        return result.outcome

    @functools.cache
    def at(rung: int) -> Outcome | None:
        return outcome(rate(rung))

    def rate(rung: int) -> float:
        return centre * 10 ** (rung / per_decade - decades)

    first = bisect.bisect_left(range(count + 1), True, key=lambda rung: at(rung) != Outcome.slow)
    if first <= count and at(first) != Outcome.converged:
        first, stride = 0, 1
    known = None  # rung known to converge, below the first that is known not to
    for rung in range(first, count + 1, stride):
        if at(rung) == Outcome.converged:
            known = rung
        elif known is not None:
            break
    if known is None:
        return Critical(math.nan, math.nan, math.nan, Search.never_converged)
    while known <= count and at(known) == Outcome.converged:
        known += 1
    low, high = rate(known - 1), rate(known)
    if known > count:
        return Critical(math.nan, low, math.nan, Search.always_converged)
    while high / low - 1 > precision:
        middle = math.sqrt(low * high)
        if outcome(middle) == Outcome.converged:
            low = middle
        else:
            high = middle
    return Critical(math.sqrt(low * high), low, high, Search.found)
