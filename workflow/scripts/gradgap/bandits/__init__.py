"""Bandit families: instances of RLVR whose success rate and gradient gap are known exactly.

A family is one module of this package, or one plugin file, that registers a `Family` in `FAMILIES`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np

from ..errors import ConfigError
from ..plugins import Registry


class Lengths(Protocol):
    """What an aggregation needs to know of an instance: see `Instance`."""

    @property
    def length(self) -> float: ...

    @property
    def max_length(self) -> int: ...

    @property
    def score_length(self) -> int: ...


@dataclass(frozen=True)
class Instance:
    """One bandit with one real parameter θ, at its start θ₀.

    Attributes
    ----------
    family : str
        Name of the family.
    evaluate : compiled function
        ``evaluate(theta, parameters) -> (success_rate, failure_rate, gap)``; the gradient gap is signed.
    parameters : ndarray, shape (p,)
        What `evaluate` needs to know of the instance.
    theta0 : float
        Start.
    length : float
        True mean response length T = E|o|, in tokens.
    max_length, score_length : int
        Length of the longest response, and of the responses whose score is not zero, in tokens.
    token_score_bound, token_hessian_bound : float
        G_p and L_p: bounds on the norm of a token's score and on its Hessian.
    best_theta : float
        Where the success rate is largest.
    sample : compiled function or None
        ``sample(state, theta, parameters, size, most, group, workspace) -> (rows, groups)`` draws groups of `size`
        responses from the stream `state`, up to the first that has a response with a score, and `most` at the most;
        a family may as well draw one at a time. `groups` says how many were drawn. Of the last, it fills the first
        `rows` ≤ size + 1 rows of `group`, each for one response or for several that are the same in reward, length
        and score (summed over tokens), whose number is the count; the columns are `groups.REWARD`, `LENGTH`,
        `COUNT` and `SCORE`. `rows` may be 0 where no response has a score. None where the family cannot be sampled.
    workspace : int
        How many numbers of workspace `sample` is given.
    """

    family: str
    evaluate: Callable
    parameters: np.ndarray
    theta0: float
    length: float
    max_length: int
    score_length: int
    token_score_bound: float
    token_hessian_bound: float
    best_theta: float = 0.0
    sample: Callable | None = None
    workspace: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def at(self, theta: float) -> tuple[float, float, float]:
        """Success rate, failure rate and gradient gap at θ."""
        return self.evaluate(float(theta), self.parameters)


class Family(ABC):
    """A way to make instances from a response length and a success rate."""

    #: Settings beside length and success rate, each with its default.
    settings: ClassVar[Mapping[str, float]] = MappingProxyType({})

    @abstractmethod
    def instance(
        self, length: int, success_rate: float, failure_rate: float | None = None, **settings: float
    ):
        """Make the instance with these coordinates.

        Parameters
        ----------
        length : int
            Asked mean response length T, in tokens.
        success_rate : float
            Success rate J(θ₀) at the start.
        failure_rate : float, optional
            1 − J(θ₀), where it is known more exactly than by subtraction.
        **settings
            Any of `settings`.

        Returns
        -------
        Instance

        Raises
        ------
        ConfigError
            If there is no such instance; the message names the coordinate and what is allowed.
        """


def of_one_parameter(instance: Any) -> Instance:
    """The instance, where θ is one number.

    Raises
    ------
    ConfigError
        If it has a vector of parameters.
    """
    if not isinstance(instance, Instance):
        raise ConfigError(
            f"family: {instance.family} is not allowed here; its policies have a vector of parameters, and this "
            f"takes families of one parameter, such as counting or gated"
        )
    return instance


#: All bandit families by name.
FAMILIES: Registry[Family] = Registry("bandit family", __name__)
