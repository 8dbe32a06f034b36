"""The training loop in plain Python.

It trains policies that have no compiled kernels, and tests compare the compiled loop with it. It calls the methods of
a `Policy` and follows the definitions line by line, without any shortcut.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np

from ..bandits import Policy, Sample, TokenPolicy
from ..numerics.elementary import each, exp, log
from ..numerics.streams import uniform
from . import rules
from .controllers import gained
from .optimizers import OPTIMIZERS
from .outcome import Run, judge_path, tail_length
from .ratios import RATIOS, Ratio
from .rules import ADVANTAGES, AGGREGATIONS
from .schedules import kernels

#: Size of a group in expectation: so large that advantages have reached their limit.
_EVERYONE = float(1 << 40)


def expected_update(policy: Policy, advantage: str, aggregation: str, theta: np.ndarray) -> np.ndarray:
    """The expected update of large groups: the mean over prompts of c(J_q) g_q, divided by the aggregation's divisor.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(64, 0.5)
    >>> update = expected_update(bandit, "gap", "seq-mean-token-sum", bandit.start)
    >>> bool(abs(update[0] - bandit.at(bandit.start)[2]) < 1e-12)
    True
    """
    success, failure, gap = policy.rates(theta)
    coefficient = ADVANTAGES.find(advantage).coefficient
    factors = [
        coefficient(float(j), float(n), float(np.linalg.norm(g)))
        for j, n, g in zip(success, failure, gap, strict=True)
    ]
    return np.mean(np.array(factors)[:, None] * gap, axis=0) / AGGREGATIONS.find(aggregation).divisor(policy)


def sampled_update(
    policy: Policy,
    advantage: str,
    aggregation: str,
    theta: np.ndarray,
    group_size: int,
    state: np.ndarray,
    dynamic_sampling: bool = False,
) -> np.ndarray:
    """The update from one sampled group for each prompt: the mean over prompts of Σ weight · score.

    With dynamic sampling, groups whose responses are all right or all wrong are left out of the mean.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> from gradgap.numerics import streams
    >>> bandit = FAMILIES.find("counting").instance(64, 0.5)
    >>> stream = streams.state(1, {})
    >>> sampled_update(bandit, "rloo", "token-mean", bandit.start, 16, stream).shape
    (1,)
    """
    batch = _drawn(policy, advantage, aggregation, theta, group_size, state, dynamic_sampling, 1)
    return _on_policy(batch, theta)


class Surrogate(NamedTuple):
    """The ratio of tokens, and its clip to [1 − below, 1 + above]."""

    ratio: Ratio
    below: float
    above: float


def surrogate_update(
    policy: TokenPolicy, group: Sample, weights: np.ndarray, theta: np.ndarray, old: np.ndarray, of: Surrogate
) -> np.ndarray:
    """The update at θ from responses that were drawn at `old`, token by token.

    It is the gradient of Σ_i weight_i Σ_t min(ρ_t sign_i, clip(ρ_t) sign_i), sign_i the sign of the weight, where the
    gradient of each ρ_t is ρ_t s_t: Σ_i weight_i Σ_t ρ_t s_t over the tokens whose ratio the clip has not stopped.

    Parameters
    ----------
    policy : TokenPolicy
    group : Sample
        Of n responses.
    weights : ndarray, shape (n,)
        Factor of each response.
    theta, old : ndarray, shape (d,)
    of : Surrogate

    Returns
    -------
    ndarray, shape (d,)
    """
    log_now, scores = policy.tokens_at(theta, group)
    log_ratio = log_now - policy.tokens_at(old, group)[0]
    divisors = each(exp, of.ratio.length_power * each(log, group.lengths))
    whole = log_ratio.sum(axis=1, keepdims=True) / divisors[:, None]
    ratio = each(exp, of.ratio.token * log_ratio + of.ratio.response * whole)
    stopped = np.where(weights[:, None] > 0, ratio > 1 + of.above, ratio < 1 - of.below)
    factors = weights[:, None] * np.where(stopped, 0.0, ratio)
    return (factors[:, :, None] * scores).sum(axis=(0, 1))


def _on_policy(batch, theta):
    """The mean over the groups of a batch of Σ weight · score, where it was drawn."""
    return sum((weights[0] @ group.scores for group, weights in batch), np.zeros(len(theta))) / max(
        len(batch), 1
    )


def _everything(policy: TokenPolicy, advantage: str, aggregation: str, old: np.ndarray):
    """Every response to each prompt, with its weight in large groups."""
    batch = []
    advantages, factor = rules.sampled(advantage, aggregation)
    for group, chances in policy.every(old):
        counts = _EVERYONE * chances
        right, size = float(counts @ group.rewards), float(counts.sum())
        of_right, of_wrong = advantages(right, size)
        tokens = float(counts @ group.lengths)
        factors = [factor(float(n), size, tokens, float(policy.max_length)) for n in group.lengths]
        weights = counts * factors * np.where(group.rewards > 0.5, of_right, of_wrong)
        batch.append((group, weights[None]))
    return batch


def _drawn(policy, advantage, aggregation, old, group_size, state, dynamic_sampling, minibatches):
    """One group for each prompt, and the weight of each response in each minibatch, of shape (minibatches, n)."""
    batch = []
    for group in policy.sample(old, group_size, state):
        mixed = len(set(group.rewards)) > 1
        if mixed or not dynamic_sampling:
            batch.append((group, _weights(policy, advantage, aggregation, group, state, minibatches)))
    return batch


def _revisited(policy, batch, part, theta, old, surrogate):
    """The mean over the groups of a batch of the surrogate's update, from one minibatch."""
    updates = (
        surrogate_update(policy, group, weights[part], theta, old, surrogate) for group, weights in batch
    )
    return sum(updates, np.zeros(len(theta))) / max(len(batch), 1)


