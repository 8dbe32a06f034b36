"""Critical learning rates by bracket search, where a point costs seconds.

A run keeps half when the responses that its network writes are right at least half of the time at its end. The
critical learning rate is where the mean over replicates of that success rate falls through one half, going up in the
learning rate. Learning rates are rungs of the ladder of `thresholds.sampled`, 10^(rung/16), so that the streams of a
rung do not depend on the search.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..thresholds.exact import Search
from ..thresholds.sampled import RUNGS, crossing

#: The coarse pass goes in strides of this many rungs (a factor 4) with one replicate.
STRIDE = 10
#: At most so many strides each way from the guess: six decades.
_MOST_STRIDES = 10
_RESAMPLES = 400


@dataclass(frozen=True)
class Critical:
    """A critical learning rate.

    Attributes
    ----------
    learning_rate, low, high : float
        Estimate and 95 % bootstrap interval over replicates; nan unless found.
    search : Search
        How the search ended.
    runs : int
        Runs that it took.
    """

    learning_rate: float
    low: float
    high: float
    search: Search
    runs: int


def bracket(success: Callable[[int, int], float], first: int) -> tuple[int | None, Search]:
    """A rung from which on one replicate no longer keeps half, to within a stride.

    Parameters
    ----------
    success : callable
        ``success(rung, replicate)``: success rate at the end of a run.
    first : int
        Where to start.

    Returns
    -------
    int or None
        A rung that fails while the one a stride below keeps half; None if there is none in reach.
    Search
    """
    rung = first
    if success(rung, 0) >= 0.5:
        for _ in range(_MOST_STRIDES):
            rung += STRIDE
            if success(rung, 0) < 0.5:
                return rung, Search.found
        return None, Search.always_converged
    for _ in range(_MOST_STRIDES):
        if success(rung - STRIDE, 0) >= 0.5:
            return rung, Search.found
        rung -= STRIDE
    return None, Search.never_converged


def critical(success: Callable[[int, int], float], first: int, replicates: int, bits: np.ndarray) -> Critical:
    """Critical learning rate from runs at chosen rungs.

    One replicate brackets it within a factor 4; all replicates halve the bracket down to one rung (15 %), and the
    rungs on both sides are run too, so that the interval is that of the crossing and not of the search.

    Parameters
    ----------
    success : callable
        ``success(rung, replicate)``, the success rate at the end of a run; called once for each.
    first : int
        Rung to start from; any will do, a near one costs less.
    replicates : int
    bits : ndarray of uint64
        State of the stream that the bootstrap draws from.

    Returns
    -------
    Critical

    Examples
    --------
    >>> found = critical(lambda rung, replicate: float(rung < 5), 0, 2, np.zeros(1, np.uint64))
    >>> found.search.name, 10 ** (4 / 16) < found.learning_rate < 10 ** (5 / 16)
    ('found', True)
    """
    known: dict[tuple[int, int], float] = {}

    def once(rung: int, replicate: int) -> float:
        if (rung, replicate) not in known:
            known[rung, replicate] = success(rung, replicate)
        return known[rung, replicate]

    def mean(rung: int) -> float:
        return float(np.mean([once(rung, replicate) for replicate in range(replicates)]))

    high, search = bracket(once, first)
    if high is None:
        return Critical(math.nan, math.nan, math.nan, search, len(known))
    low = high - STRIDE
    for _ in range(3):  # the first replicate may be an unusual one
        if mean(high) >= 0.5:
            low, high = high, high + STRIDE
        elif mean(low) < 0.5:
            low, high = low - STRIDE, low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if mean(middle) >= 0.5 else (low, middle)
    for rung in (low - 2, low - 1, high + 1, high + 2):
        mean(rung)
    rungs = np.array(sorted({rung for rung, _ in known if (rung, replicates - 1) in known}))
    values = np.array([[known[int(rung), i] for i in range(replicates)] for rung in rungs])
    # a replicate is one network: it is resampled as a whole
    picks = np.random.default_rng(bits).integers(replicates, size=(_RESAMPLES, replicates))
    spread = np.quantile([crossing(rungs, values[:, pick].mean(axis=1)) for pick in picks], [0.025, 0.975])
    logs = [crossing(rungs, values.mean(axis=1)), *spread]
    rate, *interval = (10 ** (np.array(logs) / RUNGS)).tolist()
    return Critical(rate, interval[0], interval[1], search, len(known))
