"""Groups of sampled responses: how much each response counts in one update (docs/theory.md, R1–R2).

A group is described by rows. A row stands for one response, or for several that are the same in all that an
update sees, and says how many they are; the update from a group is Σ count · weight · score over its rows.
"""

from ..numerics.compiler import f8, function_type, kernel, types

#: Type of `Advantage.sampled`: right, size → advantage of a right and of a wrong response.
ADVANTAGE = function_type(types.UniTuple(f8, 2), f8, f8)
#: Type of `Aggregation.sampled`: length, size, total length, largest length → factor of a summed score.
AGGREGATION = function_type(f8, f8, f8, f8, f8)


#: Columns of a group, and how many there are.
REWARD, LENGTH, COUNT, SCORE, WEIGHT, COLUMNS = range(6)


@kernel
def weigh(advantage, aggregation, rows, group, max_length):
    """Update from a group, and the weight of the summed score of each response in it; for use inside engines.

    Parameters
    ----------
    advantage, aggregation : compiled function
        `Advantage.sampled` and `Aggregation.sampled`, of types `ADVANTAGE` and `AGGREGATION`.
    rows : int
        How many rows the group has.
    group : ndarray, shape (COLUMNS, rows or more)
        Of each row the reward (1 where right, 0 where wrong), the length in tokens, and the count of responses
        that it stands for, whose sum is the group size, and the summed score. The weights are filled.
    max_length : float
        Length of the longest response there can be, the constant C of seq-mean-token-sum-norm.

    Returns
    -------
    float
        u = Σ count · weight · score.
    """
    size = 0.0
    right = 0.0
    total = 0.0
    for i in range(rows):
        size += group[COUNT, i]
        right += group[COUNT, i] * group[REWARD, i]
        total += group[COUNT, i] * group[LENGTH, i]
    of_right, of_wrong = advantage(right, size)
    length = -1.0
    factor = 0.0
    update = 0.0
    for i in range(rows):
        if group[LENGTH, i] != length:  # responses of one length come one after the other
            length = group[LENGTH, i]
            factor = aggregation(length, size, total, max_length)
        group[WEIGHT, i] = factor * (of_right if group[REWARD, i] > 0.5 else of_wrong)
        update += group[COUNT, i] * group[WEIGHT, i] * group[SCORE, i]
    return update