def _weights(policy, advantage, aggregation, group, state, minibatches):
    whole = rules.weights(advantage, aggregation, group.rewards, group.lengths, policy.max_length)
    if minibatches == 1:
        return whole[None]
    # a token sum over n times n is the advantage itself, that of the whole group
    sums = "seq-mean-token-sum"
    advantages = len(whole) * rules.weights(advantage, sums, group.rewards, group.lengths, policy.max_length)
    part_of = deal(len(whole), minibatches, state)
    weights = np.zeros((minibatches, len(whole)))
    for part in range(minibatches):
        mine = part_of == part
        # the reward 1 with `reinforce` leaves the factor of the aggregation alone
        factors = rules.weights(
            "reinforce", aggregation, np.ones(mine.sum()), group.lengths[mine], policy.max_length
        )
        weights[part, mine] = factors * advantages[mine]
    return weights


def deal(responses: int, minibatches: int, state: np.ndarray) -> np.ndarray:
    """The minibatch of each response, as in `bandits.groups.deal`: at random, all minibatches of one size.

    Returns
    -------
    ndarray of int, shape (responses,)

    Examples
    --------
    >>> from gradgap.numerics import streams
    >>> sorted(deal(6, 3, streams.state(1, {})).tolist())
    [0, 0, 1, 1, 2, 2]
    """
    free = [part for part in range(minibatches) for _ in range(responses // minibatches)]
    return np.array([free.pop(int(uniform(state) * len(free))) for _ in range(responses)])


def train(
    policy: Policy,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    *,
    iterations: int,
    group_size: int = 0,
    state: np.ndarray | None = None,
    tolerance: float = 1e-4,
    schedule: str = "constant",
    optimizer: str = "sgd",
    optimizer_settings: Mapping[str, float] | None = None,
    clip_norm: float = np.inf,
    dynamic_sampling: bool = False,
    steps_per_batch: int = 1,
    minibatches: int = 1,
    ratio: str = "token",
    clip_range: float = np.inf,
    clip_range_high: float | None = None,
    delay: int = 0,
    kl_coef: float = 0.0,
    record: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> Run:
    """Train once. Arguments and result are those of `training.run.train`, for one learning rate.

    Several steps a batch, a delay and the KL divergence need a `TokenPolicy`.

    Returns
    -------
    Run

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(16, 0.2)
    >>> train(bandit, "reinforce", "seq-mean-token-sum", 0.1, iterations=500).outcome.name
    'converged'
    """
    chosen = OPTIMIZERS.find(optimizer)
    settings = chosen.vector(optimizer_settings)
    theta = np.array(policy.start if start is None else start, dtype=float)
    theta_start = theta
    memory, step = chosen.memory(len(theta)), np.zeros(len(theta))
    visited = [policy.rates(theta)]
    start_failure = float(visited[0].failure.mean())
    factors, controller = kernels(schedule)
    scale = 1.0  # what the controller allows
    high = clip_range if clip_range_high is None else clip_range_high
    surrogate = Surrogate(RATIOS.find(ratio), clip_range, high)
    divisor = AGGREGATIONS.find(aggregation).divisor(policy)
    again = cast(TokenPolicy, policy)  # where the arguments need one
    past = [theta] * (delay + 1)
    steps = steps_per_batch * minibatches
    parts = minibatches if group_size else 1  # in expectation a minibatch is the whole batch
    batch: list[tuple[Sample, np.ndarray]] = []
    for k in range(iterations):
        past = [*past[1:], theta]
        before, old = theta, past[0]
        if group_size:
            assert state is not None
            batch = _drawn(policy, advantage, aggregation, old, group_size, state, dynamic_sampling, parts)
        elif steps > 1 or delay > 0:
            batch = _everything(again, advantage, aggregation, old)
        failure = float(visited[-1].failure.mean())
        factor = scale * factors(float(k), float(iterations), failure, start_failure)
        for s in range(steps):
            if s > 0 or delay > 0 or parts > 1:
                update = _revisited(again, batch, s % parts, theta, old, surrogate)
            elif group_size:
                update = _on_policy(batch, theta)
            else:
                update = expected_update(policy, advantage, aggregation, theta)
            if kl_coef > 0:
                update = update - kl_coef * again.divergence(theta, theta_start) / divisor
            norm = np.linalg.norm(update)
            if norm > clip_norm:
                update = update * (clip_norm / norm)
            chosen.move(theta, update, memory, settings, step)
            theta = theta + learning_rate * factor * step
        visited.append(policy.rates(theta))
        if controller.present and (theta != before).any():
            old, half, new = (
                np.array([rates.success, rates.failure])
                for rates in (visited[-2], policy.rates(before + 0.5 * (theta - before)), visited[-1])
            )
            gains = gained(old, half), gained(old, new)
            scale = controller.control(*gains, scale, controller.constants, controller.memory)
    success = np.array([rates.success for rates in visited])
    failures = np.array([rates.failure for rates in visited])
    tail = tail_length(iterations)
    kept = np.empty(0, int) if record is None else np.asarray(record, int)
    return Run(
        judge_path(success.mean(axis=1), failures.mean(axis=1), policy.best_failure, tolerance),
        float(success[-tail:].mean()),
        float(failures[-tail:].mean()),
        success[-tail:].mean(axis=0),
        failures[-tail:].mean(axis=0),
        success[kept],
        failures[kept],
        theta,
    )
