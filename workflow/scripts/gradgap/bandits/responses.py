"""Single responses of the bandits, with their log-probabilities under any θ: what a trainer has, and a probe needs.

The families here are exponential: a log-probability is log π_θ(o) = ⟨f(o), θ⟩ − A(θ) + const, f the features of the
response and A the same for all responses of one prompt and kind. The score is f − ∇A. A family whose instances can be
asked for single responses gives them a `ResponseModel`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError
from . import Instance


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses to the prompts of one policy.

    Attributes
    ----------
    rewards, lengths : ndarray, shape (n,)
    features : ndarray, shape (n, d)
        f(o).
    kind : ndarray of int, shape (n,)
        Index of A: the prompt, or 1 for the long responses of `gated` and 0 for its short ones.
    prompt : ndarray of int, shape (n,)
    """

    rewards: np.ndarray
    lengths: np.ndarray
    features: np.ndarray
    kind: np.ndarray
    prompt: np.ndarray


class ResponseModel(Protocol):
    """How single responses of one instance are drawn, and what their log-probabilities are made of."""

    def draw(self, theta: np.ndarray, size: int, generator: np.random.Generator) -> Responses:
        """Draw responses at θ, of shape (d,); only uniform numbers are taken from the generator."""

    def normalisers(self, theta: np.ndarray) -> np.ndarray:
        """A(θ) of every kind of response, less its constant, of shape (kinds,)."""

    def slopes(self, theta: np.ndarray) -> np.ndarray:
        """∇A(θ) of every kind of response, of shape (kinds, d)."""


def _model(instance: Instance) -> ResponseModel:
    if instance.responses is None:
        raise ConfigError(
            f"family: {instance.family} is not allowed here; its single responses cannot be drawn"
        )
    return instance.responses


def draw(instance: Instance, theta: np.ndarray, size: int, generator: np.random.Generator) -> Responses:
    """Draw responses one by one.

    Parameters
    ----------
    instance : Instance
        Of a family that has a `ResponseModel`: counting, gated and contextual do.
    theta : ndarray, shape (d,)
    size : int
        Responses in all; they are spread evenly over the prompts.
    generator : Generator
        Only uniform numbers are taken from it.

    Returns
    -------
    Responses

    Raises
    ------
    ConfigError
        If the family has no responses here, or the size is no multiple of the number of prompts.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(64, 0.5)
    >>> drawn = draw(bandit, bandit.start, 4000, np.random.default_rng(1))
    >>> abs(drawn.rewards.mean() - 0.5) < 0.03
    np.True_
    """
    return _model(instance).draw(np.asarray(theta, dtype=float), size, generator)


def log_probability(instance: Instance, responses: Responses, theta: np.ndarray) -> np.ndarray:
    """log π_θ(o) of every response, of shape (n,).

    Parameters
    ----------
    instance : Instance
    responses : Responses
        Drawn by `draw`, at whatever θ.
    theta : ndarray, shape (d,)

    Examples
    --------
    At θ = 0 each of the 2⁸ responses has the same probability:

    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(8, 0.5)
    >>> drawn = draw(bandit, bandit.start, 3, np.random.default_rng(1))
    >>> uniform = log_probability(bandit, drawn, np.zeros(1))
    >>> np.exp(uniform) * 2**8
    array([1., 1., 1.])
    """
    linear = np.einsum("nj,j->n", responses.features, np.asarray(theta, dtype=float))
    return np.minimum(linear - _model(instance).normalisers(theta)[responses.kind], 0.0)


def scores(instance: Instance, responses: Responses, theta: np.ndarray) -> np.ndarray:
    """∇ log π_θ(o) of every response, of shape (n, d).

    Examples
    --------
    Scores have mean 0 where the responses were drawn:

    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(64, 0.5)
    >>> drawn = draw(bandit, bandit.start, 4000, np.random.default_rng(1))
    >>> abs(scores(bandit, drawn, bandit.start).mean()) < 0.2
    np.True_
    """
    return responses.features - _model(instance).slopes(theta)[responses.kind]
