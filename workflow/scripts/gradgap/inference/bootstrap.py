"""The bootstrap: how much an estimate moves when its data are drawn again."""

import math

import numpy as np

#: Resamples behind an interval, unless a caller asks for another number.
RESAMPLES = 1000


def means(
    values: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES, *, paired: bool = True
) -> np.ndarray:
    """Means over replicates, of data drawn again with replacement.

    Parameters
    ----------
    values : ndarray, shape (points, replicates)
        One value a point and replicate.
    rng : numpy.random.Generator
    resamples : int
    paired : bool
        True: a replicate is one thing seen at every point (a bandit with its own features, say) and is drawn as a
        whole. False: the replicates of each point are drawn independently.

    Returns
    -------
    ndarray, shape (resamples, points)

    Examples
    --------
    >>> means(np.array([[1.0, 1.0], [3.0, 3.0]]), np.random.default_rng(0), resamples=2)
    array([[1., 3.],
           [1., 3.]])
    """
    points, replicates = values.shape
    if paired:
        picks = rng.integers(replicates, size=(resamples, replicates))
        return values[:, picks].mean(axis=-1).T
    picks = rng.integers(replicates, size=(resamples, points, replicates))
    return np.take_along_axis(values[None], picks, axis=2).mean(axis=2)


def interval(estimates: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of an estimate.

    Parameters
    ----------
    estimates : array_like, shape (resamples,)
        The estimate on each resample; nan where it has none. An infinite estimate counts: it says that the
        resample puts the estimate beyond what was measured.
    confidence : float

    Returns
    -------
    low, high : float
        nan where no resample has an estimate.

    Examples
    --------
    >>> tuple(round(end, 9) for end in interval(np.arange(41.0)))
    (1.0, 39.0)
    """
    found = np.sort(np.asarray(estimates, dtype=float))
    found = found[~np.isnan(found)]
    if not len(found):
        return math.nan, math.nan
    ends = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if np.isfinite(found).all():
        low, high = np.quantile(found, ends)
    else:  # nothing can be interpolated between a finite and an infinite value: the order statistics themselves
        low = found[math.floor(ends[0] * (len(found) - 1))]
        high = found[math.ceil(ends[1] * (len(found) - 1))]
    return float(low), float(high)


def cases(groups: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES) -> np.ndarray:
    """Points drawn again with replacement, each in the place of one of its own group.

    Parameters
    ----------
    groups : array_like, shape (points,)
    rng : numpy.random.Generator
    resamples : int

    Returns
    -------
    ndarray of int, shape (resamples, points)
        Indices of the points that were drawn.

    Examples
    --------
    >>> bool((cases(["a", "a", "b"], np.random.default_rng(0), 5)[:, 2] == 2).all())
    True
    """
    groups = np.asarray(groups)
    picks = np.empty((resamples, len(groups)), dtype=np.intp)
    for name in np.unique(groups):
        (own,) = np.nonzero(groups == name)
        picks[:, own] = own[rng.integers(len(own), size=(resamples, len(own)))]
    return picks
