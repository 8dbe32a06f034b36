"""A network at the start of a run, pre-trained to the success rate that is asked for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ConfigError
from ..numerics.streams import state
from . import cache
from .policies import Network, Parameters, network
from .pretraining import RESPONSES, success_rate
from .tasks import Task, task

#: How far the success rate of a pre-trained network may lie from the asked one.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Instance:
    """A task, a network, and the parameters that a run starts from.

    Attributes
    ----------
    task : Task
    network : Network
    parameters : dict of Array
        θ₀.
    success_rate, failure_rate : float
        Measured J(θ₀) and 1 − J(θ₀) over all responses.
    own_success_rate : float
        Measured success rate of the responses that the network writes. It is J(θ₀), except on `gated`, where other
        responses count too.
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
    """JAX's key of the random stream of these coordinates: the first 64 bits of `streams.state`.

    Parameters
    ----------
    seed : int
        The seed of the configuration.
    coordinates : mapping
        Name and canonical text of everything that the random numbers may depend on.

    Examples
    --------
    The same coordinates give the same numbers, and others give other ones:

    >>> draws = [jax.random.uniform(key(1, {"replicate": text})).item() for text in ("0", "0", "1")]
    >>> draws[0] == draws[1], draws[0] == draws[2]
    (True, False)
    """
    first = int(state(seed, coordinates)[0])
    return jax.random.wrap_key_data(
        jnp.array([first >> 32, first & 0xFFFFFFFF], jnp.uint32), impl="threefry2x32"
    )


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
    """The network that a run starts from: pre-trained, or taken from the cache if it was made before.

    Parameters
    ----------
    name : {"window", "sum", "gated"}
        Task.
    length : int
        Mean response length T to aim at, in tokens.
    failure_rate : float
        1 − J₀ over all responses to aim at.
    kind : {"recurrent", "transformer"}
    width : int, optional
        Width of the recurrent network; the default is that of the task. A transformer gets as many parameters as the
        recurrent network of this width.
    seed : int
    replicate : str
        Networks of different replicates start from different random parameters.
    **settings
        Settings of the task, see `tasks.task`.

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
    # the share of long responses does not change the network, so all shares have the same start
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
        parameters = alone.pretrained(policy, make_key, target)
        rate, _ = success_rate(parameters, judge_key, alone, policy, RESPONSES)
        return {**{k: np.asarray(v) for k, v in parameters.items()}, "measured": np.array(rate)}

    arrays = cache.kept(cache.key(content, __name__), make)
    rate = float(arrays.pop("measured"))
    if abs(rate - target) > TOLERANCE:
        raise ConfigError(
            f"success_rate: pre-training {name} at length {length} ended at {rate:.3f} instead of {target:.3f}; "
            f"allowed: within {TOLERANCE}"
        )
    return Instance(made, policy, {k: jnp.asarray(v) for k, v in arrays.items()}, rate)
