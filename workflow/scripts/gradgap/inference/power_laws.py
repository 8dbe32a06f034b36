"""Power laws: exponents fitted in log-log, with intervals, and the rows of the scaling table."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats has it too, and takes half a second to import

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
    frame = pd.DataFrame(
        {"x": np.log(list(x)), "y": np.log(list(y)), "group": 0 if group is None else list(group)}
    )
    known = low is not None and high is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["spread"] = np.log(list(high)) - np.log(list(low)) if known else 0.0  # type: ignore[arg-type]
    frame = frame[np.isfinite(frame.x) & np.isfinite(frame.y)]
    free = len(frame) - frame.group.nunique() - 1
    centred = frame[["x", "y"]] - frame.groupby("group")[["x", "y"]].transform("mean")
    spread = float((centred.x**2).sum())
    if free < 1 or spread == 0:
        return None
    slope = float((centred.x * centred.y).sum()) / spread
    residual = float(((centred.y - slope * centred.x) ** 2).sum())
    half = float(stdtrit(free, 0.5 + confidence / 2)) * math.sqrt(residual / free / spread)
    if known:  # the exponent is linear in log y, so the spread of resamples is a sum
        own = frame.spread.to_numpy() / 2
        own = np.where(np.isfinite(own), own, 0.0)
        again = math.sqrt(float(((centred.x.to_numpy() * own) ** 2).sum())) / spread
    else:
        again = _redrawn(frame, slope, confidence, seed)
    factor = math.exp(float(frame.y.mean()) - slope * float(frame.x.mean()))
    widest = max(half, again)
    return Fit(slope, slope - widest, slope + widest, factor, len(frame), half, again)


def _redrawn(frame: pd.DataFrame, slope: float, confidence: float, seed: int) -> float:
    """Half-width of the bootstrap interval over points: the larger distance of its ends from the estimate."""
    groups, place = np.unique(frame.group.astype(str).to_numpy(), return_inverse=True)
    picks = bootstrap.cases(place, np.random.default_rng(seed))
    x, y = frame.x.to_numpy()[picks], frame.y.to_numpy()[picks]
    for values in (x, y):
        for k in range(len(groups)):
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
