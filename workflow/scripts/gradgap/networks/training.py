"""Runs of networks by the rules of this project: sample, weigh, clip, move.

A batch is `groups` groups of `group_size` responses. As everywhere in this project, each group is weighed on its own,
and the update is the mean over groups: u = (1/groups) Σ weight · score. The weights come from the functions of
`training.rules`. An advantage depends only on the number of right responses in a group, and an aggregation only on
the number of long ones. So both are written into tables, in which JAX looks up the weights.
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

#: Optimizers by name, with the usual defaults of trainers. Their learning rate is 1, and the run multiplies by its
#: own.
OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "sgd": lambda: optax.sgd(1.0),
    "adam": lambda: optax.adam(1.0, b1=0.9, b2=0.999, eps=1e-8),
}


@dataclass(frozen=True)
class Setup:
    """Settings that several runs share. JAX compiles the training loop once for each setup.

    Attributes
    ----------
    optimizer : {"sgd", "adam"}
    iterations : int
        Number of updates in a run.
    groups, group_size : int
        Groups in a batch, each with its own prompt, and responses n in a group.
    clip : float
        Largest norm of an update; longer updates are scaled down to it.
    judge : int
        Number of fresh responses by which the end of a run is judged.
    looks : tuple of float
        Places t at which each fresh batch is scored: θ + t · (last step). If empty, batches are not scored.

    Raises
    ------
    ConfigError
        If the optimizer is not known.
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
    """Tables of a rule for groups of one size. The weight of a response is an advantage times an aggregation.

    Attributes
    ----------
    advantage : ndarray, shape (group_size + 1, 2)
        The row is the number of right responses in the group, and the column 1 for a right response, else 0.
    aggregation : ndarray, shape (group_size + 1, 2)
        The row is the number of long responses in the group, and the column 1 for a long response, else 0.
    """

    advantage: np.ndarray
    aggregation: np.ndarray


def tables(advantage: str, aggregation: str, task: Task, group_size: int) -> Tables:
    """Tables of a rule for a task, from the sampled forms in `training.rules`.

    Parameters
    ----------
    advantage, aggregation : str
        Names in `training.rules`.
    task : Task
    group_size : int

    Returns
    -------
    Tables

    Raises
    ------
    ConfigError
        If a name is unknown or has no sampled form.

    Examples
    --------
    Dr. GRPO subtracts the mean of the group. With one right response of two, the right one gets ½, the wrong one −½:

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
        Prompts and tokens of the responses that the network wrote.
    places : Array, shape (written,)
        Their places among all responses of the batch, which are in the order of the groups.
    real : Array of bool, shape (written,)
        Whether a written response is part of the batch. JAX needs a fixed number of them, so some are not used.
    right, long : Array of bool, shape (groups · group_size,)
        Whether each response of the batch is right, and whether it is long.
    """

    prompts: jax.Array
    tokens: jax.Array
    places: jax.Array
    real: jax.Array
    right: jax.Array
    long: jax.Array


@functools.cache
def most_long(responses: int, share: float) -> int:
    """How many responses the network writes for a batch, when each is long with some probability.

    A batch would need more than this less than once in 10⁹ batches.

    Parameters
    ----------
    responses : int
        Responses in the batch.
    share : float
        Probability ε that a response is long.

    Examples
    --------
    >>> most_long(128, 1.0), most_long(128, 0.0125)
    (128, 14)
    """
    from scipy.stats import binom

    return responses if share == 1 else min(responses, int(binom.isf(1e-9, responses, share)))


def collect(parameters: Parameters, random: jax.Array, task: Task, network: Network, setup: Setup) -> Batch:
    """Draw the responses of one iteration.

    Parameters
    ----------
    parameters : dict of Array
    random : Array
        Key.
    task, network, setup

    Returns
    -------
    Batch
    """
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
    """Weight of each response in the update from its group.

    Parameters
    ----------
    batch : Batch
    table : Tables
    groups : int

    Returns
    -------
    Array, shape (groups · group_size,)
    """
    right = batch.right.reshape(groups, -1)
    long = batch.long.reshape(groups, -1)
    advantage = jnp.asarray(table.advantage)[right.sum(axis=1, keepdims=True), right.astype(int)]
    aggregation = jnp.asarray(table.aggregation)[long.sum(axis=1, keepdims=True), long.astype(int)]
    return (advantage * aggregation).reshape(-1)


def update(parameters: Parameters, batch: Batch, table: Tables, network: Network, groups: int) -> Parameters:
    """The update u of a batch: the mean over groups of Σ weight · score.

    It is the gradient of Σ weight · log π, which JAX computes by automatic differentiation.
    """
    own = jnp.where(batch.real, weights(batch, table, groups)[batch.places], 0.0) / groups

    def weighted(parameters):
        return (own * network.log_probabilities(parameters, batch.prompts, batch.tokens)).sum()

    return jax.grad(weighted)(parameters)


class Curve(NamedTuple):
    """What a run recorded.

    Attributes
    ----------
    success_rate : ndarray, shape (iterations,)
        Share of right responses in each batch, before its update.
    step_size : ndarray, shape (iterations,)
        η, the norm of each step.
    right : ndarray, shape ()
        Number of right ones among the `judge` responses that the network writes at the end.
    rewards : ndarray of bool, shape (iterations, responses)
        Rewards of each batch; empty without looks.
    log_probabilities : ndarray, shape (iterations, looks, responses)
        Log-probability of each response at each look; 0 for responses that the network did not write. Empty without
        looks. The last step was made before the batch was drawn, so the batch is fresh for it.
    parameters : dict of ndarray
        Parameters at the end.
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
    """Train a network from the start of an instance.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `training.rules`, with a sampled form.
    learning_rate : float
        α, the same at each update.
    random : Array
        Key of the random stream of the run, see `instance.key`. The same key gives the same bits on one machine.
    setup : Setup

    Returns
    -------
    Curve

    Raises
    ------
    ConfigError
        If the rule is unknown or has no sampled form.

    Examples
    --------
    Two updates of a small network that has not been pre-trained:

    >>> from gradgap.networks.policies import network
    >>> from gradgap.networks.tasks import Window
    >>> policy = network("recurrent", 2, 0, 4)
    >>> start = Instance(Window(4), policy, policy.initial(jax.random.key(0)), own_success_rate=0.9)
    >>> curve = run(start, "grpo", "token-mean", 0.1, jax.random.key(1), Setup(iterations=2))
    >>> curve.success_rate.shape, curve.step_size.shape
    ((2,), (2,))
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
        Number of fresh responses, each with its own prompt.

    Returns
    -------
    dict of Array
        The estimate; nan if all responses are right or all are wrong.
    Array
        Success rate of these responses.
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
    """Gap alignment Δμ = ⟨w, g⟩ of a step with direction w; 0 if the step is zero.

    Examples
    --------
    >>> round(float(alignment({"bias": jnp.array([3.0, 4.0])}, {"bias": jnp.array([1.0, 0.0])})), 6)
    0.6
    """
    inner = sum((step[name] * gap[name]).sum() for name in step)
    length = norm(step)
    return jnp.where(length > 0, inner / jnp.where(length > 0, length, 1.0), 0.0)
