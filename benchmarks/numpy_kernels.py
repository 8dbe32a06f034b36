"""The same dynamics as one writes them down with NumPy and scipy. The rule is GRPO with token sums throughout."""

import numpy as np
from gradgap.bandits import Instance
from gradgap.bandits.shared_prompts import SharedPrompts
from scipy import special


def _mass(k, n, p):
    """P(S = k) for S ~ Bin(n, p)."""
    log_ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.exp(log_ways + special.xlogy(k, p) + special.xlog1py(n - k, -p))


def rates(theta, n: int, half_width: int, share: float):
    """Success rate, failure rate and gradient gap of `counting` and `gated`, at one θ or at many."""
    p = special.expit(theta)
    low, high = n // 2 - half_width, n // 2 + half_width
    below = special.betainc(n - low + 1, low, special.expit(-theta))
    above = special.betainc(high + 1, n - high, p)
    slope = n * p * (1 - p) * (_mass(low - 1, n - 1, p) - _mass(high, n - 1, p))
    failure = share * (below + above)
    success = 1 - failure
    return success, failure, share * slope / (success * failure)


def exact(instance: Instance, learning_rate: float | np.ndarray, iterations: int):
    """θ after so many expected updates, for one learning rate or for many runs side by side."""
    n, half_width, share = (
        int(instance.kernels.constants[0]),
        int(instance.kernels.constants[1]),
        instance.kernels.constants[2],
    )
    theta = instance.theta0 + 0.0 * learning_rate
    for _ in range(iterations):
        success, failure, gap = rates(theta, n, half_width, share)
        theta += learning_rate * np.sqrt(success * failure) * gap
    return theta


def sampled(
    instance: Instance, learning_rate: float, group_size: int, iterations: int, rng: np.random.Generator
) -> float:
    """Mean failure rate over the last tenth of a sampled run."""
    n, half_width, share = (
        int(instance.kernels.constants[0]),
        int(instance.kernels.constants[1]),
        instance.kernels.constants[2],
    )
    theta = instance.theta0
    failures = []
    for k in range(iterations):
        p = special.expit(theta)
        long = rng.binomial(group_size, share)
        ones = rng.binomial(n, p, size=long)
        reward, score = np.ones(group_size), np.zeros(group_size)
        reward[:long] = np.abs(ones - n // 2) <= half_width
        score[:long] = ones - n * p
        deviation = reward.std(ddof=1)
        if deviation > 0:
            theta += learning_rate * np.mean((reward - reward.mean()) / (deviation + 1e-4) * score)
        if k >= iterations - iterations // 10:
            failures.append(rates(theta, n, half_width, share)[1])
    return float(np.mean(failures))


def reused(
    instance: Instance,
    learning_rate: float,
    group_size: int,
    iterations: int,
    steps: int,
    surrogate: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """θ of `counting` after so many groups with several steps on each."""
    n, half_width = int(instance.kernels.constants[0]), int(instance.kernels.constants[1])
    of_token, of_response, power, below, above = surrogate
    theta = instance.theta0
    for _ in range(iterations):
        old = theta
        ones = rng.binomial(n, special.expit(old), size=group_size)
        reward = (np.abs(ones - n // 2) <= half_width).astype(float)
        deviation = reward.std(ddof=1)
        if deviation == 0:
            continue
        advantage = (reward - reward.mean()) / (deviation + 1e-4)
        for _ in range(steps):
            p = special.expit(theta)
            log_one = special.log_expit(theta) - special.log_expit(old)
            log_zero = special.log_expit(-theta) - special.log_expit(-old)
            shared = of_response / n**power * (ones * log_one + (n - ones) * log_zero)
            ratios = np.exp(
                of_token * np.stack([np.full(group_size, log_one), np.full(group_size, log_zero)]) + shared
            )
            ratios[np.where(advantage > 0, ratios > 1 + above, ratios < 1 - below)] = 0
            theta += learning_rate * np.mean(
                advantage * (ones * ratios[0] * (1 - p) - (n - ones) * ratios[1] * p)
            )
    return theta


def contextual(
    instance: SharedPrompts, learning_rate: float, group_size: int, iterations: int, rng: np.random.Generator
) -> float:
    """Mean failure rate over prompts after so many sampled updates; the visits to a context are one multinomial."""
    differences = instance.differences
    prompts, contexts, _, dimension = differences.shape
    features = np.concatenate([np.zeros((prompts, contexts, 1, dimension)), -differences], axis=2)
    theta = instance.start.copy()
    for _ in range(iterations):
        weights = np.exp(features @ theta)
        policy = weights / weights.sum(axis=-1, keepdims=True)
        mean = np.einsum("qca,qcad->qcd", policy, features)
        centred = features - mean[:, :, None]
        counts = rng.multinomial(instance.visits, policy, size=(group_size, prompts, contexts))
        reward = (counts[..., 0] == instance.visits).all(axis=2).astype(float)  # group size × prompt
        deviation = reward.std(axis=0, ddof=1)
        advantage = np.where(deviation > 0, (reward - reward.mean(axis=0)) / (deviation + 1e-4), 0.0)
        update = np.einsum("nq,nqca,qcad->d", advantage, counts, centred, optimize=True)
        theta += learning_rate * update / (group_size * prompts)
    return instance.at(theta)[1]
