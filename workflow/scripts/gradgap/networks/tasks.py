"""Tasks with verifiable rewards for networks: `window`, `sum` and `gated`.

All responses that a network writes have one length N. In `gated` it is asked for one only now and then: the other
responses are one token and right, whatever the parameters, and so carry no score. That is the bandit of the same
name with a network in the place of its one parameter; `window` is the bandit `counting`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from ..bandits.counting import half_width
from ..errors import ConfigError


@dataclass(frozen=True)
class Task(ABC):
    """What is asked, and what is right.

    Attributes
    ----------
    tokens : int
        Length N of the responses that the network writes.
    share : float
        Share ε of responses that the network writes; the others are one token and right.
    """

    tokens: int
    share: float = 1.0

    #: Number V of tokens, number of prompt symbols, and width of the recurrent network unless another is asked for.
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
        """Random prompts, shape (count, N); (count, 0) where the task has none."""
        return jnp.zeros((count, 0), jnp.int32)

    @abstractmethod
    def right(self, prompts: jax.Array, tokens: jax.Array) -> jax.Array:
        """Which responses are right, shape (n,), bool."""


@dataclass(frozen=True)
class Window(Task):
    """Right when the number of ones lies within B of N/2, B half a standard deviation times `deviations`.

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
    """A prompt of digits; token t is the sum of the first t digits modulo 4, and every token counts.

    >>> Sum(3).right(jnp.array([[1, 2, 3]] * 2), jnp.array([[1, 3, 2], [1, 3, 3]])).tolist()
    [True, False]
    """

    vocabulary: ClassVar[int] = 4
    symbols: ClassVar[int] = 4
    width: ClassVar[int] = 24

    def prompts(self, key, count):
        return jax.random.randint(key, (count, self.tokens), 0, self.symbols, jnp.int32)

    def answer(self, prompts: jax.Array) -> jax.Array:
        """The one right response to each prompt."""
        return jnp.cumsum(prompts, axis=1) % self.vocabulary

    def right(self, prompts, tokens):
        return (tokens == self.answer(prompts)).all(axis=1)


#: Tasks by name.
TASKS = ("window", "sum", "gated")


def task(
    name: str,
    length: int,
    failure_rate: float,
    *,
    start_failure_rate: float = 0.8,
    window: float = 1.0,
) -> tuple[Task, float]:
    """The task at a length and a starting failure rate, and the success rate its network starts with.

    Parameters
    ----------
    name : {"window", "sum", "gated"}
    length : int
        Asked mean length T of all responses, in tokens.
    failure_rate : float
        Asked 1 − J₀ over all responses.
    start_failure_rate : float
        `gated` only: failure rate of the responses that the network writes, at the start.
    window : float
        Width of the window in standard deviations, for `window` and `gated`.

    Returns
    -------
    Task
    float
        Success rate at the start of the responses that the network writes: J₀ itself, except on `gated`.

    Raises
    ------
    ConfigError
        If there is no such task.

    Examples
    --------
    >>> made, start = task("gated", 8, 0.08)
    >>> made.tokens, round(made.share, 12), round(made.length, 12), round(start, 12)
    (72, 0.1, 8.1, 0.2)
    """
    if name not in TASKS:
        raise ConfigError(f"task: {name!r} is not known; allowed: {', '.join(TASKS)}")
    if not 0 < failure_rate < 1:
        raise ConfigError(
            f"success_rate: {1 - failure_rate:g} is not allowed; it lies strictly between 0 and 1"
        )
    if name == "sum":
        if length < 1:
            raise ConfigError(f"length: {length} is not allowed; it must be 1 token or more")
        return Sum(length), 1 - failure_rate
    share = 1.0
    if name == "gated":
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
        failure_rate = start_failure_rate
    tokens = 2 * round((length - (1 - share)) / share / 2)
    if share == 1.0 and tokens != length:
        raise ConfigError(f"length: {length} is not allowed; it must be an even whole number of tokens")
    if tokens < 4 or half_width(tokens, window) >= tokens // 2:
        raise ConfigError(
            f"length: {length} is not allowed for {name} with window {window:g}; the window must be narrower than "
            f"the responses"
        )
    return Window(tokens, share, window), 1 - failure_rate
