"""Groups of sampled responses: how much each response counts in one update (docs/theory.md, R1–R2).

A batch holds one group for each prompt. It is described by rows, one for each response. Responses that are alike in
all that matters to an update may share a row, which then says how many they are. The rows of one prompt follow one
another.
"""

import math

import numpy as np

from ..numerics.compiler import f8, function_type, inlined, kernel, types
from ..numerics.streams import uniform

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
    # unsigned, so that numba need not ask of each index whether it counts from the end
    begin, stop, one = np.uint64(first), np.uint64(rows), np.uint64(1)
    end = begin
    while end < stop and group[PROMPT, end] == group[PROMPT, begin]:
        size += group[COUNT, end]
        right += group[COUNT, end] * group[REWARD, end]
        total += group[COUNT, end] * group[LENGTH, end]
        end += one
    of_right, of_wrong = advantage(right, size)
    length = -1.0
    factor = 0.0
    for i in range(begin, end):
        if group[LENGTH, i] != length:  # responses of one length come one after the other
            length = group[LENGTH, i]
            factor = aggregation(length, size, total, max_length)
        group[WEIGHT, i] = factor * (of_right if group[REWARD, i] > 0.5 else of_wrong)
    return np.int64(end), 0.0 < right < size


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


@kernel
def deal(state, rows, group, parts):
    """Deal the responses of one group to minibatches of equal size, at random.

    All ways to split them are equally likely, whatever the order of the rows and however many responses share one:
    each response in turn takes one of the free places, which are numbered minibatch by minibatch.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Of the stream, changed in place: one number a response.
    rows : int
        How many rows the group has.
    group : ndarray, shape (COLUMNS, rows or more)
        With the count of every row. The counts sum to a multiple of the number of minibatches.
    parts : ndarray, shape (minibatches, more than rows)
        Filled with the responses of each row that each minibatch gets. The last column is scratch.

    Examples
    --------
    Three responses share the first row, and one has the second:

    >>> import numpy as np
    >>> from gradgap.numerics import streams
    >>> group, parts = np.zeros((COLUMNS, 2)), np.empty((2, 3))
    >>> group[COUNT] = 3, 1
    >>> deal(streams.state(1, {}), 2, group, parts)
    >>> parts[:, :2].sum(axis=0).tolist(), parts[:, :2].sum(axis=1).tolist()
    ([3.0, 1.0], [2.0, 2.0])
    """
    minibatches, free = parts.shape[0], parts.shape[1] - 1
    left = 0.0
    for i in range(rows):
        left += group[COUNT, i]
    for part in range(minibatches):
        parts[part, free] = left / minibatches
        for i in range(rows):
            parts[part, i] = 0.0
    for i in range(rows):
        for _ in range(int(group[COUNT, i])):
            place = math.floor(uniform(state) * left)
            part = 0
            while place >= parts[part, free]:
                place -= parts[part, free]
                part += 1
            parts[part, free] -= 1.0
            parts[part, i] += 1.0
            left -= 1.0


@kernel
def weigh_part(advantage, aggregation, rows, group, parts, part, max_length):
    """Fill in the weights of one group so that only the responses of one minibatch count.

    Advantages are those of the whole group. What they are divided by, responses or tokens, is the minibatch's own.

    Parameters
    ----------
    advantage, aggregation, rows, group, max_length
        As for `weigh_group`.
    parts : ndarray
        As filled by `deal`.
    part : int
        The minibatch.
    """
    whole = right = size = total = 0.0
    for i in range(rows):
        whole += group[COUNT, i]
        right += group[COUNT, i] * group[REWARD, i]
        size += parts[part, i]
        total += parts[part, i] * group[LENGTH, i]
    of_right, of_wrong = advantage(right, whole)
    for i in range(rows):
        group[WEIGHT, i] = 0.0
        if parts[part, i] > 0.0:  # so much of the row is in this minibatch
            share = parts[part, i] / group[COUNT, i]
            factor = share * aggregation(group[LENGTH, i], size, total, max_length)
            group[WEIGHT, i] = factor * (of_right if group[REWARD, i] > 0.5 else of_wrong)
