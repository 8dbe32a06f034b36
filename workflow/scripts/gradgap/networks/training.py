"""Runs of networks by the rules of this project: sample, weigh, clip, move.

A batch is `groups` groups of `group_size` responses. Each group is weighed on its own, as everywhere in this project,
and the update is the mean over groups: u = (1/groups) Σ weight · score. The weights come from the very functions of
`training.rules`: an advantage depends on the number of right responses of a group only, and an aggregation on its
number of long ones, so both are tabulated once and looked up by JAX.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..errors import ConfigError
from ..training import rules
from .instance import Instance
from .policies import Network, Parameters
from .pretraining import right_among, uniforms
from .tasks import Task

#: Optimizers by name, with the defaults of the trainers people use, at learning rate 1; the rate comes on top.
OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "sgd": lambda: optax.sgd(1.0),
    "adam": lambda: optax.adam(1.0, b1=0.9, b2=0.999, eps=1e-8),
}


@dataclass(frozen=True)
class Setup:
    """What all runs of one kind share; JAX compiles once for each.

    Attributes
    ----------
    optimizer : {"sgd", "adam"}
    iterations : int
        Updates of a run.
    groups, group_size : int
        Groups in a batch (each with a prompt of its own), and responses n in a group.
    clip : float
        Largest norm of an update; longer ones are scaled down to it.
    judge : int
        Fresh responses by which the end of a run is judged.
    looks : tuple of float
        Places t at which every fresh batch is scored, in steps: θ + t·(last step). Empty: not scored.
    """

    optimizer: str = "sgd"
    iterations: int = 60
    groups: int = 16
    group_size: int = 8
    clip: float = math.inf
    judge: int = 512
    looks: tuple[float, ...] = ()

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError(
                f"optimizer: {self.optimizer!r} is not known here; allowed: {', '.join(OPTIMIZERS)}"
            )

    @property
    def responses(self) -> int:
        """Responses in a batch."""
        return self.groups * self.group_size


class Tables(NamedTuple):
    """A rule, tabulated for groups of one size.

    Attributes
    ----------
    advantage : ndarray, shape (group_size + 1, 2)
        By the number of right responses, and by whether the response is right.
    aggregation : ndarray, shape (group_size + 1, 2)
        By the number of long responses, and by whether the response is long.
    """

    advantage: np.ndarray
    aggregation: np.ndarray


def tables(advantage: str, aggregation: str, task: Task, group_size: int) -> Tables:
    """A rule for a task, from the sampled forms in `training.rules`.

    Raises
    ------
    ConfigError
        If a name is unknown or has no sampled form.

    Examples
    --------
    >>> from gradgap.networks.tasks import Window
    >>> (tables("dr_grpo", "seq-mean-token-sum", Window(4), 2).advantage + 0).tolist()
    [[0.0, 1.0], [-0.5, 0.5], [-1.0, 0.0]]
    """
    of_right_and_wrong, factor = rules.sampled(advantage, aggregation)
    n, longest = float(group_size), float(task.tokens)
    by_right = [of_right_and_wrong(float(right), n)[::-1] for right in range(group_size + 1)]
    by_long = []
    for long in range(group_size + 1):
        total = long * longest + (n - long)
        by_long.append([factor(length, n, total, longest) for length in (1.0, longest)])
    return Tables(np.array(by_right, np.float32), np.array(by_long, np.float32))


class Batch(NamedTuple):
    """Responses of one iteration.

    Attributes
    ----------
    prompts, tokens : Array, shape (written, N or 0) and (written, N)
        Of the responses that the network wrote.
    places : Array, shape (written,)
        Where they stand among all responses of the batch, group by group.
    real : Array of bool, shape (written,)
        False for those that were written for nothing, since fewer were asked for.
    right, long : Array of bool, shape (groups · group_size,)
        Of all responses.
    """

    prompts: jax.Array
    tokens: jax.Array
    places: jax.Array
    real: jax.Array
    right: jax.Array
    long: jax.Array


@functools.cache
def most_long(responses: int, share: float) -> int:
    """Responses that are written for a batch: more are asked for less than once in 10⁹ batches.

    >>> most_long(128, 1.0), most_long(128, 0.0125)
    (128, 14)
    """
    from scipy.stats import binom

    return responses if share == 1 else min(responses, int(binom.isf(1e-9, responses, share)))


def collect(parameters: Parameters, random: jax.Array, task: Task, network: Network, setup: Setup) -> Batch:
    """Draw the responses of one iteration."""
    asked, drawn, gate = jax.random.split(random, 3)
    responses = setup.responses
    written = most_long(responses, task.share)
    if task.share == 1:
        long = jnp.ones(responses, bool)
        places = jnp.arange(responses)
    else:
        long = jax.random.uniform(gate, (responses,)) < task.share
        places = jnp.argsort(~long, stable=True)[:written]
    prompts = task.prompts(asked, setup.groups)[places // setup.group_size]
    draws = uniforms(drawn, task, written, parameters["bias"].dtype)
    tokens = jax.lax.stop_gradient(network.sample(parameters, draws, prompts))
    real = long[places]
    right = (~long).at[places].set(jnp.where(real, task.right(prompts, tokens), True))
    return Batch(prompts, tokens, places, real, right, long)


def weights(batch: Batch, table: Tables, groups: int) -> jax.Array:
    """Weight of the score of each response in the update from its group, shape (groups · group_size,)."""
    right = batch.right.reshape(groups, -1)
    long = batch.long.reshape(groups, -1)
    advantage = jnp.asarray(table.advantage)[right.sum(axis=1, keepdims=True), right.astype(int)]
    aggregation = jnp.asarray(table.aggregation)[long.sum(axis=1, keepdims=True), long.astype(int)]
    return (advantage * aggregation).reshape(-1)


def update(parameters: Parameters, batch: Batch, table: Tables, network: Network, groups: int) -> Parameters:
    """u: the mean over groups of Σ weight · score, by automatic differentiation of Σ weight · log π."""
    own = jnp.where(batch.real, weights(batch, table, groups)[batch.places], 0.0) / groups

    def weighted(parameters):
        return (own * network.log_probabilities(parameters, batch.prompts, batch.tokens)).sum()

    return jax.grad(weighted)(parameters)


class Curve(NamedTuple):
    """What a run leaves behind.

    Attributes
    ----------
    success_rate : ndarray, shape (iterations,)
        Share of right responses in each batch, before its update.
    step_size : ndarray, shape (iterations,)
        η, the norm of each step.
    right : ndarray, shape ()
        Right ones among `judge` responses that the network writes at the end.
    rewards : ndarray of bool, shape (iterations, responses)
    log_probabilities : ndarray, shape (iterations, looks, responses)
        Of every response at each look, 0 for those that the network did not write; empty without looks. Every batch
        is fresh: it had no part in the step that leads to it.
    parameters : dict of ndarray
        At the end.
    """

    success_rate: Any
    step_size: Any
    right: Any
    rewards: Any
    log_probabilities: Any
    parameters: Any


def norm(tree: Parameters) -> jax.Array:
    """Euclidean norm of parameters, or of a step."""
    return jnp.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(tree)))


@functools.partial(jax.jit, static_argnames=("task", "network", "setup"))
def _run(parameters, random, learning_rate, table, task: Task, network: Network, setup: Setup) -> Curve:
    optimizer = OPTIMIZERS[setup.optimizer]()
    if math.isfinite(setup.clip):
        optimizer = optax.chain(optax.clip_by_global_norm(setup.clip), optimizer)
    keys = jax.random.split(random, setup.iterations + 1)

    def iterate(carry, random):
        parameters, memory, last = carry
        batch = collect(parameters, random, task, network, setup)
        scored = []
        for look in setup.looks:
            there = jax.tree.map(lambda x, dx, t=look: x + t * dx, parameters, last)
            logs = network.log_probabilities(there, batch.prompts, batch.tokens)
            scored.append(jnp.zeros(setup.responses, logs.dtype).at[batch.places].set(batch.real * logs))
        u = update(parameters, batch, table, network, setup.groups)
        downhill = jax.tree.map(jnp.negative, u)  # optax goes down
        moves, memory = optimizer.update(downhill, memory, parameters)
        moves = jax.tree.map(lambda move: learning_rate * move, moves)
        out = (
            batch.right.mean(),
            norm(moves),
            batch.right if setup.looks else jnp.zeros(0, bool),
            jnp.stack(scored) if scored else jnp.zeros((0, 0)),
        )
        return (optax.apply_updates(parameters, moves), memory, moves), out

    still = jax.tree.map(jnp.zeros_like, parameters)
    start = (parameters, optimizer.init(parameters), still)
    (parameters, _, _), out = jax.lax.scan(iterate, start, keys[1:])
    right = right_among(parameters, keys[0], task, network, setup.judge)
    return Curve(out[0], out[1], right, out[2], out[3], parameters)


def run(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    random: jax.Array,
    setup: Setup,
) -> Curve:
    """A run from the start of an instance.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `training.rules`, with a sampled form.
    learning_rate : float
        α, constant.
    random : Array
        Key of the run's stream, see `instance.key`. One machine gives the same bits again.
    setup : Setup

    Returns
    -------
    Curve

    Raises
    ------
    ConfigError
        If the rule is unknown or has no sampled form.
    """
    table = tables(advantage, aggregation, instance.task, setup.group_size)
    made = _run(
        instance.parameters, random, np.float32(learning_rate), table, instance.task, instance.network, setup
    )
    return Curve(*jax.device_get(tuple(made)))


@functools.partial(jax.jit, static_argnames=("task", "network", "responses"))
def gap(
    parameters: Parameters, random: jax.Array, task: Task, network: Network, responses: int
) -> tuple[Parameters, jax.Array]:
    """Gradient gap g = E[s | right] − E[s | wrong] of the responses that the network writes.

    Parameters
    ----------
    parameters : dict of Array
    random : Array
        Key.
    task, network
    responses : int
        Fresh ones, each with a prompt of its own.

    Returns
    -------
    dict of Array
        The estimate; nan where all responses are right or all are wrong.
    Array
        Their success rate.
    """
    asked, drawn = jax.random.split(random)
    prompts = task.prompts(asked, responses)
    draws = uniforms(drawn, task, responses, parameters["bias"].dtype)
    tokens = jax.lax.stop_gradient(network.sample(parameters, draws, prompts))
    right = task.right(prompts, tokens)

    def difference(parameters):
        logs = network.log_probabilities(parameters, prompts, tokens)
        return (jnp.where(right, logs, 0.0)).sum() / right.sum() - (jnp.where(right, 0.0, logs)).sum() / (
            ~right
        ).sum()

    return jax.grad(difference)(parameters), right.mean()


def alignment(step: Parameters, gap: Parameters) -> jax.Array:
    """Gap alignment Δμ = ⟨w, g⟩ of a step, w its direction; 0 for no step at all."""
    inner = sum((step[name] * gap[name]).sum() for name in step)
    length = norm(step)
    return jnp.where(length > 0, inner / jnp.where(length > 0, length, 1.0), 0.0)
