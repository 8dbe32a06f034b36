"""What a training loop logs of its steps, from records: numbers by name, as loggers take them."""

from collections import deque

import numpy as np

from .control import HeadroomController
from .records import Record, pool


class Watch:
    """Takes the record of each step, and answers what to log.

    Parameters
    ----------
    controller : HeadroomController, optional
        Sets the learning rate. Without one the numbers are only shown.
    window : int
        Records that the headroom is pooled over.
    seed : int
        Of the bootstrap.

    Attributes
    ----------
    records : list of Record
        All records so far.

    Examples
    --------
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
        """Take the record of a step, and answer its numbers.

        Parameters
        ----------
        record : Record

        Returns
        -------
        dict of str to float
            ``gain``: J after the step minus before. ``headroom``, ``headroom_low``, ``headroom_high`` and ``reach``:
            of `pool` over the window. ``edge``: headroom × learning rate. ``learning_rate``: of the next step. What
            is void or infinite is left out, as many loggers take finite numbers only.
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
