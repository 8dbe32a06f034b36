"""Importance weights along a step: interpolation, effective sample sizes, and the change of the success rate."""

import itertools

import numpy as np

#: Larger changes of a log-probability are cut off. No sample is large enough for such weights.
_LARGEST = 300.0


def blend(steps: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Matrix that interpolates values at `steps` to other places, by piecewise cubics.

    The log-probability of a response is a smooth function of t, and for a softmax of linear scores a concave one. So
    it can be interpolated well, response by response. The success rate is far less smooth, so it is computed from the
    interpolated values at every place. The slope of a cubic at a step is that of the parabola through it and its two
    neighbours, so parabolas are interpolated exactly.

    Parameters
    ----------
    steps : ndarray, shape (m,)
        Rising, 2 or more.
    at : ndarray, shape (points,)
        Places within the range of the steps.

    Returns
    -------
    ndarray, shape (points, m)

    Examples
    --------
    >>> steps = np.array([0.0, 1.0, 3.0, 4.0])
    >>> blend(steps, np.array([0.5, 2.0])) @ steps**2
    array([0.25, 4.  ])
    """
    m = len(steps)
    unit = np.eye(m)
    if m == 2:
        share = (at - steps[0]) / (steps[1] - steps[0])
        return np.outer(1 - share, unit[0]) + np.outer(share, unit[1])
    gap = np.diff(steps)
    secant = np.diff(unit, axis=0) / gap[:, None]
    slope = np.empty((m, m))
    slope[1:-1] = (gap[1:, None] * secant[:-1] + gap[:-1, None] * secant[1:]) / (gap[:-1] + gap[1:])[:, None]
    slope[0] = 2 * secant[0] - slope[1]
    slope[-1] = 2 * secant[-1] - slope[-2]
    left = np.clip(np.searchsorted(steps, at, side="right") - 1, 0, m - 2)
    width = gap[left][:, None]
    x = ((at - steps[left]) / gap[left])[:, None]
    return (
        (1 + 2 * x) * (1 - x) ** 2 * unit[left]
        + x * (1 - x) ** 2 * width * slope[left]
        + x**2 * (3 - 2 * x) * unit[left + 1]
        + x**2 * (x - 1) * width * slope[left + 1]
    )


def log_mean_exp(change: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Log of the weighted mean of e^λ over the rows, without overflow.

    Parameters
    ----------
    change : ndarray, shape (n, points)
        λ.
    weight : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (points,)

    Examples
    --------
    >>> log_mean_exp(np.log([[1.0], [3.0]]), np.ones(2)).round(6) == round(np.log(2), 6)
    array([ True])
    """
    top = change.max(axis=0)
    return top + np.log(weight @ np.exp(change - top) / weight.sum())


def effective(change: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Effective sample size (Σ w)² / Σ w² of the weights w = weight · e^λ, at every place.

    Parameters
    ----------
    change : ndarray, shape (n, points)
        λ.
    weight : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (points,)

    Examples
    --------
    >>> effective(np.zeros((5, 1)), np.ones(5))
    array([5.])
    """
    scaled = weight[:, None] * np.exp(change - change.max(axis=0))
    return scaled.sum(axis=0) ** 2 / (scaled**2).sum(axis=0)


def grid(steps: np.ndarray, between: int = 16) -> np.ndarray:
    """The places t > 0 at which a curve is computed: `between` of them from each trial step to the next.

    Examples
    --------
    >>> grid(np.array([0.0, 1.0, 2.0]), between=2)
    array([0.5, 1. , 1.5, 2. ])
    """
    edges = np.concatenate([[0.0], steps[steps > 0]])
    parts = [np.linspace(a, b, between + 1)[1:] for a, b in itertools.pairwise(edges)]
    return np.concatenate(parts)


def contributions(
    weight: np.ndarray, excess: np.ndarray, right: np.ndarray, prompt: np.ndarray | None
) -> np.ndarray:
    """What each response contributes to an unbiased estimate of J(t) − J(0), which is the sum of these.

    Let w be the importance weight at t (over that at 0), and v the weight of a response. For each prompt, E[w − 1] =
    0 exactly. So J(t) − J(0) = E[v (r − b)(w − 1)] for every baseline b that does not depend on the response itself.
    The variance is smallest if b is the mean of r weighted by (v(w − 1))². This mean is taken over the other
    responses to the same prompt. So that noise does not decide in small groups, the mean over all other responses is
    added, with the weight of one response.

    The noise of the headroom is then half of that with weights normalised within the outcomes, ℓ(t) − ℓ(0) = K₁ − K₀
    (docs/probe.md). To first order this other form is the one with b = J.

    Parameters
    ----------
    weight : ndarray, shape (n,)
        v, of sum 1.
    excess : ndarray, shape (n, points)
        w − 1.
    right : ndarray of bool, shape (n,)
    prompt : ndarray of int, shape (n,), optional
        Numbers from 0 without gaps; None if all responses belong to one prompt.

    Returns
    -------
    ndarray, shape (n, points)

    Examples
    --------
    >>> change = np.log([[1.2], [0.8]])  # the right response gains probability, the wrong one loses it
    >>> parts = contributions(np.full(2, 0.5), excess(change), np.array([True, False]), None)
    >>> parts.sum(axis=0).round(6)
    array([0.2])
    """
    first = weight[:, None] * excess
    square = first**2
    rewarded = np.where(right[:, None], square, 0.0)
    tiny = np.finfo(float).tiny
    others = square.sum(axis=0) - square
    of_others = rewarded.sum(axis=0) - rewarded
    baseline = (of_others + tiny) / (others + 2 * tiny)
    if prompt is not None:
        one = others / max(len(weight) - 1, 1)
        in_group = summed(square, prompt)[prompt] - square
        right_in_group = summed(rewarded, prompt)[prompt] - rewarded
        baseline = (right_in_group + one * baseline + tiny) / (in_group + one + 2 * tiny)
    # a difference of two sums can leave a rounding below 0
    return (right[:, None] - np.clip(baseline, 0.0, 1.0)) * first


def summed(values: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Sums of rows by block.

    Parameters
    ----------
    values : ndarray, shape (n, points)
    block : ndarray of int, shape (n,)
        Numbers from 0 without gaps.

    Returns
    -------
    ndarray, shape (blocks, points)

    Examples
    --------
    >>> summed(np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 0]))
    array([[4.],
           [2.]])
    """
    order = np.argsort(block, kind="stable")
    starts = np.searchsorted(block[order], np.arange(block.max() + 1))
    return np.add.reduceat(values[order], starts, axis=0)


def excess(change: np.ndarray) -> np.ndarray:
    """e^λ − 1, to full relative accuracy near λ = 0 and without overflow.

    Examples
    --------
    >>> excess(np.array([0.0, 1e-20]))
    array([0.e+00, 1.e-20])
    """
    return np.expm1(np.minimum(change, _LARGEST))


def log_odds(gain: np.ndarray, success: np.ndarray | float) -> np.ndarray:
    """Log-odds gained, ℓ(t) − ℓ(0), from J(t) − J(0) and J(0); infinite if the estimate of J(t) is outside (0, 1).

    Examples
    --------
    From J = 0.5 to 0.75 the log-odds grow by log 3:

    >>> float(log_odds(np.array(0.25), 0.5).round(6)), round(float(np.log(3)), 6)
    (1.098612, 1.098612)
    """
    failure = 1 - success
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log1p(np.maximum(gain / success, -1)) - np.log1p(np.maximum(-gain / failure, -1))


def crossing(places: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The smallest t > 0 at which the gain turns negative. Between the places gain/t is taken to be linear.

    Parameters
    ----------
    places : ndarray, shape (points,)
        Rising, above 0.
    gain : ndarray, shape (..., points)

    Returns
    -------
    ndarray, shape (...)
        0 if the gain is negative from the start, and infinite if it is never negative.

    Examples
    --------
    >>> t = np.array([0.5, 1.0, 1.5, 2.0])
    >>> crossing(t, np.array([t * (1.2 - t), t * (3 - t), -t]))
    array([1.2, inf, 0. ])
    """
    slope = gain / places
    negative = slope < 0
    first = np.argmax(negative, axis=-1)
    found = negative.any(axis=-1)
    index = np.maximum(first, 1)[..., None]
    before, after = (
        np.take_along_axis(slope, index - 1, axis=-1)[..., 0],
        np.take_along_axis(slope, index, axis=-1)[..., 0],
    )
    left, right = places[index[..., 0] - 1], places[index[..., 0]]
    with np.errstate(divide="ignore", invalid="ignore"):
        # if the gain is negative at the first place already, the line is extrapolated towards 0
        root = left + (right - left) * before / (before - after)
    root = np.where((first == 0) & ~((root > 0) & (root <= left)), 0.0, root)
    return np.where(found, root, np.inf)


def resampled(generator: np.random.Generator, resamples: int, strata: np.ndarray) -> np.ndarray:
    """How often each block is drawn in each bootstrap resample. Blocks are drawn within their strata.

    Parameters
    ----------
    generator : Generator
    resamples : int
    strata : ndarray of int, shape (blocks,)
        Stratum of each block.

    Returns
    -------
    ndarray, shape (resamples, blocks)

    Examples
    --------
    >>> resampled(np.random.default_rng(0), 2, np.zeros(3, int)).sum(axis=1)
    array([3., 3.])
    """
    counts = np.zeros((resamples, len(strata)))
    for stratum in np.unique(strata):
        members = np.nonzero(strata == stratum)[0]
        counts[:, members] = generator.multinomial(
            len(members), np.full(len(members), 1 / len(members)), size=resamples
        )
    return counts


def quantiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """Ends of the interval that has the middle share `level` of some values. Values may be infinite.

    Examples
    --------
    >>> quantiles(np.array([1.0, 2.0, 3.0, np.inf]), 0.5)
    (1.0, inf)
    """
    ordered = np.sort(values)
    low = ordered[int(np.floor((1 - level) / 2 * (len(ordered) - 1)))]
    high = ordered[int(np.ceil((1 + level) / 2 * (len(ordered) - 1)))]
    return float(low), float(high)
