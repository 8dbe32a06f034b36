"""Where a noisy falling curve crosses a level, and from that the half-kept learning rate.

The share that a run *kept* is (J − J_∞)/(J_max − J_∞): 1 at the best success rate, 0 where the policy has collapsed.
The half-kept learning rate is where the mean share, as the learning rate grows, falls through ½.
"""

import math
from dataclasses import dataclass

import numpy as np

from . import bootstrap


@dataclass(frozen=True)
class Crossing:
    """Where a curve falls through a level.

    Attributes
    ----------
    at, low, high : float
        Estimate, and its 95 % bootstrap interval. An end is infinite if the resamples put it beyond the grid. All are
        nan if the curve does not fall through the level.
    """

    at: float
    low: float
    high: float


def non_increasing(values: np.ndarray) -> np.ndarray:
    """The non-increasing sequence nearest to the given one in least squares.

    Neighbours that rise are replaced by their mean, until none rises (the pool-adjacent-violators algorithm).

    Parameters
    ----------
    values : array_like, shape (n,)

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> non_increasing([1.0, 0.25, 0.75, 0.0])
    array([1. , 0.5, 0.5, 0. ])
    """
    sums: list[float] = []
    counts: list[int] = []
    for value in np.asarray(values, dtype=float).tolist():
        total, count = value, 1
        while sums and sums[-1] * count < total * counts[-1]:  # the block before has the smaller mean
            total += sums.pop()
            count += counts.pop()
        sums.append(total)
        counts.append(count)
    return np.repeat(np.divide(sums, counts), counts)


def crossing(x: np.ndarray, values: np.ndarray, level: float = 0.5) -> float:
    """Where a curve falls through a level.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Increasing. Usually the logarithm of the learning rate.
    values : ndarray, shape (n,)
        The curve at `x`. `non_increasing` removes noise from it.
    level : float

    Returns
    -------
    float
        By linear interpolation in `x`. −∞ if the whole curve lies below the level, +∞ if it never falls below it.

    Examples
    --------
    >>> crossing(np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.75, 0.25]))
    1.5
    """
    fitted = non_increasing(values)
    above = int(np.sum(fitted >= level))
    if above == 0:
        return -math.inf
    if above == len(fitted):
        return math.inf
    high, low = fitted[above - 1], fitted[above]
    return float(x[above - 1] + (x[above] - x[above - 1]) * (high - level) / (high - low))


def half_kept(
    x: np.ndarray,
    kept: np.ndarray,
    rng: np.random.Generator,
    *,
    resamples: int = bootstrap.RESAMPLES,
    paired: bool = True,
    level: float = 0.5,
) -> Crossing:
    """Where the mean share kept falls through ½, with a bootstrap interval over replicates.

    The search starts at the largest mean. At smaller learning rates runs are slow: they have not yet gained much, but
    they have not lost anything.

    Parameters
    ----------
    x : ndarray, shape (points,)
        Increasing: the logarithm of the learning rate, or its rung on a ladder.
    kept : ndarray, shape (points, replicates)
        The share kept, over the last tenth of each run.
    rng : numpy.random.Generator
        For the resamples.
    resamples : int
    paired : bool
        See `bootstrap.means`.
    level : float

    Returns
    -------
    Crossing
        In the units of `x`.

    Examples
    --------
    >>> kept = np.array([[0.2], [1.0], [0.75], [0.25]])
    >>> half_kept(np.arange(4.0), kept, np.random.default_rng(0)).at
    2.5
    """
    mean = kept.mean(axis=1)
    first = int(mean.argmax())
    at = crossing(x[first:], mean[first:], level)
    if not math.isfinite(at):
        return Crossing(math.nan, math.nan, math.nan)
    again = bootstrap.means(kept[first:], rng, resamples, paired=paired)
    return Crossing(at, *bootstrap.interval(np.array([crossing(x[first:], row, level) for row in again])))
