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
    values : array_like, shape (..., n)
        One sequence, or several at once.

    Returns
    -------
    ndarray, shape (..., n)

    Examples
    --------
    >>> non_increasing([1.0, 0.25, 0.75, 0.0])
    array([1. , 0.5, 0.5, 0. ])
    """
    values = np.asarray(values, dtype=float)
    sequences = values.reshape(-1, values.shape[-1])
    each = np.arange(len(sequences))
    # of each sequence, the blocks of pooled neighbours so far: their sums, their sizes, and how many there are
    sums, sizes = np.zeros(sequences.shape), np.zeros(sequences.shape, int)
    blocks = np.zeros(len(sequences), int)
    for column in sequences.T:
        total, size = column.copy(), np.ones(len(sequences), int)
        rising = each
        while True:
            rising = rising[blocks[rising] > 0]
            before = rising, blocks[rising] - 1
            rises = sums[before] * size[rising] < total[rising] * sizes[before]
            if not rises.any():
                break
            rising = rising[rises]
            blocks[rising] -= 1
            total[rising] += sums[rising, blocks[rising]]
            size[rising] += sizes[rising, blocks[rising]]
        sums[each, blocks], sizes[each, blocks] = total, size
        blocks += 1
    sizes[np.arange(values.shape[-1]) >= blocks[:, None]] = 0  # of blocks that were pooled with others
    means = sums / np.maximum(sizes, 1)
    return np.repeat(means.ravel(), sizes.ravel()).reshape(values.shape)


def crossings(x: np.ndarray, curves: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Where each of several curves falls through a level.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Increasing. Usually the logarithm of the learning rate.
    curves : ndarray, shape (curves, n)
        Each curve at `x`. `non_increasing` removes noise from it.
    level : float

    Returns
    -------
    ndarray, shape (curves,)
        By linear interpolation in `x`. −∞ if a whole curve lies below the level, +∞ if it never falls below it.

    Examples
    --------
    >>> crossings(np.array([0.0, 1.0, 2.0]), np.array([[1.0, 0.75, 0.25], [0.25, 0.25, 0.0]]))
    array([ 1.5, -inf])
    """
    fitted = non_increasing(curves)
    above = np.sum(fitted >= level, axis=1)
    found = np.where(above == 0, -math.inf, math.inf)
    (falling,) = np.nonzero((above > 0) & (above < len(x)))
    after = above[falling]
    high, low = fitted[falling, after - 1], fitted[falling, after]
    found[falling] = x[after - 1] + (x[after] - x[after - 1]) * (high - level) / (high - low)
    return found


def crossing(x: np.ndarray, values: np.ndarray, level: float = 0.5) -> float:
    """Where one curve falls through a level; see `crossings`.

    Parameters
    ----------
    x, values : ndarray, shape (n,)
    level : float

    Examples
    --------
    >>> crossing(np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.75, 0.25]))
    1.5
    """
    return float(crossings(x, np.asarray(values)[None], level)[0])


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
    return Crossing(at, *bootstrap.interval(crossings(x[first:], again, level)))
