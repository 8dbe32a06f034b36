"""Half-kept learning rates by bracket search, where a point costs seconds.

What a run kept is the success rate, at its end, of the responses that its network writes: 1 at the best, 0 where the
policy has collapsed. The half-kept learning rate is where its mean over replicates falls through one half, going up
in the learning rate (`inference.crossings`). Learning rates are rungs of the ladder of `thresholds.sampled`,
10^(rung/16), so that the streams of a rung do not depend on the search.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..inference import crossings
from ..thresholds.exact import Search
from ..thresholds.sampled import RUNGS, HalfKept

#: The coarse pass goes in strides of this many rungs (a factor 4) with one replicate.
STRIDE = 10
#: At most so many strides each way from the guess: six decades.
_MOST_STRIDES = 10
_RESAMPLES = 400


@dataclass(frozen=True)
class NetworkHalfKept(HalfKept):
    """A half-kept learning rate of networks, with a bootstrap interval that resamples whole replicates.

    Attributes
    ----------
    runs : int
        Runs that it took.
    """

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


def half_kept(
    success: Callable[[int, int], float], first: int, replicates: int, bits: np.ndarray
) -> NetworkHalfKept:
    """Half-kept learning rate from runs at chosen rungs.

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
    NetworkHalfKept

    Examples
    --------
    >>> found = half_kept(lambda rung, replicate: float(rung < 5), 0, 2, np.zeros(1, np.uint64))
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
        return NetworkHalfKept(math.nan, math.nan, math.nan, search, len(known))
    low = high - STRIDE
    for _ in range(3):  # the first replicate may be an unusual one
        if mean(high) >= 0.5:
            low, high = high, high + STRIDE
        elif mean(low) < 0.5:
            low, high = low - STRIDE, low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if mean(middle) >= 0.5 else (low, middle)
    for rung in (low - 1, high + 1):
        mean(rung)
    # a resample may hold one replicate alone: each must keep half at the lowest rung, and none at the highest
    for edge, step, keeps in ((low, -2, True), (high, 2, False)):
        for _ in range(STRIDE):
            edge += step
            mean(edge)
            if all((once(edge, replicate) >= 0.5) == keeps for replicate in range(replicates)):
                break
    rungs = np.array(sorted({rung for rung, _ in known if (rung, replicates - 1) in known}))
    values = np.array([[known[int(rung), i] for i in range(replicates)] for rung in rungs])
    # a replicate is one network: it is resampled as a whole
    found = crossings.half_kept(rungs, values, np.random.default_rng(bits), resamples=_RESAMPLES)
    if not math.isfinite(found.at):  # noise leads the halving astray, and no fall is left in sight
        search = Search.always_converged if values.mean() >= 0.5 else Search.never_converged
        return NetworkHalfKept(math.nan, math.nan, math.nan, search, len(known))
    rate, *interval = (10 ** (np.array([found.at, found.low, found.high]) / RUNGS)).tolist()
    return NetworkHalfKept(rate, interval[0], interval[1], search, len(known))
