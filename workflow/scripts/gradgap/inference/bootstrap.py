"""The bootstrap: how much an estimate varies when its data are drawn again."""

import math

import numpy as np

#: Resamples behind an interval, unless a caller asks for another number.
RESAMPLES = 1000


def means(
    values: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES, *, paired: bool = True
) -> np.ndarray:
    """Means over replicates for resamples, in which replicates are drawn again with replacement.

    Parameters
    ----------
    values : ndarray, shape (points, replicates)
        A value for each point and replicate.
    rng : numpy.random.Generator
    resamples : int
    paired : bool
        True: a replicate is the same thing at every point (such as one bandit with its features), and is drawn for
        all points together. False: the replicates are drawn for each point independently.

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
        The estimate on each resample; nan where there is none. Infinite estimates count: there the resample puts the
        estimate beyond the measured range.
    confidence : float

    Returns
    -------
    low, high : float
        nan if no resample has an estimate.

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
    else:  # one cannot interpolate between finite and infinite values, so take the order statistics themselves
        low = found[math.floor(ends[0] * (len(found) - 1))]
        high = found[math.ceil(ends[1] * (len(found) - 1))]
    return float(low), float(high)


def cases(groups: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES) -> np.ndarray:
    """Resamples of points, drawn with replacement within each group.

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
