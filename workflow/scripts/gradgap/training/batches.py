"""Rules that need a whole batch of groups (docs/trainers.md).

The components of `rules` see one group at a time. But trainers also use two rules that need the whole batch: a token
mean over all its responses, and z-scores with the standard deviation of all its rewards. Here both are plain
functions of a batch, for tests and comparisons. The engine does not run them.
"""

import numpy as np

from . import rules

#: Advantages that need the whole batch, in addition to those of `rules`.
BATCH_ADVANTAGES = ("batch_grpo",)
#: Aggregations that need the whole batch, in addition to those of `rules`.
BATCH_AGGREGATIONS = ("batch-token-mean",)


def weights(
    advantage: str, aggregation: str, rewards, lengths, max_length: float, epsilon: float = 1e-4
) -> np.ndarray:
    """Weight of each response of a batch of groups: the factor of its summed score in the update.

    Parameters
    ----------
    advantage : str
        A name in `rules`, or ``batch_grpo``: (r − mean of the group)/(s + ε), s the standard deviation (ddof = 1) of
        all rewards of the batch.
    aggregation : str
        A name in `rules`, whose update is averaged over groups, or ``batch-token-mean``: A/Σ|o| with the sum over the
        whole batch. That differs from ``token-mean`` if the groups have unequal numbers of tokens.
    rewards, lengths : array_like, shape (groups, n)
        Reward (0 or 1) and length in tokens of every response.
    max_length : float
        Length of the longest possible response, in tokens.
    epsilon : float
        ε of ``batch_grpo``.

    Returns
    -------
    ndarray, shape (groups, n)

    Raises
    ------
    ConfigError
        If a name is unknown or has no sampled form.

    Examples
    --------
    Two groups of two. The responses of the second are three times as long, so it counts for more in the batch mean.

    >>> rewards, lengths = [[1, 0], [1, 0]], [[1, 1], [3, 3]]
    >>> weights("dr_grpo", "batch-token-mean", rewards, lengths, 3).tolist()
    [[0.0625, -0.0625], [0.0625, -0.0625]]
    >>> weights("dr_grpo", "token-mean", rewards, lengths, 3).round(4).tolist()
    [[0.125, -0.125], [0.0417, -0.0417]]
    """
    rewards, lengths = np.asarray(rewards, float), np.asarray(lengths, float)
    groups, size = rewards.shape
    if advantage in BATCH_ADVANTAGES:
        spread = rewards.std(ddof=1)
        scores = (rewards - rewards.mean(axis=1, keepdims=True)) / (spread + epsilon)
    else:
        # a token sum over n times n is the advantage itself
        scores = size * np.array(
            [
                rules.weights(advantage, "seq-mean-token-sum", *group, max_length)
                for group in zip(rewards, lengths, strict=True)
            ]
        )
    if aggregation in BATCH_AGGREGATIONS:
        return scores / lengths.sum()
    factor = np.array(
        [
            rules.weights("reinforce", aggregation, np.ones(size), group, max_length) / groups
            for group in lengths
        ]
    )
    return scores * factor
