"""Power laws: exponents fitted in log-log, with intervals, and the rows of the scaling table."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import bootstrap
from .equivalence import Statement, verdict

#: Columns of the scaling table.
COLUMNS = [
    "study",
    "family",
    "advantage",
    "aggregation",
    "optimizer",
    "axis",
    "predicted",
    "measured",
    "ci_low",
    "ci_high",
    "n",
    "verdict",
    "closed_form",
    "statement",
    "search",
]


@dataclass(frozen=True)
class Fit:
    """A power law y = factor · x^exponent fitted by least squares in log-log.

    Attributes
    ----------
    exponent, low, high : float
        Estimate and its confidence interval, which extends the larger of the two half-widths below to both sides.
    factor : float
    n : int
        Number of points.
    residual, bootstrap : float
        Half-widths of the two intervals: from the residuals (t distribution), and from the bootstrap.
    """

    exponent: float
    low: float
    high: float
    factor: float
    n: int
    residual: float
    bootstrap: float


def fit(
    x: Iterable[float],
    y: Iterable[float],
    group: Iterable[Any] | None = None,
    *,
    low: Iterable[float] | None = None,
    high: Iterable[float] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Fit | None:
    """Fit a power law.

    The interval from the residuals can be too narrow by chance, if a few points happen to lie on a line. So a second
    interval is computed, and the wider one counts. If each y has an interval of its own, the second one follows from
    drawing every y again from its interval, independently. Otherwise it is a bootstrap over the points.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Positive numbers. Pairs with a nan are left out.
    group : array_like, shape (n,), optional
        Each group of points has a factor of its own, and all share the exponent. The factor returned is the geometric
        mean over points.
    low, high : array_like, shape (n,), optional
        Interval of each y, with the same `confidence`. An unknown end counts as y itself.
    confidence : float
        Level of the interval.
    seed : int
        Of the resamples.

    Returns
    -------
    Fit or None
        None if too few points are left for an interval: it takes two more points than groups, at two x or more.

    Examples
    --------
    >>> round(fit([1, 2, 4, 8], [8, 4, 2, 1]).exponent, 12)
    -1.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_x, log_y = np.log(_numbers(x)), np.log(_numbers(y))
        if known := low is not None and high is not None:
            spreads = np.log(_numbers(high)) - np.log(_numbers(low))
        else:
            spreads = np.zeros(len(log_y))
    kept = np.isfinite(log_x) & np.isfinite(log_y)
    log_x, log_y, spreads = log_x[kept], log_y[kept], spreads[kept]
    names = np.zeros(len(kept)) if group is None else np.array([str(name) for name in group])
    groups, place = np.unique(names[kept], return_inverse=True)
    free = len(log_x) - len(groups) - 1
    own_x, own_y = (values - _means(values, place, len(groups)) for values in (log_x, log_y))
    spread = float((own_x**2).sum())
    if free < 1 or spread == 0:
        return None
    slope = float((own_x * own_y).sum()) / spread
    residual = float(((own_y - slope * own_x) ** 2).sum())
    # here, because a study without fits, and the start of a workflow, would wait for it; scipy.stats is slower still
    from scipy.special import stdtrit

    half = float(stdtrit(free, 0.5 + confidence / 2)) * math.sqrt(residual / free / spread)
    if known:  # the exponent is linear in log y, so the spread of resamples is a sum
        own = np.where(np.isfinite(spreads), spreads / 2, 0.0)
        again = math.sqrt(float(((own_x * own) ** 2).sum())) / spread
    else:
        again = _redrawn(log_x, log_y, place, slope, confidence, seed)
    factor = math.exp(float(log_y.mean()) - slope * float(log_x.mean()))
    widest = max(half, again)
    return Fit(slope, slope - widest, slope + widest, factor, len(log_x), half, again)


def _numbers(values: Iterable[float]) -> np.ndarray:
    return np.array(list(values), dtype=float)


def _means(values: np.ndarray, place: np.ndarray, groups: int) -> np.ndarray:
    """Mean of the group of each value; `place` says to which of the groups it belongs."""
    means = [math.fsum(values[place == k]) / np.sum(place == k) for k in range(groups)]
    return np.array(means)[place]


def _redrawn(
    x: np.ndarray, y: np.ndarray, place: np.ndarray, slope: float, confidence: float, seed: int
) -> float:
    """Half-width of the bootstrap interval over points: the larger distance of its ends from the estimate."""
    picks = bootstrap.cases(place, np.random.default_rng(seed))
    x, y = x[picks], y[picks]
    for values in (x, y):
        for k in np.unique(place):
            own = place == k  # a point is redrawn within its group, so places keep their group
            values[:, own] -= values[:, own].mean(axis=1, keepdims=True)
    spread = (x**2).sum(axis=1)
    slopes = (x * y).sum(axis=1)[spread > 1e-12] / spread[spread > 1e-12]
    low, high = bootstrap.interval(slopes, confidence)
    return max(slope - low, high - slope, 0.0) if math.isfinite(low) else 0.0


def departure(measured: pd.Series, predicted: pd.Series) -> float | None:
    """Largest relative difference between measured and predicted values; None if there is no pair of them.

    Examples
    --------
    >>> round(departure(pd.Series([1.0, 2.2]), pd.Series([1.0, 2.0])), 9)
    0.1
    """
    ratios = (measured / predicted - 1).abs().dropna()
    return float(ratios.max()) if len(ratios) else None


def row(
    labels: Mapping[str, Any],
    axis: str,
    predicted: float,
    found: Fit,
    *,
    closed_form: Fit | None = None,
    statement: Statement = Statement.LAW,
    search: str,
) -> dict:
    """One row of the scaling table, with its verdict by equivalence (see `equivalence.verdict`).

    Parameters
    ----------
    labels : mapping
        ``study``, ``family``, ``advantage``, ``aggregation``, and ``optimizer`` if it is not ``sgd``.
    axis : str
        The quantity that has the exponent: ``length``, ``failure_rate`` or ``group_size``.
    predicted : float
    found : Fit
    closed_form : Fit, optional
        Fit of the closed form at the same points. On a finite grid its exponent differs from the predicted one.
    statement : Statement
        Whether the prediction is a law or the scaling of a bound.
    search : str
        Name of the search that the thresholds come from. Rows of one search are one piece of evidence.

    Returns
    -------
    dict
        A value for each of `COLUMNS`.

    Examples
    --------
    >>> labels = {"study": "mine", "family": "gated", "advantage": "grpo", "aggregation": "token-mean"}
    >>> made = row(labels, "length", -1.0, fit([1, 2, 4, 8], [8, 4, 2, 1]), search="only one")
    >>> made["measured"], made["verdict"]
    (-1.0, 'confirmed')
    """
    return {
        "optimizer": "sgd",
        **labels,
        "axis": axis,
        "predicted": predicted,
        "measured": found.exponent,
        "ci_low": found.low,
        "ci_high": found.high,
        "n": found.n,
        "verdict": verdict(predicted, found.low, found.high, statement).value,
        "closed_form": math.nan if closed_form is None else closed_form.exponent,
        "statement": statement.value,
        "search": f"{labels['study']}: {search}",
    }


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of rows, with all of `COLUMNS` in that order.

    Examples
    --------
    >>> list(table([]).columns) == COLUMNS
    True
    """
    return pd.DataFrame(list(rows), columns=COLUMNS)
