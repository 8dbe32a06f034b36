"""Half-kept learning rates of networks, whose runs take seconds, so that the search must need few of them.

What a run kept is the success rate, at its end, of the responses that its network writes: 1 at best, and 0 for a
collapsed policy. The half-kept learning rate is where its mean over replicates falls through one half as the learning
rate grows (`inference.crossings`). Learning rates are rungs of the ladder of `thresholds.sampled`, 10^(rung/16). So
the random stream of a run does not depend on the search.
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
#: Most strides up or down from the first guess: six decades.
_MOST_STRIDES = 10
_RESAMPLES = 400


@dataclass(frozen=True)
class NetworkHalfKept(HalfKept):
    """A half-kept learning rate of networks, with a bootstrap interval that resamples whole replicates.

    Attributes
    ----------
    runs : int
        Number of runs that the search took.
    """

    runs: int


def bracket(success: Callable[[int, int], float], first: int) -> tuple[int | None, Search]:
    """Find where the first replicate stops keeping half, to within a stride.

    Parameters
    ----------
    success : callable
        ``success(rung, replicate)`` returns the success rate at the end of a run.
    first : int
        Rung to start from.

    Returns
    -------
    int or None
        A rung that does not keep half, while the one a stride below does. None if there is none within reach.
    Search
        How the search ended.

    Examples
    --------
    If runs keep half up to rung 23, they fail at rung 30 and not at rung 20:

    >>> bracket(lambda rung, replicate: float(rung < 24), 0)
    (30, <Search.found: 0>)
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
    """Half-kept learning rate from few runs.

    One replicate finds a bracket of a factor 4. All replicates halve it until it is one rung wide (15 %). Then they
    also run at the rungs on both sides, so that the bootstrap sees the whole fall.

    Parameters
    ----------
    success : callable
        ``success(rung, replicate)`` returns the success rate at the end of a run. It is called once for each run.
    first : int
        Rung to start from. Any rung gives the same result; a near one takes fewer runs.
    replicates : int
    bits : ndarray of uint64
        State of the random stream of the bootstrap.

    Returns
    -------
    NetworkHalfKept

    Examples
    --------
    Runs that keep all below rung 5, and nothing from there on:

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
    # a resample may consist of one replicate only: so each must keep half at the lowest rung, and not at the highest
    for edge, step, keeps in ((low, -2, True), (high, 2, False)):
        for _ in range(STRIDE):
            edge += step
            mean(edge)
            if all((once(edge, replicate) >= 0.5) == keeps for replicate in range(replicates)):
                break
    rungs = np.array(sorted({rung for rung, _ in known if (rung, replicates - 1) in known}))
    values = np.array([[known[int(rung), i] for i in range(replicates)] for rung in rungs])
    # a replicate is one network, at all rungs: it is resampled as a whole
    found = crossings.half_kept(rungs, values, np.random.default_rng(bits), resamples=_RESAMPLES)
    if not math.isfinite(found.at):  # noise has misled the search, and these rungs do not have the fall
        search = Search.always_converged if values.mean() >= 0.5 else Search.never_converged
        return NetworkHalfKept(math.nan, math.nan, math.nan, search, len(known))
    rate, *interval = (10 ** (np.array([found.at, found.low, found.high]) / RUNGS)).tolist()
    return NetworkHalfKept(rate, interval[0], interval[1], search, len(known))
