"""The one training loop: θ' = θ + α · schedule · step, for one parameter and for many, exact and sampled.

An iteration is evaluate → update → clip → move. Where a batch serves for several steps, the last three are repeated
with the update from the same batch at the new parameters. The update of a rule is its expectation over large groups,
or comes from sampled groups; an optimizer turns it into a step. Everything that can be chosen is a kernel in a
structure, so that this is compiled once for all families, rules, optimizers and schedules. `training.run` prepares
the arguments; `training.plain` is the same loop in plain Python, for policies without kernels and as the reference.

Two shortcuts save time. Both hold only where a step depends on the present θ and update alone, that is where the
optimizer is memoryless: a state of an exact run that returns to the last bit fixes all that follows, and batches in
which nothing can be learned are counted at once where a family can.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..bandits import COMPILED, DIVERGENCE, EVALUATE, EVERY, OUTCOMES, REVISIT, SCORE
from ..bandits.groups import ADVANTAGE, AGGREGATION, COUNT, deal, weigh, weigh_part
from ..numerics.compiler import (
    borrowed,
    cube,
    engine,
    f8,
    function_at,
    i8,
    inlined,
    kernel,
    matrix,
    pointer,
    stream,
    structure,
    types,
    u8,
    vector,
)
from .controllers import CONTROL, ControlKernel, gained
from .optimizers import MOVE, clip
from .outcome import Summary, judge, tail_length
from .rules import COEFFICIENT
from .schedules import SCHEDULE

#: Nearer than this to a best θ of 0, exp(nθ) is 1 to the last bit for any length n in reach: the rates no longer
#: move and the update is linear in θ, so that a distance that shrank once shrinks ever after.
_SETTLED = 1e-24
#: Responses of a batch in expectation: so many that advantages of a group have reached their limit.
_EVERYONE = float(1 << 40)
#: Batches that dynamic sampling draws for one update at the most, before it gives the update up.
_MOST_DRAWN = 10_000


class RuleKernels(NamedTuple):
    """An update rule: its expectation (`coefficient`, with the divisor) and its sampled form.

    Attributes
    ----------
    coefficient, advantage, aggregation : compiled function
        `Advantage.coefficient`, `Advantage.sampled` and `Aggregation.sampled`.
    divisor : float
        `Aggregation.divisor`, in tokens.
    max_length : float
        Length of the longest response, in tokens.
    """

    coefficient: Callable
    advantage: Callable
    aggregation: Callable
    divisor: float
    max_length: float


class MoveKernels(NamedTuple):
    """How an update becomes a move: the optimizer with its settings, clipping and the schedule.

    Attributes
    ----------
    optimizer, schedule : compiled function
        `Optimizer.move` and a schedule.
    settings : ndarray
        Of the optimizer, as `Optimizer.vector` gives them.
    plain : bool
        The step is the update itself, and the optimizer need not be called.
    memoryless : bool
        The step depends on the present update alone, and an update of 0 moves nothing.
    steady : bool
        The schedule is constant.
    clip_norm : float
        Largest norm of an update; infinite where it is not clipped.
    """

    optimizer: Callable
    schedule: Callable
    settings: np.ndarray
    plain: bool
    memoryless: bool
    steady: bool
    clip_norm: float


class Protocol(NamedTuple):
    """How a run is made and judged.

    Attributes
    ----------
    iterations : int
        Updates K ≥ 1.
    group_size : int
        Sampled responses n to each prompt in an update; 0 for the expected update.
    dynamic_sampling : bool
        Groups that are all right or all wrong are dropped, and drawn again where there is one prompt.
    reads_rates : bool
        Sampling needs the rates of the present θ.
    watched : bool
        The rates are wanted at every update, not over the tail alone.
    best_failure : float
        1 − J_max.
    best_theta : float
        Where it is reached, for one parameter; nan where there is no such θ.
    tolerance : float
        See `judge`.
    """

    iterations: int
    group_size: int
    dynamic_sampling: bool
    reads_rates: bool
    watched: bool
    best_failure: float
    best_theta: float
    tolerance: float


class Reuse(NamedTuple):
    """Steps that are not the first on a fresh batch, and the pull back to the start.

    Attributes
    ----------
    steps : int
        Steps on each batch, μm ≥ 1.
    minibatches : int
        Of them each takes one of m minibatches in turn; 1 where it takes the whole batch.
    delay : int
        Iterations τ ≥ 0 between the parameters that a batch is drawn at and the first step on it.
    surrogate : ndarray, shape (5,)
        See `bandits.surrogates`.
    kl_coef : float
        Factor β of the KL divergence from the start, which is aggregated as the update is.
    """

    steps: int
    minibatches: int
    delay: int
    surrogate: np.ndarray
    kl_coef: float


class Workspace(NamedTuple):
    """Arrays that the loop works in: d parameters, Q prompts.

    Attributes
    ----------
    policy : ndarray
        The policy's own.
    rates, other : ndarray, shape (2, Q)
    gaps : ndarray, shape (Q, d), or (0, d) for sampled updates
    group : ndarray, shape (COLUMNS, rows)
    vectors : ndarray, shape (7 + τ, d)
        Update, step, the parameters one and two iterations ago, the slope of the KL divergence, the start, and the
        parameters of the last τ + 1 iterations.
    memory : ndarray, shape (slots, d)
        Of the optimizer.
    parts : ndarray, shape (minibatches, rows + 1)
        See `groups.deal`.
    """

    policy: np.ndarray
    rates: np.ndarray
    other: np.ndarray
    gaps: np.ndarray
    group: np.ndarray
    vectors: np.ndarray
    memory: np.ndarray
    parts: np.ndarray


class Results(NamedTuple):
    """What is filled, for R runs.

    Attributes
    ----------
    theta : ndarray, shape (R, d)
        Parameters: the start, and after training the end.
    outcome : ndarray, shape (R,)
        Numbers of `Outcome`.
    final : ndarray, shape (R, 2, Q)
        Success and failure rate of each prompt, means over the tail.
    path : ndarray, shape (R, 2 · recorded, Q)
        Success rates, then failure rates, at the recorded iterations.
    """

    theta: np.ndarray
    outcome: np.ndarray
    final: np.ndarray
    path: np.ndarray


_evaluate, _outcomes, _score = function_at(EVALUATE), function_at(OUTCOMES), function_at(SCORE)
_every, _revisit, _divergence = function_at(EVERY), function_at(REVISIT), function_at(DIVERGENCE)
_coefficient, _advantage, _aggregation = (
    function_at(COEFFICIENT),
    function_at(ADVANTAGE),
    function_at(AGGREGATION),
)
_move, _schedule, _control = function_at(MOVE), function_at(SCHEDULE), function_at(CONTROL)

_RULE = structure(RuleKernels, COEFFICIENT, ADVANTAGE, AGGREGATION, f8, f8)
_MOVE = structure(MoveKernels, MOVE, SCHEDULE, vector, types.boolean, types.boolean, types.boolean, f8)
_CONTROL = structure(ControlKernel, CONTROL, vector, vector, types.boolean)
_REUSE = structure(Reuse, i8, i8, i8, vector, f8)
_PROTOCOL = structure(Protocol, i8, i8, types.boolean, types.boolean, types.boolean, f8, f8, f8)
_WORKSPACE = structure(Workspace, vector, matrix, matrix, matrix, matrix, matrix, matrix, matrix)
_RESULTS = structure(Results, matrix, types.Array(i8, 1, "C"), cube, cube)


@kernel
def _mean(values):
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total / values.size


@inlined
def _mean_failure(rates):
    if rates.shape[1] == 1:
        return rates[1, 0]
    total = 0.0
    for q in range(rates.shape[1]):
        total += rates[1, q]
    return total / rates.shape[1]


# Inside loops arrays are local variables, not fields: numba counts a reference each time a field is read.


@inlined
def _expected(coefficient, divisor, rates, gaps, update):
    """Fill `update` with its expectation over large groups: the mean over prompts of c(J_q) g_q over the divisor."""
    prompts, dimension = gaps.shape
    if dimension == 1 and prompts == 1:
        update[0] = coefficient(rates[0, 0], rates[1, 0], abs(gaps[0, 0])) * gaps[0, 0] / divisor
        return
    for j in range(dimension):
        update[j] = 0.0
    for q in range(prompts):
        norm = 0.0
        for j in range(dimension):
            norm += gaps[q, j] * gaps[q, j]
        factor = coefficient(rates[0, q], rates[1, q], math.sqrt(norm)) / (divisor * prompts)
        for j in range(dimension):
            update[j] += factor * gaps[q, j]


@inlined
def _sampled(policy, rule, protocol, state, theta, most, constants, space, rates, group, update):
    """Fill `update` from sampled groups.

    Returns
    -------
    batches : int
        Batches drawn; all but the last had nothing to learn from.
    rows : int
        Of the last one, if it has; else 0.
    """
    for j in range(update.size):
        update[j] = 0.0
    advantage, aggregation = _advantage(rule.advantage), _aggregation(rule.aggregation)
    outcomes, score = _outcomes(policy.outcomes), _score(policy.score)
    prompts = rates.shape[1]
    mixed_only = protocol.dynamic_sampling
    for _ in range(_MOST_DRAWN):
        rows, batches = outcomes(state, theta, constants, space, rates, protocol.group_size, most, group)
        if rows == 0:
            if mixed_only:
                continue
            return batches, 0
        kept = weigh(advantage, aggregation, rows, group, rule.max_length, mixed_only)
        if mixed_only:
            if kept == 0 and prompts == 1:
                continue  # drawn again; such batches are no iterations
            batches = 1
            prompts = max(kept, 1)
        score(state, theta, constants, space, rows, group, update)
        if prompts > 1:
            for j in range(update.size):
                update[j] /= prompts
        return batches, rows
    return 1, 0


@engine(COMPILED, _RULE, _PROTOCOL, stream, vector, _WORKSPACE, matrix)
def draw_updates(policy, rule, protocol, state, theta, work, out):
    """Fill each row of `out` with the update from groups of its own, all at one θ."""
    constants, space, rates = borrowed(policy.constants), borrowed(work.policy), borrowed(work.rates)
    group, out, state = borrowed(work.group), borrowed(out), pointer(state)
    _evaluate(policy.evaluate)(theta, constants, space, rates, work.gaps)
    for i in range(out.shape[0]):
        _sampled(policy, rule, protocol, state, theta, 1, constants, space, rates, group, out[i])


@kernel
def _everything(policy, rule, theta, constants, space, surrogate, group):
    """Fill a batch with every response, weighed; returns its rows."""
    rows = _every(policy.every)(theta, constants, space, surrogate, group)
    for i in range(rows):
        group[COUNT, i] *= _EVERYONE
    weigh(_advantage(rule.advantage), _aggregation(rule.aggregation), rows, group, rule.max_length, False)
    return rows


@inlined
def _same(a, b):
    for j in range(a.size):  # noqa: SIM110 (numba knows no generator here)
        if a[j] != b[j]:
            return False
    return True


@inlined
def _returned(theta, before, earlier, best):
    """The period with which an exact, memoryless run repeats itself from here on; 0 where it does not yet."""
    if _same(theta, before):
        return 1
    distance = abs(theta[0] - best)
    if theta.size == 1 and distance < _SETTLED and distance < abs(before[0] - best):
        return 1
    return 2 if _same(theta, earlier) else 0


@engine(
    COMPILED,
    _RULE,
    _MOVE,
    _CONTROL,
    _REUSE,
    _PROTOCOL,
    vector,
    types.Array(u8, 2, "C"),
    types.Array(i8, 1, "C"),
    _WORKSPACE,
    _RESULTS,
)
def train(policy, rule, move, controller, reuse, protocol, learning_rates, states, record, work, results):
    """Make one run for each learning rate, each from its own row of the parameters and of the random streams."""
    iterations = protocol.iterations
    tail = tail_length(iterations)
    exact = protocol.group_size == 0
    steps, delay, kl_coef = reuse.steps, reuse.delay, reuse.kl_coef
    revisits = steps > 1 or delay > 0
    minibatches, parts = reuse.minibatches, borrowed(work.parts)
    divided = minibatches > 1
    controlled = controller.present
    # a state that returns fixes all that follows
    repeats = exact and move.memoryless and move.steady and delay == 0 and not controlled
    still = move.memoryless and kl_coef == 0.0  # an iteration without an update moves nothing
    ahead = still and delay == 0  # so that batches can be drawn until one has an update
    # the rates are read at every update
    always = exact or controlled or protocol.watched or protocol.reads_rates
    kept = record.size
    evaluate, schedule, optimizer = (
        _evaluate(policy.evaluate),
        _schedule(move.schedule),
        _move(move.optimizer),
    )
    control, told, remembered = (
        _control(controller.control),
        borrowed(controller.constants),
        borrowed(controller.memory),
    )
    revisit, divergence = _revisit(policy.revisit), _divergence(policy.divergence)
    constants, space, settings = borrowed(policy.constants), borrowed(work.policy), borrowed(move.settings)
    surrogate = borrowed(reuse.surrogate)
    rates, gaps, group, memory = (
        borrowed(work.rates),
        borrowed(work.gaps),
        borrowed(work.group),
        borrowed(work.memory),
    )
    vectors, thetas, finals = borrowed(work.vectors), borrowed(results.theta), borrowed(results.final)
    paths, streams = borrowed(results.path), borrowed(states)
    coefficient, divisor = _coefficient(rule.coefficient), rule.divisor
    advantage, aggregation = _advantage(rule.advantage), _aggregation(rule.aggregation)
    max_length = rule.max_length
    update, before, earlier = vectors[0], vectors[2], vectors[3]
    slope, start = vectors[4], vectors[5]
    old = vectors[6]  # where the batch was drawn
    step = update if move.plain else vectors[1]
    other = borrowed(work.other)  # the other state of a two-cycle; with a controller, the rates before a move
    prompts = rates.shape[1]
    for run in range(learning_rates.size):
        theta, final, path = thetas[run], finals[run], paths[run]
        state = pointer(streams[run])
        memory[:] = 0.0
        remembered[:] = 0.0
        scale, half_gain = 1.0, 0.0  # factor of the controller, and what a move gained halfway
        before[:] = np.nan
        if kl_coef > 0.0:
            start[:] = theta
        if delay > 0:
            for i in range(delay + 1):
                vectors[6 + i] = theta
        final[:] = 0.0
        evaluate(theta, constants, space, rates, gaps)
        start_success, start_failure = _mean(rates[0]), _mean(rates[1])
        failure = least = tail_failure = start_failure
        fall = 0.0
        idle = True  # through the tail
        stale = False  # the rates are those of an earlier θ
        period = waiting = at = 0
        rows = k = 0
        while k < iterations:
            if at < kept and record[at] == k:
                path[at] = rates[0]
                path[kept + at] = rates[1]
                at += 1
            if k == iterations - tail:
                if stale:
                    evaluate(theta, constants, space, rates, gaps)
                    failure = _mean_failure(rates)
                    stale = False
                tail_failure = failure
            if waiting > 1 and ahead:  # up to the next batch that scores, nothing changes
                until = iterations if k >= iterations - tail else iterations - tail
                if at < kept:
                    until = min(until, record[at])
                idle_iterations = min(waiting - 1, until - k)
                if k >= iterations - tail:
                    for i in range(2):
                        for q in range(prompts):
                            final[i, q] += idle_iterations * rates[i, q]
                waiting -= idle_iterations
                k += idle_iterations
                if idle_iterations > 0:
                    continue
            if period == 0:
                if delay > 0:
                    vectors[6 + k % (delay + 1)] = theta
                    old = vectors[6 + (k + 1) % (delay + 1)]
                elif revisits:
                    for j in range(theta.size):
                        old[j] = theta[j]
                if exact:
                    if delay == 0:
                        _expected(coefficient, divisor, rates, gaps, update)
                    if revisits:
                        rows = _everything(policy, rule, old, constants, space, surrogate, group)
                    learning = True
                else:
                    if waiting == 0:
                        # θ may move before a batch drawn ahead of its time is used, if the optimizer remembers
                        most = iterations - k if ahead else 1
                        drawn_at = old if delay > 0 else theta
                        waiting, rows = _sampled(
                            policy,
                            rule,
                            protocol,
                            state,
                            drawn_at,
                            most,
                            constants,
                            space,
                            rates,
                            group,
                            update,
                        )
                        if divided and rows > 0:
                            deal(state, rows, group, parts)
                    waiting -= 1
                    learning = rows > 0 and waiting == 0
                    idle = idle and not (learning and k >= iterations - tail)
                if learning or not still:  # an idle iteration has an update of 0
                    factor = scale * learning_rates[run]
                    if not move.steady:
                        factor *= schedule(float(k), float(iterations), failure, start_failure)
                    if repeats or controlled:
                        for j in range(theta.size):
                            earlier[j], before[j] = before[j], theta[j]
                        for i in range(2):
                            for q in range(prompts):
                                other[i, q] = rates[i, q]
                    for s in range(steps):
                        if s > 0 or delay > 0 or divided:
                            for j in range(theta.size):
                                update[j] = 0.0
                            if learning:
                                if divided:
                                    at_part = s % minibatches
                                    weigh_part(
                                        advantage, aggregation, rows, group, parts, at_part, max_length
                                    )
                                revisit(theta, old, constants, space, rows, group, surrogate, update)
                        if kl_coef > 0.0:
                            divergence(theta, start, constants, space, slope)
                            for j in range(theta.size):
                                update[j] -= kl_coef * slope[j] / divisor
                        if move.clip_norm < math.inf:
                            clip(update, move.clip_norm)
                        if not move.plain:
                            optimizer(theta, update, memory, settings, step)
                        for j in range(theta.size):
                            moved = theta[j] + factor * step[j]
                            stale = stale or moved != theta[j]  # an update of 0 leaves the rates as they are
                            theta[j] = moved
                    stale = stale or revisits or kl_coef > 0.0  # the workspace was used since
                    if controlled and stale:
                        for j in range(theta.size):
                            earlier[j] = before[j] + 0.5 * (theta[j] - before[j])
                        evaluate(earlier, constants, space, rates, gaps)
                        half_gain = gained(other, rates)
                if stale and (always or k >= iterations - tail):
                    evaluate(theta, constants, space, rates, gaps)
                    failure = _mean_failure(rates)
                    stale = False
                    fall = max(fall, failure - least)
                    least = min(least, failure)
                    if controlled:
                        scale = control(half_gain, gained(other, rates), scale, told, remembered)
                if repeats:
                    period = _returned(theta, before, earlier, protocol.best_theta)
            elif period == 2:
                for i in range(2):
                    for q in range(prompts):
                        rates[i, q], other[i, q] = other[i, q], rates[i, q]
                failure = _mean_failure(rates)
            if k >= iterations - tail:
                for i in range(2):
                    for q in range(prompts):
                        final[i, q] += rates[i, q]
            k += 1
        if at < kept and record[at] == iterations:
            path[at] = rates[0]
            path[kept + at] = rates[1]
        for i in range(2):
            for q in range(prompts):
                final[i, q] /= tail
        summary = Summary(
            start_success,
            start_failure,
            _mean(final[0]),
            _mean(final[1]),
            tail_failure,
            failure,
            fall,
            idle and not exact,
        )
        results.outcome[run] = judge(summary, protocol.best_failure, protocol.tolerance)
