"""Sampled dynamics: the update from a group of sampled responses, iterated, and what became of the run.

Only the updates are sampled. The success rate along the run is known exactly, and the outcome is judged by it.
"""

import math

import numpy as np

from ..bandits import Instance
from ..bandits.groups import ADVANTAGE, AGGREGATION, COLUMNS, weigh
from ..errors import ConfigError
from ..numerics.compiler import engine, f8, function_type, i8, matrix, types, u8, vector
from . import rules
from .run import Outcome, Run

_STATE = types.Array(u8, 1, "C")
_EVALUATE = function_type(types.UniTuple(f8, 3), f8, vector)
_SCHEDULE = function_type(f8, f8, f8, f8)
#: Type of `Instance.sample`.
SAMPLE = function_type(types.UniTuple(i8, 2), _STATE, f8, vector, i8, i8, matrix, vector)

#: Failing responses that a run must have room for before it is judged: where they are rare it takes longer.
FAILURES = 200


def iterations_to_judge(instance: Instance, group_size: int, least: int) -> int:
    """Iterations K with K·n·(1−J) ≥ 200 at the start, and no fewer than `least`."""
    return max(least, math.ceil(FAILURES / (group_size * instance.at(instance.theta0)[1])))


@engine(types.void(SAMPLE, vector, ADVANTAGE, AGGREGATION, f8, f8, i8, _STATE, matrix, vector, vector))
def _updates(
    sample, parameters, advantage, aggregation, max_length, theta, size, state, group, workspace, out
):
    for i in range(out.size):
        rows, _ = sample(state, theta, parameters, size, 1, group, workspace)
        out[i] = weigh(advantage, aggregation, rows, group, max_length) if rows > 0 else 0.0


@engine(
    types.Tuple((i8, f8, f8))(
        SAMPLE,
        _EVALUATE,
        vector,
        ADVANTAGE,
        AGGREGATION,
        f8,
        _SCHEDULE,
        f8,
        f8,
        f8,
        i8,
        i8,
        types.b1,
        f8,
        _STATE,
        matrix,
        vector,
        matrix,
    )
)
def _iterate(
    sample,
    evaluate,
    parameters,
    advantage,
    aggregation,
    max_length,
    schedule,
    theta,
    best_failure,
    learning_rate,
    size,
    iterations,
    watched,
    tolerance,
    state,
    group,
    workspace,
    path,
):
    success, failure, _ = evaluate(theta, parameters)
    start_success = success
    start_failure = failure
    margin = tolerance * (start_failure - best_failure)
    least_failure = failure
    fell = False
    tail = max(iterations // 10, 1)
    success_sum = 0.0
    failure_sum = 0.0
    moved = False
    rows = waiting = 0
    for k in range(iterations):
        if k < path.shape[1]:
            path[0, k] = success
            path[1, k] = failure
        if waiting == 0:  # most groups move nothing where failures are rare
            rows, waiting = sample(state, theta, parameters, size, iterations - k, group, workspace)
        waiting -= 1
        if waiting == 0 and rows > 0:
            update = weigh(advantage, aggregation, rows, group, max_length)
            theta += learning_rate * schedule(float(k), failure, start_failure) * update
            moved = True
        if moved and (watched or k >= iterations - tail):
            success, failure, _ = evaluate(theta, parameters)
            moved = False
            least_failure = min(least_failure, failure)
            if failure - least_failure > margin:
                fell = True
        if k >= iterations - tail:
            success_sum += success
            failure_sum += failure
    if iterations < path.shape[1]:
        path[0, iterations] = success
        path[1, iterations] = failure
    success = success_sum / tail
    failure = failure_sum / tail
    if failure - best_failure <= margin:
        outcome = 0
    elif not fell:
        outcome = 1
    elif failure > start_failure or success < start_success:
        outcome = 2
    else:
        outcome = 3
    return outcome, success, failure


def _sampler(instance: Instance):
    if instance.sample is None:
        raise ConfigError(f"family {instance.family!r} has no sampler; only its exact dynamics can be run")
    return instance.sample


def updates(
    instance: Instance,
    advantage: str,
    aggregation: str,
    theta: float,
    *,
    group_size: int,
    state: np.ndarray,
    count: int,
) -> np.ndarray:
    """Independent draws of the update u at one θ, each from a group of its own.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    theta : float
    group_size : int
        Responses n in a group.
    state : ndarray, shape (4,), uint64
        Of the stream (see `streams.state`), changed in place.
    count : int
        Number of draws.

    Returns
    -------
    ndarray, shape (count,)

    Raises
    ------
    ConfigError
        If the family, advantage or aggregation cannot be sampled.
    """
    out = np.empty(count)
    forms = rules.sampled(advantage, aggregation)
    sample = _sampler(instance)
    _updates(
        sample,
        instance.parameters,
        *forms,
        float(instance.max_length),
        theta,
        group_size,
        state,
        np.empty((COLUMNS, group_size + 1)),
        np.empty(instance.workspace),
        out,
    )
    return out


def run(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    *,
    group_size: int,
    iterations: int,
    state: np.ndarray,
    tolerance: float = 1e-2,
    schedule: str = "constant",
    path: bool = False,
    outcome: bool = True,
) -> Run:
    """Iterate θ' = θ + α u, u the update from a group of n sampled responses, from the start of an instance.

    A run that did not converge is called slow when its success rate never fell by more than the tolerance below
    the best it had seen, as smaller falls are noise.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation, schedule : str
        Names in `rules`.
    learning_rate : float
        α.
    group_size : int
        Responses n in the group of one update.
    iterations : int
        Number of updates K ≥ 1.
    state : ndarray, shape (4,), uint64
        Of the stream (see `streams.state`), changed in place.
    tolerance : float
        Converged is J_max − J ≤ tolerance · (J_max − J₀).
    path : bool
        Keep the rates along the run.
    outcome : bool
        Tell what became of the run. Without, a constant learning rate needs the rates over the last tenth only.

    Returns
    -------
    Run

    Raises
    ------
    ConfigError
        If the family, advantage or aggregation cannot be sampled.
    """
    rates = np.empty((2, iterations + 1 if path else 0))
    watched = outcome or path or schedule != "constant"
    code, success, failure = _iterate(
        _sampler(instance),
        instance.evaluate,
        instance.parameters,
        *rules.sampled(advantage, aggregation),
        float(instance.max_length),
        rules.SCHEDULES.find(schedule),
        instance.theta0,
        instance.at(instance.best_theta)[1],
        learning_rate,
        group_size,
        iterations,
        watched,
        tolerance,
        state,
        np.empty((COLUMNS, group_size + 1)),
        np.empty(instance.workspace),
        rates,
    )
    return Run(Outcome(code) if outcome else None, success, failure, rates[0], rates[1])
