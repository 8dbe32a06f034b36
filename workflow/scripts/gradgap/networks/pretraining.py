"""Pre-training: parameters at which a network has the success rate that a run is to start with.

A task says how its networks are pre-trained (`tasks.Task.pretrained`). There are two ways. `biased` only lowers the
bias of one token in a random network, which is the start of the bandit `counting`. `supervised` shows the network
right answers, which is needed where a random network is never right.
"""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..errors import ConfigError
from .policies import Network, Parameters

if TYPE_CHECKING:
    from .tasks import Sum, Task

#: Responses by which a success rate is measured. Its standard error is then 0.006 or less.
RESPONSES = 8192
#: Supervised steps in a block, and the most steps in all.
_BLOCK, _MOST_STEPS = 10, 6000
#: Prompts in a supervised step, and its learning rate.
_BATCH, _RATE = 128, 5e-3
#: Random networks that are tried before a success rate is said to be out of reach.
_NETWORKS = 8


def uniforms(random: jax.Array, task: "Task", count: int, dtype=jnp.float32) -> jax.Array:
    """Random numbers from [0, 1), one for each token of `count` responses: shape (count, N)."""
    return jax.random.uniform(random, (count, task.tokens), dtype)


@functools.partial(jax.jit, static_argnames=("task", "network", "count"))
def right_among(
    parameters: Parameters, random: jax.Array, task: "Task", network: Network, count: int
) -> jax.Array:
    """Let the network write `count` responses, and count the right ones."""
    asked, drawn = jax.random.split(random)
    prompts = task.prompts(asked, count)
    tokens = network.sample(parameters, uniforms(drawn, task, count, parameters["bias"].dtype), prompts)
    return task.right(prompts, tokens).sum()


def success_rate(
    parameters: Parameters, random: jax.Array, task: "Task", network: Network, responses: int
) -> tuple[float, float]:
    """Measured success rate of what the network writes.

    Parameters
    ----------
    parameters : dict of Array
    random : Array
        Key.
    task, network
    responses : int
        Number of responses that are drawn.

    Returns
    -------
    rate, error : float
        The share of right responses, and its standard error.

    Examples
    --------
    A network whose output weights are zero draws every token at random. Of the 16 responses of four tokens, each 0
    or 1, the 14 with one to three ones are right:

    >>> from gradgap.networks.policies import network
    >>> from gradgap.networks.tasks import Window
    >>> policy = network("recurrent", 2, 0, 4)
    >>> parameters = policy.initial(jax.random.key(0))
    >>> parameters["output"] = 0 * parameters["output"]
    >>> rate, error = success_rate(parameters, jax.random.key(1), Window(4), policy, 1024)
    >>> abs(rate - 14 / 16) < 5 * error
    True
    """
    rate = int(right_among(parameters, random, task, network, responses)) / responses
    return rate, math.sqrt(rate * (1 - rate) / responses)


def _crossing(rate_at: Callable[[float], float], low: float, high: float, target: float) -> float:
    """Where a rate passes the target, by bisection between a place below it and one at or above it."""
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if rate_at(middle) < target else (low, middle)
    return high


def biased(task: "Task", network: Network, random: jax.Array, target: float) -> Parameters:
    """Random parameters, with the bias of token 1 lowered until the success rate is the target.

    In some random networks each one makes the next more likely. The number of ones then varies so much that no bias
    reaches the target, and other random parameters are tried.

    Parameters
    ----------
    task : Task
    network : Network
    random : Array
        Key of the stream.
    target : float
        Success rate.

    Returns
    -------
    dict of Array

    Raises
    ------
    ConfigError
        If no network that is tried reaches the target.
    """
    best = 0.0
    for attempt in range(_NETWORKS):
        made, judged = jax.random.split(jax.random.fold_in(random, attempt))
        parameters = network.initial(made)

        def at(bias: float, start=parameters) -> Parameters:
            return {**start, "bias": jnp.array([0.0, bias], start["bias"].dtype)}

        def rate_at(
            bias: float, key=judged, at=at
        ) -> float:  # the same random numbers, so J changes smoothly
            few, error = success_rate(at(bias), key, task, network, RESPONSES // 8)
            if abs(few - target) > 6 * error:  # so far off that more responses would not change the answer
                return few
            return success_rate(at(bias), key, task, network, RESPONSES)[0]

        for low in np.arange(-6.0, 4.0, 0.5).tolist():
            rate = rate_at(low + 0.5)
            best = max(best, rate)
            if rate >= target:
                return at(_crossing(rate_at, low, low + 0.5, target))
    raise ConfigError(
        f"success_rate: {target:g} is out of reach for {_NETWORKS} random networks of width {network.width} at "
        f"length {task.tokens} by the bias of their output; allowed: below {best:.3g}"
    )


@functools.partial(jax.jit, static_argnames=("task", "network"))
def _exact_success(parameters: Parameters, prompts: jax.Array, task: "Sum", network: Network) -> jax.Array:
    """Success rate without sampling: the mean probability of the one right response to each prompt."""
    return jnp.exp(network.log_probabilities(parameters, prompts, task.answer(prompts))).mean()


@functools.partial(jax.jit, static_argnames=("task", "network"))
def _supervise(parameters, memory, random, task: "Sum", network: Network):
    """A block of AdamW steps that raise the log-likelihood of the right answers to fresh prompts."""
    optimizer = optax.adamw(_RATE, weight_decay=0.0)

    def loss(parameters, prompts):
        return -network.log_probabilities(parameters, prompts, task.answer(prompts)).mean() / task.tokens

    def step(carry, random):
        parameters, memory = carry
        slope = jax.grad(loss)(parameters, task.prompts(random, _BATCH))
        moves, memory = optimizer.update(slope, memory, parameters)
        return (optax.apply_updates(parameters, moves), memory), None

    return jax.lax.scan(step, (parameters, memory), jax.random.split(random, _BLOCK))[0]


def supervised(task: "Sum", network: Network, random: jax.Array, target: float) -> Parameters:
    """Train on right answers until the success rate is the target.

    The last block of steps is usually too much. So the parameters before and after it are interpolated, to where
    the success rate is the target.

    Parameters
    ----------
    task : Sum
        A task with one right answer to each prompt.
    network : Network
    random : Array
        Key of the stream.
    target : float
        Success rate.

    Returns
    -------
    dict of Array

    Raises
    ------
    ConfigError
        If 6000 steps do not reach the target.
    """
    made, asked, steps = jax.random.split(random, 3)
    parameters = network.initial(made)
    memory = optax.adamw(_RATE, weight_decay=0.0).init(parameters)
    held = task.prompts(asked, 1024)
    best = 0.0
    for block in range(_MOST_STEPS // _BLOCK):
        before = parameters
        parameters, memory = _supervise(parameters, memory, jax.random.fold_in(steps, block), task, network)
        rate = float(_exact_success(parameters, held, task, network))
        best = max(best, rate)
        if rate >= target:
            break
    else:
        raise ConfigError(
            f"success_rate: {target:g} was not reached at length {task.tokens} by {_MOST_STEPS} supervised steps "
            f"of a network of width {network.width}; allowed: below {best:.3g}"
        )

    def between(part: float) -> Parameters:
        return {name: before[name] + part * (parameters[name] - before[name]) for name in before}

    def rate_at(part: float) -> float:
        return float(_exact_success(between(part), held, task, network))

    return between(_crossing(rate_at, 0.0, 1.0, target))
