"""The training loop in plain Python.

It trains policies that have no compiled kernels, and tests compare the compiled loop with it. It calls the methods of
a `Policy` and follows the definitions line by line, without any shortcut.
"""

from collections.abc import Mapping

import numpy as np

from ..bandits import Policy
from . import rules
from .controllers import gained
from .optimizers import OPTIMIZERS
from .outcome import Run, judge_path, tail_length
from .rules import ADVANTAGES, AGGREGATIONS
from .schedules import kernels


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
    total, kept = np.zeros(len(theta)), 0
    groups = policy.sample(theta, group_size, state)
    for group in groups:
        if dynamic_sampling and len(set(group.rewards)) == 1:
            continue
        kept += 1
        weights = rules.weights(advantage, aggregation, group.rewards, group.lengths, policy.max_length)
        total += weights @ group.scores
    return total / max(kept if dynamic_sampling else len(groups), 1)


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
    record: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> Run:
    """Train once. Arguments and result are those of `training.run.train`, for one learning rate.

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
    memory, step = chosen.memory(len(theta)), np.zeros(len(theta))
    visited = [policy.rates(theta)]
    start_failure = float(visited[0].failure.mean())
    factors, controller = kernels(schedule)
    scale = 1.0  # what the controller allows
    for k in range(iterations):
        if group_size:
            assert state is not None
            update = sampled_update(
                policy, advantage, aggregation, theta, group_size, state, dynamic_sampling
            )
        else:
            update = expected_update(policy, advantage, aggregation, theta)
        norm = np.linalg.norm(update)
        if norm > clip_norm:
            update = update * (clip_norm / norm)
        failure = float(visited[-1].failure.mean())
        factor = scale * factors(float(k), float(iterations), failure, start_failure)
        chosen.move(theta, update, memory, settings, step)
        before, theta = theta, theta + learning_rate * factor * step
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
