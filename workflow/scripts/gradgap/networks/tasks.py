"""Tasks with verifiable rewards for networks: `window`, `sum` and `gated`.

`window` is the bandit `counting` with a network as its policy, and `gated` is the bandit of that name. All responses
that a network writes have one length N. On `gated` the network writes only a small share of the responses. All others
are one token and right, whatever the parameters are, so they carry no score.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from ..bandits.counting import half_width
from ..errors import ConfigError
from ..plugins import Registry
from . import pretraining
from .policies import Network, Parameters


@dataclass(frozen=True)
class Task(ABC):
    """What the network is asked, which responses are right, and how the network is pre-trained.

    Attributes
    ----------
    tokens : int
        Length N of the responses that the network writes.
    share : float
        Share ε of responses that the network writes; the others are one token and right.
    """

    tokens: int
    share: float = 1.0

    #: Number V of tokens, number of prompt symbols, and default width of the recurrent network.
    vocabulary: ClassVar[int] = 2
    symbols: ClassVar[int] = 0
    width: ClassVar[int] = 16

    @property
    def length(self) -> float:
        """Mean length T of all responses, in tokens."""
        return self.share * self.tokens + (1 - self.share)

    @property
    def max_length(self) -> int:
        """Length of the longest response."""
        return self.tokens

    @property
    def score_length(self) -> int:
        """Length of the responses that carry a score."""
        return self.tokens

    def prompts(self, key: jax.Array, count: int) -> jax.Array:
        """Random prompts, shape (count, N); (count, 0) if the task has none."""
        return jnp.zeros((count, 0), jnp.int32)

    @abstractmethod
    def right(self, prompts: jax.Array, tokens: jax.Array) -> jax.Array:
        """Which responses are right, shape (n,), bool."""

    def pretrained(self, network: Network, random: jax.Array, target: float) -> Parameters:
        """Parameters at which the network has the success rate `target`; see `pretraining`.

        Parameters
        ----------
        network : Network
        random : Array
            Key of the stream.
        target : float
            Success rate of the responses that the network writes.

        Raises
        ------
        ConfigError
            If the target cannot be reached.
        """
        return pretraining.biased(self, network, random, target)


@dataclass(frozen=True)
class Window(Task):
    """A response is right if its number of ones lies within B of N/2.

    B is half a standard deviation of that number, times `deviations`.

    Examples
    --------
    >>> Window(4).right(jnp.zeros((2, 0), int), jnp.array([[0, 0, 0, 0], [1, 0, 0, 0]])).tolist()
    [False, True]
    """

    deviations: float = 1.0

    @property
    def half_width(self) -> int:
        """B, in tokens."""
        return half_width(self.tokens, self.deviations)

    def right(self, prompts, tokens):
        return jnp.abs(tokens.sum(axis=1) - self.tokens // 2) <= self.half_width


@dataclass(frozen=True)
class Sum(Task):
    """The prompt is N digits. Token t must be the sum of the first t digits modulo 4, for every t.

    Examples
    --------
    >>> Sum(3).right(jnp.array([[1, 2, 3]] * 2), jnp.array([[1, 3, 2], [1, 3, 3]])).tolist()
    [True, False]
    """

    vocabulary: ClassVar[int] = 4
    symbols: ClassVar[int] = 4
    width: ClassVar[int] = 24

    def prompts(self, key, count):
        return jax.random.randint(key, (count, self.tokens), 0, self.symbols, jnp.int32)

    def answer(self, prompts: jax.Array) -> jax.Array:
        """The one right response to each prompt, of the shape of the prompts."""
        return jnp.cumsum(prompts, axis=1) % self.vocabulary

    def right(self, prompts, tokens):
        return (tokens == self.answer(prompts)).all(axis=1)

    def pretrained(self, network, random, target):
        return pretraining.supervised(self, network, random, target)


#: Functions that make a task, by its name. Each takes the length and the failure rate of `task`, and its settings.
TASKS: Registry[Callable[..., tuple[Task, float]]] = Registry("task")


def task(name: str, length: int, failure_rate: float, **settings: float) -> tuple[Task, float]:
    """The task of a given length and failure rate, and the success rate that its network starts with.

    Parameters
    ----------
    name : {"window", "sum", "gated"}
    length : int
        Mean length T of all responses to aim at, in tokens.
    failure_rate : float
        1 − J₀ over all responses to aim at.
    **settings
        ``window``, for `window` and `gated`: width of the window in standard deviations, by default 1.
        ``start_failure_rate``, for `gated`: failure rate, at the start, of the responses that the network writes; by
        default 0.8.

    Returns
    -------
    Task
    float
        Success rate at the start of the responses that the network writes. It is J₀, except on `gated`.

    Raises
    ------
    ConfigError
        If there is no such task, or it has no instance of that length and failure rate.

    Examples
    --------
    To fail in 0.08 of all responses, `gated` asks the network for a tenth of them, of which 0.8 fail:

    >>> made, start = task("gated", 8, 0.08)
    >>> made.tokens, round(made.share, 12), round(made.length, 12), round(start, 12)
    (72, 0.1, 8.1, 0.2)
    """
    make = TASKS.find(name)
    if not 0 < failure_rate < 1:
        raise ConfigError(
            f"success_rate: {1 - failure_rate:g} is not allowed; it lies strictly between 0 and 1"
        )
    return make(length, failure_rate, **settings)


@TASKS.add("sum")
def _sum(length: int, failure_rate: float) -> tuple[Task, float]:
    if length < 1:
        raise ConfigError(f"length: {length} is not allowed; it must be 1 token or more")
    return Sum(length), 1 - failure_rate


@TASKS.add("window")
def _window(length: int, failure_rate: float, *, window: float = 1.0) -> tuple[Task, float]:
    return _counted("window", length, 1.0, window), 1 - failure_rate


@TASKS.add("gated")
def _gated(
    length: int, failure_rate: float, *, start_failure_rate: float = 0.8, window: float = 1.0
) -> tuple[Task, float]:
    if not 0 < start_failure_rate < 1:
        raise ConfigError(
            f"start_failure_rate: {start_failure_rate:g} is not allowed; it lies strictly between 0 and 1"
        )
    share = failure_rate / start_failure_rate
    if share > 1:
        raise ConfigError(
            f"success_rate: {1 - failure_rate:g} is out of reach for gated with start_failure_rate "
            f"{start_failure_rate:g}; allowed: {1 - start_failure_rate:g} or more"
        )
    return _counted("gated", length, share, window), 1 - start_failure_rate


def _counted(name: str, length: int, share: float, window: float) -> Window:
    """A task in which ones are counted, with the N that gives the mean length T = εN + 1 − ε."""
    tokens = 2 * round((length - (1 - share)) / share / 2)
    if share == 1.0 and tokens != length:
        raise ConfigError(f"length: {length} is not allowed; it must be an even whole number of tokens")
    if tokens < 4 or half_width(tokens, window) >= tokens // 2:
        raise ConfigError(
            f"length: {length} is not allowed for {name} with window {window:g}; the window must be narrower than "
            f"the responses"
        )
    return Window(tokens, share, window)
