"""Surrogates: the update from a batch that was drawn at other parameters (docs/theory_optimizers.md, O10).

A trainer often takes several steps on one batch, or uses a batch that is some iterations old. Each token is then
weighed by an importance ratio ρ_t, which says how much likelier the token is now than when it was drawn. The
log-ratio of token t alone is λ_t = log π_θ(o_t) − log π_old(o_t). ρ_t mixes it with those of the whole response:

``log ρ_t = token · λ_t + response · Σ λ / |o|^length_power``

With s_t the score of token t at θ, the update is Σ_i weight_i Σ_t ρ_t s_t. The clip leaves some tokens out: those
with a positive weight and a ratio above 1 + above, and those with a negative weight and a ratio below 1 − below. So
the update is the gradient of min(ρA, clip(ρ, 1 − below, 1 + above)A).

Compiled functions receive a surrogate as a vector of five numbers: token, response, length_power, below, above.
"""

from ..numerics.compiler import kernel
from ..numerics.elementary import exp, log

#: Index of each number in the vector of a surrogate.
TOKEN, RESPONSE, LENGTH_POWER, BELOW, ABOVE = range(5)

#: Largest log-ratio. A larger one is cut to it, so that no ratio is infinite.
LARGEST = 700.0
#: Largest size of a logit. Here a token already has probability 1 to the last bit.
_CERTAIN = 700.0


@kernel
def bounded(theta):
    """Cut a logit to a finite range, where the probabilities in float64 stay the same.

    Examples
    --------
    >>> bounded(3.0), bounded(-1e6)
    (3.0, -700.0)
    """
    return min(max(theta, -_CERTAIN), _CERTAIN)


@kernel
def response_share(surrogate, length):
    """How much the summed log-ratio of a response counts in log ρ_t of each of its tokens.

    Parameters
    ----------
    surrogate : ndarray, shape (5,)
    length : float
        Length |o| of the response, in tokens.

    Returns
    -------
    float
        response / |o|^length_power.

    Examples
    --------
    GSPO takes the geometric mean of the token ratios, so the sum is divided by the length:

    >>> import numpy as np
    >>> round(response_share(np.array([0.0, 1.0, 1.0, 0.2, 0.2]), 8.0), 6)
    0.125
    """
    if surrogate[RESPONSE] == 0.0 or surrogate[LENGTH_POWER] == 0.0:
        return surrogate[RESPONSE]
    return surrogate[RESPONSE] * exp(-surrogate[LENGTH_POWER] * log(length))


@kernel
def clip_bounds(surrogate):
    """Smallest ratio with which a token of negative weight counts, and largest one of a token of positive weight.

    Examples
    --------
    >>> import numpy as np
    >>> clip_bounds(np.array([1.0, 0.0, 0.0, 0.5, 0.25]))
    (0.5, 1.25)
    """
    return 1.0 - surrogate[BELOW], 1.0 + surrogate[ABOVE]


@kernel
def clipped(ratio, weight, lowest, highest):
    """The ratio ρ_t with which a token counts in the update; 0 if the clip leaves the token out.

    Parameters
    ----------
    ratio : float
        ρ_t.
    weight : float
        Weight of the token's response. It has the sign of the advantage.
    lowest, highest : float
        See `clip_bounds`.

    Returns
    -------
    float

    Examples
    --------
    A token has become 1.35 times as likely, more than the clip range of 0.2 allows. It is left out if its weight
    would raise it further, and counts if its weight lowers it:

    >>> [clipped(1.35, weight, 0.8, 1.2) for weight in (1.0, -1.0)]
    [0.0, 1.35]
    """
    counts = ratio <= highest if weight > 0.0 else ratio >= lowest
    return ratio if counts else 0.0
