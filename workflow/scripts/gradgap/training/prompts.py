"""Dynamics of prompts that share parameters, exact and sampled (docs/theory_contextual.md).

Every prompt has a group of its own, as in training: advantages compare responses to one prompt, and the
update is the mean over prompts. In expectation, as groups grow, that is u = mean of c(J_q) g_q over the
aggregation's divisor.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..bandits.groups import ADVANTAGE, AGGREGATION, COLUMNS, COUNT, LENGTH, REWARD, WEIGHT, weigh
from ..bandits.shared_prompts import VectorInstance, draw_wrong, evaluate
from ..errors import ConfigError
from ..numerics.compiler import engine, f8, function_type, i8, kernel, matrix, types, u8, vector
from ..numerics.sampling import binomial
from . import rules
from .rules import ADVANTAGES, AGGREGATIONS, SCHEDULES
from .run import Outcome

_THREE = function_type(f8, f8, f8, f8)
_CUBE = types.Array(f8, 3, "C")
_FEATURES = types.Array(f8, 4, "C")
_STATE = types.Array(u8, 1, "C")
#: A prompt is lost where its success rate is below this.
LOST = 0.01


@dataclass(frozen=True)
class PromptRun:
    """Result of one run; what it shares with `dynamics.Run` means the same there.

    Attributes
    ----------
    prompt_success_rate, prompt_failure_rate : ndarray, shape (iterations + 1, Q)
        J_q and 1 − J_q along the run, the start included.
    theta : ndarray, shape (d,)
        Where the run ended.
    tolerance : float
        Converged is 1 − J ≤ tolerance · (1 − J₀).
    """

    prompt_success_rate: np.ndarray
    prompt_failure_rate: np.ndarray
    theta: np.ndarray
    tolerance: float

    def _tail(self, rates: np.ndarray) -> np.ndarray:
        return rates[-max((len(rates) - 1) // 10, 1) :]

    @property
    def success_rate(self) -> np.ndarray:
        """Mean over prompts, of shape (iterations + 1,)."""
        return self.prompt_success_rate.mean(axis=1)

    @property
    def failure_rate(self) -> np.ndarray:
        """Mean over prompts, of shape (iterations + 1,)."""
        return self.prompt_failure_rate.mean(axis=1)

    @property
    def final_success_rate(self) -> float:
        """Mean J over the last tenth of the updates."""
        return float(self._tail(self.prompt_success_rate).mean())

    @property
    def final_failure_rate(self) -> float:
        """Mean 1 − J over the last tenth of the updates."""
        return float(self._tail(self.prompt_failure_rate).mean())

    @property
    def lost_share(self) -> float:
        """Share of prompts whose success rate, over the last tenth of the updates, is below `LOST`."""
        return float((self._tail(self.prompt_success_rate).mean(axis=0) < LOST).mean())

    @property
    def outcome(self) -> Outcome:
        """What became of the run; it is slow where J never fell by more than the tolerance."""
        failure = self.failure_rate
        margin = self.tolerance * failure[0]
        if self.final_failure_rate <= margin:
            return Outcome.converged
        if (failure - np.minimum.accumulate(failure)).max() <= margin:
            return Outcome.slow
        return Outcome.collapsed if self.final_failure_rate > failure[0] else Outcome.stagnated


@kernel
def _expected(coefficient, divisor, success, failure, ascent, update):
    """Fill `update` with the expected update of large groups."""
    prompts, dimension = ascent.shape
    update[:] = 0.0
    for q in range(prompts):
        if failure[q] == 0.0:
            continue
        norm = 0.0
        for j in range(dimension):
            norm += ascent[q, j] * ascent[q, j]
        norm = math.sqrt(norm) / failure[q]
        factor = coefficient(success[q], failure[q], norm) / (failure[q] * divisor * prompts)
        for j in range(dimension):
            update[j] += factor * ascent[q, j]


@kernel
def _sampled(
    state,
    advantage,
    aggregation,
    size,
    differences,
    visits,
    wrong,
    right,
    log_right,
    success,
    failure,
    ascent,
    group,
    later,
    counts,
    update,
):
    """Fill `update` with the update from one group a prompt.

    All responses have the same length, so those that are right weigh the same, and those that are wrong
    too: the group enters by how many are right and by how often each wrong candidate stands in the wrong
    ones.
    """
    prompts, contexts, others, dimension = differences.shape
    update[:] = 0.0
    length = float(visits * contexts)
    group[LENGTH, 0] = length
    group[LENGTH, 1] = length
    for q in range(prompts):
        number_right = binomial(state, size, success[q], failure[q])
        group[COUNT, 0] = number_right
        group[COUNT, 1] = size - number_right
        weigh(advantage, aggregation, 2, group, length)
        of_wrong = group[WEIGHT, 1]
        total = number_right * group[WEIGHT, 0] + (size - number_right) * of_wrong
        for j in range(dimension):
            update[j] += total * ascent[q, j] / prompts
        if of_wrong == 0.0 or number_right == size:
            continue
        draw_wrong(state, size - number_right, visits, wrong[q], right[q], log_right[q], later, counts)
        for c in range(contexts):
            for a in range(others):
                if counts[c, a] > 0.0:
                    factor = of_wrong * counts[c, a] / prompts
                    for j in range(dimension):
                        update[j] -= factor * differences[q, c, a, j]


#: Types of what `_scratch` makes.
_SCRATCH = (_CUBE, matrix, matrix, matrix, matrix, vector, matrix)


def _scratch(differences: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arrays that the engines work in.

    Returns
    -------
    wrong, right, log_right, ascent
        For `evaluate`.
    group : ndarray, shape (COLUMNS, 2)
        A row for all right and one for all wrong responses to a prompt.
    later, counts
        For `draw_wrong`.
    """
    prompts, contexts, others, dimension = differences.shape
    group = np.zeros((COLUMNS, 2))
    group[REWARD, 0] = 1.0
    group[LENGTH] = 1.0
    return (
        np.empty((prompts, contexts, others)),
        np.empty((prompts, contexts)),
        np.empty((prompts, contexts)),
        np.empty((prompts, dimension)),
        group,
        np.empty(contexts + 1),
        np.empty((contexts, others)),
    )


