"""Numbers for a training loop to log about its steps, from records."""

from collections import deque

import numpy as np

from .control import HeadroomController
from .records import Record, pool


class Watch:
    """Collect the records of a run, and return the numbers to log after each step.

    Parameters
    ----------
    controller : HeadroomController, optional
        Sets the learning rate. Without one the learning rate is only logged.
    window : int
        Number of records over which the headroom is pooled.
    seed : int
        Seed of the bootstrap.

    Attributes
    ----------
    records : list of Record
        All records so far.

    Examples
    --------
    The probabilities do not change along this step, so its gain is 0, and nothing is known of its headroom:

    >>> watch = Watch()
    >>> record = Record([1, 0, 1, 0], np.log([[.5, .5, .5]] * 4), [-1, -0.5, 0], learning_rate=0.1)
    >>> watch.update(record)
    {'gain': -0.0, 'learning_rate': 0.1}
    """

    def __init__(
        self, controller: HeadroomController | None = None, *, window: int = 20, seed: int = 0
    ) -> None:
        self.controller, self.seed = controller, seed
        self.records: list[Record] = []
        self._window: deque[Record] = deque(maxlen=window)

    def update(self, record: Record) -> dict[str, float]:
        """Add the record of a step, and return its numbers.

        Parameters
        ----------
        record : Record

        Returns
        -------
        dict of str to float
            ``gain``: J after the step minus J before it. ``headroom``, ``headroom_low``, ``headroom_high`` and
            ``reach``: from `pool` over the window. ``edge``: headroom × learning rate. ``learning_rate``: that of the
            next step. Numbers that are not finite are left out, because many loggers cannot take them.
        """
        self.records.append(record)
        self._window.append(record)
        found = pool(list(self._window), seed=self.seed)
        low, high = found.headroom_interval
        rate = record.learning_rate
        numbers = {
            "gain": record.gain,
            "headroom": found.headroom,
            "headroom_low": low,
            "headroom_high": high,
            "reach": found.reach if np.isfinite(found.headroom) else np.nan,
            "edge": found.headroom * rate,
            "learning_rate": rate if self.controller is None else self.controller.update(record),
        }
        return {name: float(value) for name, value in numbers.items() if np.isfinite(value)}
