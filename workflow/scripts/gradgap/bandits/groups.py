"""Groups of sampled responses: how much each response counts in one update (docs/theory.md, R1–R2).

A batch holds one group for each prompt. It is described by rows, one for each response. Responses that are alike in
all that matters to an update may share a row, which then says how many they are. The rows of one prompt follow one
another.
"""

from ..numerics.compiler import f8, function_type, inlined, types

#: Type of `Advantage.sampled`: right, size → advantage of a right and of a wrong response.
ADVANTAGE = function_type(types.UniTuple(f8, 2), f8, f8)
#: Type of `Aggregation.sampled`: length, size, total length, largest length → factor of a summed score.
AGGREGATION = function_type(f8, f8, f8, f8, f8)

#: Columns of a batch, and how many there are.
REWARD, LENGTH, COUNT, SCORE, WEIGHT, PROMPT, COLUMNS = range(7)


@inlined
def weigh_group(advantage, aggregation, first, rows, group, max_length):
    """Fill in the weight of every response of one group: the factor of its summed score in the update.

    Parameters
    ----------
    advantage, aggregation : compiled function
        `Advantage.sampled` and `Aggregation.sampled`, of types `ADVANTAGE` and `AGGREGATION`.
    first, rows : int
        The group starts at row `first`. It ends where another prompt begins, or at the last of `rows` rows.
    group : ndarray, shape (COLUMNS, rows or more)
        For each row the prompt, the reward (1 if right, 0 if wrong), the length in tokens, and the count of responses
        that it stands for. The counts of a group sum to its size. The weights are filled in.
    max_length : float
        Length of the longest response there can be, the constant C of seq-mean-token-sum-norm.

    Returns
    -------
    end : int
        The row after the last one of the group.
    mixed : bool
        Whether the group holds both right and wrong responses.

    Examples
    --------
    Engines call it; `training.rules.weights` calls it for a single group:

    >>> import numpy as np
    >>> from gradgap.training.rules import weights
    >>> weights("dr_grpo", "seq-mean-token-sum", [1, 0, 0, 0], [5, 5, 5, 5], 5)
    array([ 0.1875, -0.0625, -0.0625, -0.0625])
    """
    size = 0.0
    right = 0.0
    total = 0.0
    end = first
    while end < rows and group[PROMPT, end] == group[PROMPT, first]:
        size += group[COUNT, end]
        right += group[COUNT, end] * group[REWARD, end]
        total += group[COUNT, end] * group[LENGTH, end]
        end += 1
    of_right, of_wrong = advantage(right, size)
    length = -1.0
    factor = 0.0
    for i in range(first, end):
        if group[LENGTH, i] != length:  # responses of one length come one after the other
            length = group[LENGTH, i]
            factor = aggregation(length, size, total, max_length)
        group[WEIGHT, i] = factor * (of_right if group[REWARD, i] > 0.5 else of_wrong)
    return end, 0.0 < right < size


@inlined
def weigh(advantage, aggregation, rows, group, max_length, mixed_only):
    """Fill in the weights of a whole batch, group by group.

    Parameters
    ----------
    advantage, aggregation, group, max_length
        As for `weigh_group`.
    rows : int
        How many rows the batch has.
    mixed_only : bool
        Give weight 0 to groups whose responses are all right or all wrong, as dynamic sampling does.

    Returns
    -------
    int
        Number of groups that were kept.
    """
    kept = 0
    first = 0
    while first < rows:
        end, mixed = weigh_group(advantage, aggregation, first, rows, group, max_length)
        if mixed or not mixed_only:
            kept += 1
        else:
            for i in range(first, end):
                group[WEIGHT, i] = 0.0
        first = end
    return kept
