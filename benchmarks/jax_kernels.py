"""The same dynamics in JAX on the CPU, compiled, in double precision. The rule is GRPO with token sums throughout."""

from functools import cache, partial

import numpy as np
from gradgap.bandits import Instance
from gradgap.bandits.shared_prompts import SharedPrompts


@cache
def _jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    return jax


def _rates(theta, n, half_width, share):
    jax = _jax()
    jnp, special = jax.numpy, jax.scipy.special
    p = special.expit(theta)
    low, high = n // 2 - half_width, n // 2 + half_width

    def mass(k, n):
        ways = special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
        return jnp.exp(ways + k * jnp.log(p) + (n - k) * jnp.log1p(-p))

    above = special.betainc(high + 1.0, n - high + 0.0, p)
    below = special.betainc(n - low + 1.0, low + 0.0, 1 - p)
    failure = share * (below + above)
    success = 1 - failure
    slope = n * p * (1 - p) * (mass(low - 1.0, n - 1.0) - mass(high + 0.0, n - 1.0))
    return success, failure, share * slope / (success * failure)


@cache
def _exact(n, half_width, share, iterations):
    jax = _jax()

    def run(theta, learning_rate):
        def step(_, theta):
            success, failure, gap = _rates(theta, n, half_width, share)
            return theta + learning_rate * jax.numpy.sqrt(success * failure) * gap

        return jax.lax.fori_loop(0, iterations, step, theta)

    return jax.jit(run)


def exact(instance: Instance, learning_rate: float, iterations: int) -> float:
    """θ after so many expected updates."""
    n, half_width, share = instance.kernels.constants
    run = _exact(int(n), int(half_width), float(share), iterations)
    return float(run(instance.theta0, learning_rate))


def _centred(jnp, reward):
    deviation = jnp.std(reward, ddof=1)
    return jnp.where(deviation > 0, (reward - reward.mean()) / (deviation + 1e-4), 0.0)


@cache
def _sampled(n, half_width, share, group_size, iterations):
    jax = _jax()
    jnp = jax.numpy

    def run(theta, learning_rate, key):
        def step(_, state):
            theta, key = state
            key, first, second = jax.random.split(key, 3)
            p = jax.scipy.special.expit(theta)
            long = jax.random.uniform(first, (group_size,)) < share
            ones = jax.random.binomial(second, n, p, (group_size,), dtype=jnp.float64)
            reward = jnp.where(long, jnp.abs(ones - n // 2) <= half_width, True).astype(float)
            score = jnp.where(long, ones - n * p, 0.0)
            return theta + learning_rate * jnp.mean(_centred(jnp, reward) * score), key

        return jax.lax.fori_loop(0, iterations, step, (theta, key))[0]

    return jax.jit(run)


def sampled(instance: Instance, learning_rate: float, group_size: int, iterations: int, seed: int) -> float:
    """Failure rate after so many sampled updates."""
    n, half_width, share = instance.kernels.constants
    run = _sampled(int(n), int(half_width), float(share), group_size, iterations)
    theta = float(run(instance.theta0, learning_rate, _jax().random.key(seed)))
    return instance.at(theta)[1]


@cache
def _contextual(visits, group_size, iterations):
    jax = _jax()
    jnp = jax.numpy

    def run(theta, differences, learning_rate, key):
        prompts, contexts, _, _ = differences.shape
        features = jnp.concatenate([jnp.zeros_like(differences[:, :, :1]), -differences], axis=2)

        def of_prompt(theta, features, key):
            logits = features @ theta
            token = jax.random.categorical(key, logits, shape=(group_size, visits, contexts))
            reward = (token == 0).all(axis=(1, 2)).astype(float)
            mean = jnp.einsum("ca,cad->cd", jax.nn.softmax(logits), features)
            score = (features[jnp.arange(contexts), token] - mean).sum(axis=(1, 2))
            return _centred(jnp, reward) @ score / group_size

        def step(_, state):
            theta, key = state
            key, now = jax.random.split(key)
            update = jax.vmap(partial(of_prompt, theta))(features, jax.random.split(now, prompts))
            return theta + learning_rate * update.mean(axis=0), key

        return jax.lax.fori_loop(0, iterations, step, (theta, key))[0]

    return jax.jit(run)


def contextual(
    instance: SharedPrompts, learning_rate: float, group_size: int, iterations: int, seed: int
) -> float:
    """Mean failure rate over prompts after so many sampled updates; tokens are drawn."""
    run = _contextual(instance.visits, group_size, iterations)
    theta = run(instance.start, instance.differences, learning_rate, _jax().random.key(seed))
    return instance.at(np.asarray(theta))[1]
