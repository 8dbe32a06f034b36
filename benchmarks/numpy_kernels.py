"""The same dynamics as one writes them down with NumPy and scipy. The rule is GRPO with token sums throughout."""

import numpy as np
from gradgap.families import Instance
from gradgap.families.contextual import VectorInstance
from scipy import special


def _mass(k, n, p):
    """P(S = k) for S ~ Bin(n, p)."""
    log_ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.exp(log_ways + special.xlogy(k, p) + special.xlog1py(n - k, -p))


def rates(theta: float, n: int, half_width: int, share: float) -> tuple[float, float, float]:
    """Success rate, failure rate and gradient gap of `counting` and `gated`."""
    p = special.expit(theta)
    low, high = n // 2 - half_width, n // 2 + half_width
    below, above = special.bdtr(low - 1, n, p), special.bdtrc(high, n, p)
    slope = n * p * (1 - p) * (_mass(low - 1, n - 1, p) - _mass(high, n - 1, p))
    failure = share * (below + above)
    success = 1 - failure
    return success, failure, share * slope / (success * failure)


def exact(instance: Instance, learning_rate: float, iterations: int) -> float:
    """θ after so many expected updates."""
    n, half_width, share = int(instance.parameters[0]), int(instance.parameters[1]), instance.parameters[2]
    theta = instance.theta0
    for _ in range(iterations):
        success, failure, gap = rates(theta, n, half_width, share)
        theta += learning_rate * np.sqrt(success * failure) * gap
    return float(theta)


def sampled(
    instance: Instance, learning_rate: float, group_size: int, iterations: int, rng: np.random.Generator
) -> float:
    """Mean failure rate over the last tenth of a sampled run."""
    n, half_width, share = int(instance.parameters[0]), int(instance.parameters[1]), instance.parameters[2]
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


def contextual(
    instance: VectorInstance, learning_rate: float, group_size: int, iterations: int, rng: np.random.Generator
) -> float:
    """Mean failure rate over prompts after so many sampled updates; tokens are drawn."""
    differences = instance.differences
    prompts, contexts, others, dimension = differences.shape
    features = np.concatenate([np.zeros((prompts, contexts, 1, dimension)), -differences], axis=2)
    theta = instance.theta0.copy()
    for _ in range(iterations):
        weights = np.exp(features @ theta)
        policy = weights / weights.sum(axis=-1, keepdims=True)
        mean = np.einsum("qca,qcad->qcd", policy, features)
        cumulative = np.repeat(policy.cumsum(axis=-1), instance.visits, axis=1)  # a row a token
        update = np.zeros(dimension)
        for q in range(prompts):
            u = rng.random((group_size, cumulative.shape[1], 1))
            token = (u > cumulative[q]).sum(axis=-1).clip(max=others)
            reward = (token == 0).all(axis=1).astype(float)
            deviation = reward.std(ddof=1)
            if deviation == 0:
                continue
            context = np.arange(token.shape[1]) // instance.visits
            score = (features[q, context, token] - mean[q, context]).sum(axis=1)
            update += ((reward - reward.mean()) / (deviation + 1e-4)) @ score / group_size
        theta += learning_rate * update / prompts
    return instance.at(theta)[1]
