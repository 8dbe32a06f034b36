"""Groups of sampled responses: how much each response counts in one update (docs/theory.md, R1–R2).

A group is described by rows. A row stands for one response, or for several that are the same in all that an
update sees, and says how many they are; the update from a group is Σ count · weight · score over its rows.
"""

import numpy as np

from . import rules
from .jit import engine, f8, function_type, kernel, types, vector

#: Type of `Advantage.sampled`: right, size → advantage of a right and of a wrong response.
ADVANTAGE = function_type(types.UniTuple(f8, 2), f8, f8)
#: Type of `Aggregation.sampled`: length, size, total length, largest length → factor of a summed score.
AGGREGATION = function_type(f8, f8, f8, f8, f8)


@kernel
def weigh(advantage, aggregation, rewards, lengths, counts, max_length, out):
    """Weight of the summed score of each response in the update from its group; for use inside engines.

    Parameters
    ----------
    advantage, aggregation : compiled function
        `Advantage.sampled` and `Aggregation.sampled`, of types `ADVANTAGE` and `AGGREGATION`.
    rewards : ndarray, shape (rows,)
        1 where right, 0 where wrong.
    lengths : ndarray, shape (rows,)
        In tokens.
    counts : ndarray, shape (rows,)
        How many responses a row stands for; the group size is their sum.
    max_length : float
        Length of the longest response there can be, the constant C of seq-mean-token-sum-norm.
    out : ndarray, shape (rows,)
        Filled with the weight of one response of each row.
    """
    size = 0.0
    right = 0.0
    total = 0.0
    for i in range(rewards.size):
        size += counts[i]
        right += counts[i] * rewards[i]
        total += counts[i] * lengths[i]
    of_right, of_wrong = advantage(right, size)
    for i in range(rewards.size):
        of_this = of_right if rewards[i] > 0.5 else of_wrong
        out[i] = of_this * aggregation(lengths[i], size, total, max_length)


@engine(types.void(ADVANTAGE, AGGREGATION, vector, vector, vector, f8, vector))
def _weigh(advantage, aggregation, rewards, lengths, counts, max_length, out):
    weigh(advantage, aggregation, rewards, lengths, counts, max_length, out)


def weights(advantage: str, aggregation: str, rewards, lengths, max_length: float) -> np.ndarray:
    """Weight of the summed score of each response in the update from its group.

    Parameters
    ----------
    advantage, aggregation : str
        Names in `rules`.
    rewards, lengths : array_like, shape (n,)
        Reward (0 or 1) and length in tokens of every response.
    max_length : float
        Length of the longest response there can be, in tokens.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ConfigError
        If a name is unknown or has no sampled form.
    """
    rewards, lengths = np.array(rewards, float), np.array(lengths, float)
    out = np.empty(len(rewards))
    _weigh(
        *rules.sampled(advantage, aggregation),
        rewards,
        lengths,
        np.ones(len(rewards)),
        float(max_length),
        out,
    )
    return out
