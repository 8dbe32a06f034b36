"""Single responses of the bandits, with their log-probabilities under any θ: what a trainer has, and a probe needs.

All families here are exponential: a log-probability is log π_θ(o) = ⟨f(o), θ⟩ − A(θ) + const, f the features of the
response and A the same for all responses of one prompt and kind. The score is f − ∇A.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..numerics.binomial import pmf
from ..numerics.compiler import kernel
from ..numerics.elementary import each, exp, log, log1p
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


def _softplus(x: float) -> float:
    """log(1 + e^x)."""
    return max(x, 0.0) + log1p(exp(-abs(x)))


def _sigmoid(x: float) -> float:
    small = exp(-abs(x))
    return 1 / (1 + small) if x >= 0 else small / (1 + small)


@kernel
def _fill_masses(n, p, out):
    for k in range(n + 1):
        out[k] = pmf(k, n, p, 1.0 - p)


def _masses(n: int, p: float) -> np.ndarray:
    """Mass of every count of ones among n tokens."""
    out = np.empty(n + 1)
    _fill_masses(n, p, out)
    return out


def _shared(instance: Instance) -> tuple[np.ndarray, int]:
    """φ_right − φ, of shape (Q, C, V − 1, d), and the visits to each context."""
    constants = instance.kernels.constants
    shape = tuple(int(x) for x in constants[:4])
    return constants[5:].reshape(shape), int(constants[4])


def _candidates(differences: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the right candidate and of every wrong one, and the log of their sum over the right one's mass.

    Parameters
    ----------
    differences : ndarray, shape (Q, C, V − 1, d)
    theta : ndarray, shape (d,)

    Returns
    -------
    ndarray, shape (Q, C, V)
    ndarray, shape (Q, C)
    """
    # einsum without optimisation calls no BLAS: sums in fixed order
    logits = np.zeros((*differences.shape[:2], differences.shape[2] + 1))
    logits[..., 1:] = -np.einsum("qcaj,j->qca", differences, np.asarray(theta, dtype=float))
    top = logits.max(axis=-1)
    masses = each(exp, (logits - top[..., None]).ravel()).reshape(logits.shape)
    total = masses.cumsum(axis=-1)[..., -1]
    return masses / total[..., None], top + each(log, total.ravel()).reshape(total.shape)


def draw(instance: Instance, theta: np.ndarray, size: int, generator: np.random.Generator) -> Responses:
    """Draw responses one by one.

    Parameters
    ----------
    instance : Instance
        Of `counting`, `gated` or `contextual`.
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
    if instance.family in ("counting", "gated"):
        length, half_width, share = instance.kernels.constants
        n = int(length)
        p = _sigmoid(float(theta[0]))
        masses = _masses(n, p)
        long = generator.random(size) < share
        ones = np.minimum(np.searchsorted(np.cumsum(masses), generator.random(size), side="right"), n)
        right = ~long | (np.abs(ones - n // 2) <= half_width)
        features = np.where(long, ones, 0)[:, None].astype(float)
        return Responses(
            right.astype(float), np.where(long, length, 1.0), features, long.astype(int), np.zeros(size, int)
        )
    if instance.family != "contextual":
        raise ConfigError(
            f"family: {instance.family} is not allowed here; allowed: counting, gated and contextual, whose single "
            f"responses can be drawn"
        )
    differences, visits = _shared(instance)
    prompts, contexts, others, dimension = differences.shape
    if size % prompts:
        raise ConfigError(f"responses: {size} is not allowed; it must be a multiple of the {prompts} prompts")
    each_prompt = size // prompts
    features = np.zeros((size, dimension))
    rewards = np.ones(size)
    prompt = np.repeat(np.arange(prompts), each_prompt)
    bounds = _candidates(differences, theta)[0].cumsum(axis=-1)
    for q in range(prompts):
        mine = slice(q * each_prompt, (q + 1) * each_prompt)
        for c in range(contexts):
            picked = np.searchsorted(bounds[q, c], generator.random((each_prompt, visits)), side="right")
            counts = np.stack([(picked == a + 1).sum(axis=1) for a in range(others)], axis=1)
            features[mine] -= np.einsum("na,aj->nj", counts, differences[q, c])
            rewards[mine] *= counts.sum(axis=1) == 0
    return Responses(rewards, np.full(size, instance.length), features, prompt, prompt)


def log_probability(instance: Instance, responses: Responses, theta: np.ndarray) -> np.ndarray:
    """log π_θ(o) of every response, of shape (n,).

    Parameters
    ----------
    instance : Instance
    responses : Responses
        Drawn by `draw`, at whatever θ.
    theta : ndarray, shape (d,)
    """
    linear = np.einsum("nj,j->n", responses.features, np.asarray(theta, dtype=float))
    return np.minimum(linear - _normalisers(instance, theta)[responses.kind], 0.0)


def _normalisers(instance: Instance, theta: np.ndarray) -> np.ndarray:
    if instance.family == "contextual":
        differences, visits = _shared(instance)
        return visits * _candidates(differences, theta)[1].cumsum(axis=1)[:, -1]
    length, _, share = instance.kernels.constants
    of_short = -log1p(-share) if share < 1 else 0.0
    return np.array([of_short, length * _softplus(float(theta[0])) - log(share)])


def scores(instance: Instance, responses: Responses, theta: np.ndarray) -> np.ndarray:
    """∇ log π_θ(o) of every response, of shape (n, d)."""
    if instance.family == "contextual":
        differences, visits = _shared(instance)
        masses = _candidates(differences, theta)[0][..., 1:]
        slopes = -visits * np.einsum("qca,qcaj->qj", masses, differences)
        return responses.features - slopes[responses.kind]
    length = instance.kernels.constants[0]
    return responses.features - np.array([[0.0], [length * _sigmoid(float(theta[0]))]])[responses.kind]
