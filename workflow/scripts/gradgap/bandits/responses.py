"""Single responses of the bandits and their log-probabilities under any θ.

This is what a trainer has at hand, and what a probe needs. All families here are exponential families:
log π_θ(o) = ⟨f(o), θ⟩ − A(θ) + const, where f(o) are the features of a response, and A is the same for all responses
to one prompt that are of one kind. The score is f − ∇A. A family that can draw single responses gives each instance a
`ResponseModel`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError
from . import Instance


@dataclass(frozen=True, eq=False)
class Responses:
    """Sampled responses of one policy.

    Attributes
    ----------
    rewards : ndarray, shape (n,)
        1 if right, 0 if wrong.
    lengths : ndarray, shape (n,)
        In tokens.
    features : ndarray, shape (n, d)
        f(o) of every response.
    kind : ndarray of int, shape (n,)
        Which A(θ) belongs to each: that of its prompt, or in `gated` 1 for long responses and 0 for short ones.
    prompt : ndarray of int, shape (n,)
        Index of the prompt.
    """

    rewards: np.ndarray
    lengths: np.ndarray
    features: np.ndarray
    kind: np.ndarray
    prompt: np.ndarray


class ResponseModel(Protocol):
    """Draws single responses of one instance, and knows the parts of their log-probabilities."""

    def draw(self, theta: np.ndarray, size: int, generator: np.random.Generator) -> Responses:
        """Draw responses at θ, of shape (d,); only uniform numbers are taken from the generator."""

    def normalisers(self, theta: np.ndarray) -> np.ndarray:
        """A(θ) − const for every kind of response, of shape (kinds,)."""

    def slopes(self, theta: np.ndarray) -> np.ndarray:
        """∇A(θ) for every kind of response, of shape (kinds, d)."""


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
        Of a family with a `ResponseModel`: counting, gated and contextual have one.
    theta : ndarray, shape (d,)
    size : int
        Number of responses, spread evenly over the prompts.
    generator : Generator
        Only uniform numbers are taken from it.

    Returns
    -------
    Responses

    Raises
    ------
    ConfigError
        If the family cannot draw single responses, or the size is no multiple of the number of prompts.

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
        Drawn by `draw`, at any θ.
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
