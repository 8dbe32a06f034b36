"""A network at its start, pre-trained to the asked success rate."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..errors import ConfigError
from ..numerics.streams import state
from . import cache
from .policies import Network, Parameters, network
from .tasks import Sum, Task, task

#: How far the success rate of a pre-trained network may lie from the asked one.
TOLERANCE = 0.02
#: Responses by which it is measured: a standard error of 0.006 at the most.
_RESPONSES = 8192
#: Supervised steps are made in blocks of so many, and at the most so many.
_BLOCK, _MOST_STEPS = 10, 6000
_BATCH, _RATE = 128, 5e-3
#: Random networks that are tried at the most.
_NETWORKS = 8


@dataclass(frozen=True)
class Instance:
    """A task, a network, and the parameters it starts from.

    Attributes
    ----------
    task : Task
    network : Network
    parameters : dict of Array
        θ₀.
    success_rate, failure_rate : float
        Measured J(θ₀) and 1 − J(θ₀) over all responses.
    own_success_rate : float
        Measured success rate of the responses that the network writes; J(θ₀) itself, except on `gated`.
    """

    task: Task
    network: Network
    parameters: Parameters
    own_success_rate: float

    @property
    def success_rate(self) -> float:
        return 1 - self.failure_rate

    @property
    def failure_rate(self) -> float:
        return self.task.share * (1 - self.own_success_rate)


def key(seed: int, coordinates: Mapping[str, str]) -> jax.Array:
    """JAX's key of the stream that belongs to these coordinates, made of the first 64 bits of `streams.state`.

    Parameters
    ----------
    seed : int
        The one seed of a configuration.
    coordinates : mapping
        Name and canonical text of everything on which the draws may depend.
    """
    first = int(state(seed, coordinates)[0])
    return jax.random.wrap_key_data(
        jnp.array([first >> 32, first & 0xFFFFFFFF], jnp.uint32), impl="threefry2x32"
    )


def uniforms(random: jax.Array, task: Task, count: int, dtype=jnp.float32) -> jax.Array:
    """Numbers from [0, 1) that `count` responses are drawn with."""
    return jax.random.uniform(random, (count, task.tokens), dtype)


@functools.partial(jax.jit, static_argnames=("task", "network", "count"))
def right_among(
    parameters: Parameters, random: jax.Array, task: Task, network: Network, count: int
) -> jax.Array:
    """How many of `count` fresh responses of the network are right."""
    asked, drawn = jax.random.split(random)
    prompts = task.prompts(asked, count)
    tokens = network.sample(parameters, uniforms(drawn, task, count, parameters["bias"].dtype), prompts)
    return task.right(prompts, tokens).sum()


def success_rate(
    parameters: Parameters, random: jax.Array, task: Task, network: Network, responses: int
) -> tuple[float, float]:
    """Success rate of the responses that the network writes, by fresh ones, and its standard error."""
    rate = int(right_among(parameters, random, task, network, responses)) / responses
    return rate, math.sqrt(rate * (1 - rate) / responses)


def _crossing(rate_at: Callable[[float], float], low: float, high: float, target: float) -> float:
    """Where a rate that is below the target at `low` and not at `high` crosses it, by bisection."""
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if rate_at(middle) < target else (low, middle)
    return high


def _biased(task: Task, network: Network, random: jax.Array, target: float) -> Parameters:
    """Random parameters, with the bias of a one so far down that J is the target (the start of `counting`).

    Some random networks excite themselves: their counts spread so far that no bias reaches the target. Then others
    are drawn.
    """
    best = 0.0
    for attempt in range(_NETWORKS):
        made, judged = jax.random.split(jax.random.fold_in(random, attempt))
        parameters = network.initial(made)

        def at(bias: float, start=parameters) -> Parameters:
            return {**start, "bias": jnp.array([0.0, bias], start["bias"].dtype)}

        def rate_at(bias: float, key=judged, at=at) -> float:  # the same uniform numbers, so J moves smoothly
            few, error = success_rate(at(bias), key, task, network, _RESPONSES // 8)
            if abs(few - target) > 6 * error:  # far off: all would say the same
                return few
            return success_rate(at(bias), key, task, network, _RESPONSES)[0]

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
def _exact_success(parameters: Parameters, prompts: jax.Array, task: Sum, network: Network) -> jax.Array:
    """Mean probability of the one right response to each prompt."""
    return jnp.exp(network.log_probabilities(parameters, prompts, task.answer(prompts))).mean()


@functools.partial(jax.jit, static_argnames=("task", "network"))
def _supervise(parameters, memory, random, task: Sum, network: Network):
    """A block of AdamW steps on the log-likelihood of right answers to fresh prompts."""
    optimizer = optax.adamw(_RATE, weight_decay=0.0)

    def loss(parameters, prompts):
        return -network.log_probabilities(parameters, prompts, task.answer(prompts)).mean() / task.tokens

    def step(carry, random):
        parameters, memory = carry
        slope = jax.grad(loss)(parameters, task.prompts(random, _BATCH))
        moves, memory = optimizer.update(slope, memory, parameters)
        return (optax.apply_updates(parameters, moves), memory), None

    return jax.lax.scan(step, (parameters, memory), jax.random.split(random, _BLOCK))[0]


def _supervised(task: Sum, network: Network, random: jax.Array, target: float) -> Parameters:
    """Parameters after as many supervised steps as reach J = target, the last step taken in part."""
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


def instance(
    name: str,
    length: int,
    failure_rate: float,
    *,
    kind: str = "recurrent",
    width: int | None = None,
    seed: int = 0,
    replicate: str = "0",
    **settings: float,
) -> Instance:
    """The network that starts a run, from the cache where it is there.

    Parameters
    ----------
    name : {"window", "sum", "gated"}
        Task.
    length : int
        Asked mean response length T, in tokens.
    failure_rate : float
        Asked 1 − J₀ over all responses.
    kind : {"recurrent", "transformer"}
    width : int, optional
        Of the recurrent network; a transformer gets as many parameters. By default the task's own.
    seed : int
    replicate : str
        Networks of different replicates start from different random parameters.
    **settings
        See `tasks.task`.

    Returns
    -------
    Instance

    Raises
    ------
    ConfigError
        If there is no such task or network, or the asked success rate is missed by more than 0.02.
    """
    made, target = task(name, length, failure_rate, **settings)
    policy = network(kind, made.vocabulary, made.symbols, width or made.width)
    # ε changes what a response is worth, not what the network is: one start for every ε
    alone = replace(made, share=1.0)
    content = {
        "task": [type(made).__name__, asdict(alone)],
        "network": [type(policy).__name__, asdict(policy)],
        "success_rate": repr(target),
        "seed": seed,
        "replicate": replicate,
    }
    random = key(seed, {"use": "pretraining", "content": repr(sorted(content.items()))})
    make_key, judge_key = jax.random.split(random)

    def make() -> dict[str, np.ndarray]:
        pretrain = _supervised if isinstance(alone, Sum) else _biased
        parameters = pretrain(alone, policy, make_key, target)  # type: ignore[arg-type]
        rate, _ = success_rate(parameters, judge_key, alone, policy, _RESPONSES)
        return {**{k: np.asarray(v) for k, v in parameters.items()}, "measured": np.array(rate)}

    arrays = cache.kept(cache.key(content, __name__), make)
    rate = float(arrays.pop("measured"))
    if abs(rate - target) > TOLERANCE:
        raise ConfigError(
            f"success_rate: pre-training {name} at length {length} ended at {rate:.3f} instead of {target:.3f}; "
            f"allowed: within {TOLERANCE}"
        )
    return Instance(made, policy, {k: jnp.asarray(v) for k, v in arrays.items()}, rate)
