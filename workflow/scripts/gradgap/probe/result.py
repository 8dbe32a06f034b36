"""The answer of the probe: three numbers and a word."""

import enum
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Status(enum.StrEnum):
    """The word that says how to read the numbers."""

    measured = "measured"  #: the edge was seen
    beyond_reach = (
        "beyond reach"  #: no edge was found as far as the responses can tell; the headroom is a lower bound
    )
    void = "void"  #: too few effective responses of an outcome to say anything


class Word(enum.IntEnum):
    """The words as numbers, in datasets."""

    measured = 0
    beyond_reach = 1
    void = 2


@dataclass(frozen=True)
class Curve:
    """Log-odds of success gained along the step, for a figure.

    Attributes
    ----------
    step : ndarray, shape (points,)
        Trial steps t, the first of them 0.
    log_odds, low, high : ndarray, shape (points,)
        ℓ(t) − ℓ(0), and its band at the level of the interval.
    """

    step: np.ndarray
    log_odds: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Headroom:
    """How much larger the step could be.

    Attributes
    ----------
    gain : float
        J(1) − J(0): how the step itself changes the success rate. nan if t = 1 is out of reach.
    headroom : float
        Smallest t > 0 at which the log-odds of success are below their start. If the status is `beyond reach` it is a
        lower bound, and if it is `void`, nan.
    headroom_interval : tuple of float
        From a block bootstrap. The upper end is infinite if it is possible that there is no edge.
    reach : float
        Largest t up to which the responses can tell.
    effective_right, effective_wrong : float
        Effective number of right and of wrong responses at the headroom, or a little beyond the reach if that is
        nearer.
    status : Status
    quadratic : float
        Cross-check: the headroom of a parabola through J near the start. For a large headroom it is often much lower
        than `headroom`. If it is much higher, score more trial steps. Infinite if J curves upwards.
    mean_weight : float
        Mean importance weight at the smallest trial step. If it differs from 1 by more than noise, the responses were
        not drawn from the policy of t = 0 (another temperature, truncated sampling, other numerics).
    mean_weight_error : float
        Standard error of the mean weight.
    responses : int
        Number of responses.
    curve : Curve or None
        The log-odds along the step, for a figure.

    Examples
    --------
    >>> found = Headroom(0.01, 4.2, (3.4, 4.9), 8.0, 670, 160, Status.measured)
    >>> print(found)
    gain +0.0100, headroom 4.2 (3.4 to 4.9), reach 8: measured
    """

    gain: float
    headroom: float
    headroom_interval: tuple[float, float]
    reach: float
    effective_right: float
    effective_wrong: float
    status: Status
    quadratic: float = np.nan
    mean_weight: float = np.nan
    mean_weight_error: float = np.nan
    responses: int = 0
    curve: Curve | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """All fields but the curve, as numbers and text, for JSON."""
        return {
            "gain": self.gain,
            "headroom": self.headroom,
            "headroom_interval": list(self.headroom_interval),
            "reach": self.reach,
            "effective_right": self.effective_right,
            "effective_wrong": self.effective_wrong,
            "status": str(self.status),
            "quadratic": self.quadratic,
            "mean_weight": self.mean_weight,
            "mean_weight_error": self.mean_weight_error,
            "responses": self.responses,
        }

    def __str__(self) -> str:
        low, high = self.headroom_interval
        if self.status is Status.void:
            return (
                f"void: too few effective responses ({self.effective_right:.0f} right, "
                f"{self.effective_wrong:.0f} wrong) to say anything"
            )
        gain = f"gain {self.gain:+.4f}, "
        if self.status is Status.beyond_reach:
            return f"{gain}headroom above {self.headroom:.3g}, reach {self.reach:.3g}: beyond reach"
        return (
            f"{gain}headroom {self.headroom:.3g} ({low:.3g} to {high:.3g}), reach {self.reach:.3g}: measured"
        )
