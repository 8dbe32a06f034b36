"""Exponents: fitted, compared with the prediction, judged."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats has it too, and takes half a second to import

#: Columns of the scaling table.
COLUMNS = [
    "study",
    "family",
    "advantage",
    "aggregation",
    "axis",
    "predicted",
    "measured",
    "ci_low",
    "ci_high",
    "n",
    "verdict",
]
#: An exact exponent this near its prediction is confirmed: lengths and windows are whole numbers, and wobble.
EXACT_TOLERANCE = 0.03


@dataclass(frozen=True)
class Fit:
    """A power law y = factor · x^exponent fitted by least squares in log-log.

    Attributes
    ----------
    exponent, low, high : float
        Estimate, and its 95 % confidence interval from the t distribution.
    factor : float
    n : int
        Number of points.
    """

    exponent: float
    low: float
    high: float
    factor: float
    n: int


def fit(
    x: Iterable[float], y: Iterable[float], group: Iterable[Any] | None = None, confidence: float = 0.95
) -> Fit | None:
    """Fit a power law.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Positive numbers; pairs in which either is nan are left out.
    group : array_like, shape (n,), optional
        Points of one group share a factor of their own; the exponent is common to all. The factor returned is
        the geometric mean over points.
    confidence : float
        Level of the interval.

    Returns
    -------
    Fit or None
        None where too few points are left for an interval: two more than groups are needed, at two x or more.
    """
    frame = pd.DataFrame(
        {"x": np.log(list(x)), "y": np.log(list(y)), "group": 0 if group is None else list(group)}
    )
    frame = frame[np.isfinite(frame.x) & np.isfinite(frame.y)]
    free = len(frame) - frame.group.nunique() - 1
    centred = frame[["x", "y"]] - frame.groupby("group")[["x", "y"]].transform("mean")
    spread = float((centred.x**2).sum())
    if free < 1 or spread == 0:
        return None
    slope = float((centred.x * centred.y).sum()) / spread
    residual = float(((centred.y - slope * centred.x) ** 2).sum())
    half = stdtrit(free, 0.5 + confidence / 2) * math.sqrt(residual / free / spread)
    factor = math.exp(float(frame.y.mean()) - slope * float(frame.x.mean()))
    return Fit(slope, slope - half, slope + half, factor, len(frame))


def departure(measured: pd.Series, predicted: pd.Series) -> float | None:
    """Largest relative departure of what was measured from its prediction; None where neither is ever known."""
    ratios = (measured / predicted - 1).abs().dropna()
    return float(ratios.max()) if len(ratios) else None


def verdict(predicted: float, found: Fit, *, sampled: bool = False) -> str:
    """``confirmed`` where the prediction lies within the interval (exact: or within 0.03), else ``refuted``."""
    inside = found.low <= predicted <= found.high
    if not sampled:
        inside |= abs(predicted - found.exponent) <= EXACT_TOLERANCE
    return "confirmed" if inside else "refuted"


def row(labels: Mapping[str, Any], axis: str, predicted: float, found: Fit, *, sampled: bool = False) -> dict:
    """One row of the scaling table.

    Parameters
    ----------
    labels : mapping
        ``study``, ``family``, ``advantage``, ``aggregation``.
    axis : str
        What the exponent is in: ``length`` or ``failure_rate``.
    """
    return {
        **labels,
        "axis": axis,
        "predicted": predicted,
        "measured": found.exponent,
        "ci_low": found.low,
        "ci_high": found.high,
        "n": found.n,
        "verdict": verdict(predicted, found, sampled=sampled),
    }


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table with all of `COLUMNS`, in that order."""
    return pd.DataFrame(list(rows), columns=COLUMNS)