@engine(types.void(_FEATURES, i8, ADVANTAGE, AGGREGATION, i8, _STATE, vector, *_SCRATCH, matrix, matrix))
def _updates(
    differences,
    visits,
    advantage,
    aggregation,
    size,
    state,
    theta,
    wrong,
    right,
    log_right,
    ascent,
    group,
    later,
    counts,
    rates,
    out,
):
    success, failure = rates[0], rates[1]
    evaluate(theta, differences, visits, wrong, right, log_right, success, failure, ascent)
    for i in range(out.shape[0]):
        _sampled(
            state,
            advantage,
            aggregation,
            size,
            differences,
            visits,
            wrong,
            right,
            log_right,
            success,
            failure,
            ascent,
            group,
            later,
            counts,
            out[i],
        )


@engine(
    types.void(
        _FEATURES,
        i8,
        _THREE,
        f8,
        ADVANTAGE,
        AGGREGATION,
        i8,
        _STATE,
        _THREE,
        f8,
        vector,
        *_SCRATCH,
        vector,
        matrix,
        matrix,
    )
)
def _iterate(
    differences,
    visits,
    coefficient,
    divisor,
    advantage,
    aggregation,
    size,
    state,
    schedule,
    learning_rate,
    theta,
    wrong,
    right,
    log_right,
    ascent,
    group,
    later,
    counts,
    update,
    success_path,
    failure_path,
):
    """Fill the paths, moving θ; `size` 0 means the expected update."""
    last = success_path.shape[0] - 1
    start_failure = 0.0
    for k in range(last + 1):
        success = success_path[k]
        failure = failure_path[k]
        evaluate(theta, differences, visits, wrong, right, log_right, success, failure, ascent)
        if k == 0:
            start_failure = failure.mean()
        if k == last:
            break
        if size == 0:
            _expected(coefficient, divisor, success, failure, ascent, update)
        else:
            _sampled(
                state,
                advantage,
                aggregation,
                size,
                differences,
                visits,
                wrong,
                right,
                log_right,
                success,
                failure,
                ascent,
                group,
                later,
                counts,
                update,
            )
        rate = learning_rate * schedule(float(k), failure.mean(), start_failure)
        for j in range(theta.size):
            theta[j] += rate * update[j]


