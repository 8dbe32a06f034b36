"""Exact dynamics: the expected update, iterated, and what became of the run."""

import enum
from dataclasses import dataclass

import numpy as np

from ..bandits import Instance
from ..numerics.compiler import engine, f8, function_type, i8, matrix, types, vector
from .rules import ADVANTAGES, AGGREGATIONS, SCHEDULES


class Outcome(enum.IntEnum):
    """What became of a run, judged by the success rate over its last tenth (docs/theory.md, M1)."""

    converged = 0  #: within the tolerance of the best success rate
    slow = 1  #: not there, but still rising and never fell: more iterations are wanted, not a smaller step
    collapsed = 2  #: below the success rate it started from
    stagnated = 3  #: the rest: stuck between the two


@dataclass(frozen=True)
class Run:
    """Result of one run.

    Attributes
    ----------
    outcome : Outcome or None
        None where it was not asked for.
    final_success_rate, final_failure_rate : float
        Means over the last tenth of the iterations.
    success_rate, failure_rate : ndarray, shape (iterations + 1,) or (0,)
        Along the run, the start included; empty where not asked for.
    """

    outcome: Outcome | None
    final_success_rate: float
    final_failure_rate: float
    success_rate: np.ndarray
    failure_rate: np.ndarray


_EVALUATE = function_type(types.UniTuple(f8, 3), f8, vector)
_THREE = function_type(f8, f8, f8, f8)
#: A rate that moved by less than this share did not fall: roundings at a fixed point are no signal.
_ROUNDING = 1e-12


#: Nearer than this to a best θ of 0, exp(nθ) is 1 to the last bit for any length n in reach: the rates no longer
#: move and the update is linear in θ, so that a distance that shrank once shrinks ever after.
_SETTLED = 1e-24


@engine(
    types.Tuple((i8, f8, f8))(_EVALUATE, vector, _THREE, f8, _THREE, types.b1, f8, f8, f8, f8, i8, f8, matrix)
)
def _iterate(
    evaluate,
    parameters,
    coefficient,
    divisor,
    schedule,
    steady,
    theta,
    best_theta,
    best_failure,
    learning_rate,
    iterations,
    tolerance,
    path,
):
    success, failure, gap = evaluate(theta, parameters)
    start_success = success
    start_failure = failure
    before = np.nan
    previous_success = success
    previous_failure = failure
    tail = max(iterations // 10, 1)
    if tail % 2 == 1 and tail < iterations:
        tail += 1  # whole two-cycles, so that their mean does not depend on where the run ends
    success_sum = 0.0
    failure_sum = 0.0
    tail_failure = failure
    fell = False
    period = 0
    for k in range(iterations):
        if k < path.shape[1]:
            path[0, k] = success
            path[1, k] = failure
        if period == 0:
            earlier = before
            before = theta
            previous_success = success
            previous_failure = failure
            rate = learning_rate * schedule(float(k), failure, start_failure)
            theta += rate * coefficient(success, failure, abs(gap)) * gap / divisor
            success, failure, gap = evaluate(theta, parameters)
            if failure > previous_failure * (1.0 + _ROUNDING) or success < previous_success * (
                1.0 - _ROUNDING
            ):
                fell = True
            if steady:  # a state that returns to the last bit fixes all that follows
                distance = abs(theta - best_theta)
                if theta == before or (distance < _SETTLED and distance < abs(before - best_theta)):
                    period = 1
                elif theta == earlier:
                    period = 2
        elif period == 2:
            success, previous_success = previous_success, success
            failure, previous_failure = previous_failure, failure
        if k == iterations - tail:
            tail_failure = failure
        if k >= iterations - tail:
            success_sum += success
            failure_sum += failure
    if iterations < path.shape[1]:
        path[0, iterations] = success
        path[1, iterations] = failure
    # a run that settled on a two-cycle from outside never fell either, but no longer rises
    rising = tail_failure - failure > _ROUNDING * (start_failure - best_failure)
    success = success_sum / tail
    failure = failure_sum / tail
    if failure - best_failure <= tolerance * (start_failure - best_failure):
        outcome = 0
    elif rising and not fell:
        outcome = 1
    elif failure > start_failure or success < start_success:
        outcome = 2
    else:
        outcome = 3
    return outcome, success, failure


def run(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    *,
    iterations: int,
    tolerance: float = 1e-4,
    schedule: str = "constant",
    path: bool = False,
) -> Run:
    """Iterate θ' = θ + α c(J) g / divisor from the start of an instance.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation, schedule : str
        Names in `rules`.
    learning_rate : float
        α; for the `unit` advantage with token sums it is the step size η itself.
    iterations : int
        Number of updates K ≥ 1.
    tolerance : float
        Converged is J_max − J ≤ tolerance · (J_max − J₀).
    path : bool
        Keep the rates along the run.

    Returns
    -------
    Run
    """
    rates = np.empty((2, iterations + 1 if path else 0))
    outcome, success, failure = _iterate(
        instance.evaluate,
        instance.parameters,
        ADVANTAGES.find(advantage).coefficient,
        AGGREGATIONS.find(aggregation).divisor(instance),
        SCHEDULES.find(schedule),
        schedule == "constant",
        instance.theta0,
        instance.best_theta,
        instance.at(instance.best_theta)[1],
        learning_rate,
        iterations,
        tolerance,
        rates,
    )
    return Run(Outcome(outcome), success, failure, rates[0], rates[1])
