"""Surrogates: the update from a batch that was drawn at other parameters (docs/theory_optimizers.md, O10).

Several steps on one batch, and steps on a batch that is some iterations old, weigh every token by an importance
ratio. The log-ratio of a token is a mixture of its own, λ_t = log π_θ(o_t) − log π_old(o_t), and that of its
response,

``log ρ_t = token · λ_t + response · Σ λ / |o|^length_power``,

and the update is Σ_i weight_i Σ_t ρ_t s_t, s_t the scores at θ, without the tokens whose ratio has passed the clip on
the side to which their weight pushes it: the gradient of min(ρA, clip(ρ, 1 − below, 1 + above)A).

A surrogate is handed on as a vector of five numbers: token, response, length_power, below, above.
"""

from ..numerics.compiler import kernel
from ..numerics.elementary import exp, log

#: Places of the numbers of a surrogate.
TOKEN, RESPONSE, LENGTH_POWER, BELOW, ABOVE = range(5)

#: Ratios are kept below exp of this, so that none is infinite.
_LARGEST = 700.0
#: Logits are kept within this, where a token is certain to the last bit.
_CERTAIN = 700.0


@kernel
def bounded(theta):
    """A logit that is finite, with the same probabilities."""
    return min(max(theta, -_CERTAIN), _CERTAIN)


@kernel
def response_share(surrogate, length):
    """Factor of the summed log-ratio of a response of that length in the log-ratio of each of its tokens."""
    if surrogate[RESPONSE] == 0.0 or surrogate[LENGTH_POWER] == 0.0:
        return surrogate[RESPONSE]
    return surrogate[RESPONSE] * exp(-surrogate[LENGTH_POWER] * log(length))


@kernel
def counted_ratio(log_ratio, weight, surrogate):
    """The ratio of a token; 0 where the clip has taken it out of the update.

    Parameters
    ----------
    log_ratio : float
        log ρ_t.
    weight : float
        Of its response; its sign is that of the advantage.
    surrogate : ndarray, shape (5,)

    Examples
    --------
    >>> import numpy as np
    >>> surrogate = np.array([1.0, 0.0, 0.0, 0.2, 0.2])
    >>> [round(counted_ratio(0.3, weight, surrogate), 3) for weight in (1.0, -1.0)]
    [0.0, 1.35]
    """
    ratio = exp(min(log_ratio, _LARGEST))
    counts = ratio <= 1.0 + surrogate[ABOVE] if weight > 0.0 else ratio >= 1.0 - surrogate[BELOW]
    return ratio if counts else 0.0