def updates(
    instance: VectorInstance,
    advantage: str,
    aggregation: str,
    theta: np.ndarray,
    *,
    group_size: int,
    state: np.ndarray,
    count: int,
) -> np.ndarray:
    """Independent draws of the update u at one θ, each from one group a prompt.

    Parameters
    ----------
    instance : VectorInstance
    advantage, aggregation : str
        Names in `rules`.
    theta : ndarray, shape (d,)
    group_size : int
        Responses n in a group.
    state : ndarray, shape (4,), uint64
        Of the stream (see `streams.state`), changed in place.
    count : int
        Number of draws.

    Returns
    -------
    ndarray, shape (count, d)

    Raises
    ------
    ConfigError
        If the advantage or aggregation cannot be sampled.
    """
    out = np.empty((count, len(theta)))
    forms = rules.sampled(advantage, aggregation)
    theta = np.ascontiguousarray(theta, dtype=float)
    _updates(
        instance.differences,
        instance.visits,
        *forms,
        group_size,
        state,
        theta,
        *_scratch(instance.differences),
        np.empty((2, len(instance.differences))),
        out,
    )
    return out


def run(
    instance: VectorInstance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    *,
    iterations: int,
    schedule: str = "constant",
    group_size: int | None = None,
    state: np.ndarray | None = None,
    tolerance: float | None = None,
) -> PromptRun:
    """Iterate θ' = θ + α u from the start of an instance.

    Parameters
    ----------
    instance : VectorInstance
    advantage, aggregation, schedule : str
        Names in `rules`. A schedule that follows the failure rate is told the exact one.
    learning_rate : float
        α.
    iterations : int
        Number of updates K ≥ 1.
    group_size : int, optional
        Responses to each prompt in an update; by default the expected update of large groups.
    state : ndarray, shape (4,), uint64
        Random stream of the run, see `streams.state`; needed with a group size, and changed in place.
    tolerance : float, optional
        Converged is 1 − J ≤ tolerance · (1 − J₀); by default 1e-4, and 1e-2 for sampled groups.

    Returns
    -------
    PromptRun

    Raises
    ------
    ConfigError
        If the group has fewer than two responses, or the rule has no sampled form.
    """
    sampled = ("reinforce", "seq-mean-token-sum")  # not called where the update is exact
    if group_size is not None:
        if group_size < 2:
            raise ConfigError(f"group_size: {group_size} is not allowed; a group has 2 responses or more")
        if state is None:
            raise ConfigError("state: a sampled run needs a random stream")
        sampled = (advantage, aggregation)
    paths = np.empty((2, iterations + 1, len(instance.differences)))
    theta = instance.theta0.copy()
    _iterate(
        instance.differences,
        instance.visits,
        ADVANTAGES.find(advantage).coefficient,
        AGGREGATIONS.find(aggregation).divisor(instance),
        *rules.sampled(*sampled),
        group_size or 0,
        np.zeros(4, np.uint64) if state is None else state,
        SCHEDULES.find(schedule),
        learning_rate,
        theta,
        *_scratch(instance.differences),
        np.empty_like(theta),
        paths[0],
        paths[1],
    )
    if tolerance is None:
        tolerance = 1e-4 if group_size is None else 1e-2
    return PromptRun(paths[0], paths[1], theta, tolerance)
