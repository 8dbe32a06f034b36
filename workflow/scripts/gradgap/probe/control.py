"""A controller: the learning rate that holds pooled headroom at a target."""

from collections import deque

import numpy as np

from ..errors import ConfigError
from .records import Record, edge_of, totals


class HeadroomController:
    """Hold the headroom of a trainer's steps at a target, by small changes of the learning rate.

    After each step, call `update` with the record of the step, which was scored on the next batch. It returns the
    learning rate of the next step. The controller pools the last `window` records into one estimate of the edge, the
    learning rate at which a step would just do harm. The records may have different learning rates. The learning rate
    then moves towards edge/target: by a share `pace` of the way (on a log scale), and at most by a factor `most`.
    There are three special cases. If J rises over the window and does not curve downwards, there is no edge in sight,
    and the learning rate grows by `most`. If J falls from the start of the steps on, it shrinks by `most`. If all
    rewards are equal, it stays.

    Parameters
    ----------
    learning_rate : float
        Where to start. If it is too small, time is lost. If it is too large, it is corrected, provided that the run
        survives the first `warm_up` steps.
    target : float
        Headroom to hold, above 1. At 2, a step is half as long as one that would just do harm. If J is a parabola,
        this is the step with the largest gain.
    window : int
        Number of records that are pooled. With more, the estimate has less noise, but follows the edge more slowly.
    warm_up : int
        Number of records before the first change.
    pace : float
        Share of the way to go at each step, in (0, 1].
    most : float
        Largest factor by which the learning rate changes at each step, above 1.
    lowest, highest : float
        Limits of the learning rate. By default 0 and 100 times the first. A run that fluctuates around its optimum
        has a headroom of 1 at any learning rate, so the controller lowers it step by step, down to `lowest`.

    Raises
    ------
    ConfigError
        If a setting is not allowed.

    Examples
    --------
    >>> HeadroomController(0.01, target=0.5)
    Traceback (most recent call last):
    ...
    gradgap.errors.ConfigError: target: 0.5 is not allowed; it must be above 1
    """

    def __init__(
        self,
        learning_rate: float,
        *,
        target: float = 2.0,
        window: int = 20,
        warm_up: int = 3,
        pace: float = 0.2,
        most: float = 1.2,
        lowest: float = 0.0,
        highest: float | None = None,
    ) -> None:
        highest = 100 * learning_rate if highest is None else highest
        for name, value, allowed, why in (
            ("learning_rate", learning_rate, 0 < learning_rate < np.inf, "above 0"),
            ("target", target, 1 < target < np.inf, "above 1"),
            ("window", window, window >= 2, "2 or more"),
            ("warm_up", warm_up, 1 <= warm_up <= window, "from 1 to the window"),
            ("pace", pace, 0 < pace <= 1, "above 0 and at most 1"),
            ("most", most, 1 < most < np.inf, "above 1"),
            ("lowest", lowest, 0 <= lowest <= learning_rate, "from 0 to the learning rate"),
            ("highest", highest, highest >= learning_rate, "the learning rate or above"),
        ):
            if not allowed:
                raise ConfigError(f"{name}: {value} is not allowed; it must be {why}")
        self.learning_rate = float(learning_rate)
        self.target, self.warm_up, self.pace, self.most = target, warm_up, pace, most
        self.lowest, self.highest = lowest, highest
        self._window: deque[np.ndarray] = deque(maxlen=window)

    @property
    def edge(self) -> float:
        """Learning rate at which a step would just do harm, pooled over the window; infinite if none is in sight."""
        if not self._window:
            return np.inf
        return float(edge_of(np.sum(self._window, axis=0)))

    @property
    def headroom(self) -> float:
        """Pooled headroom: edge over learning rate."""
        return self.edge / self.learning_rate

    def update(self, record: Record) -> float:
        """Add the record of a step, and return the learning rate of the next step.

        Parameters
        ----------
        record : Record
            With the `learning_rate` of its step.

        Returns
        -------
        float
        """
        self._window.append(totals([record])[0])
        if len(self._window) >= self.warm_up:
            most = np.log(self.most)
            factor = np.exp(np.clip(self.pace * self._wanted(), -most, most))
            self.learning_rate = float(np.clip(self.learning_rate * factor, self.lowest, self.highest))
        return self.learning_rate

    def _wanted(self) -> float:
        """Log of the learning rate that the window suggests over the present one."""
        slope, curvature = np.sum(self._window, axis=0)
        if slope == 0 and curvature == 0:
            return 0.0  # if groups are all right or all wrong, nothing is known
        if slope <= 0:
            return -np.inf
        return float(np.log(self.headroom / self.target)) if curvature < 0 else np.inf
