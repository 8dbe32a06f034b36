"""The half-kept learning rate by bracket search, for runs that take seconds each."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .exact import Search

#: The ladder of learning rates has this many rungs for each factor of 2, so neighbours are a factor √2 apart.
OCTAVE = 2
#: The first pass goes in strides of STRIDE rungs, a factor 4, and makes at most MOST_STRIDES strides up or down.
STRIDE, MOST_STRIDES = 4, 6


@dataclass(frozen=True)
class Bracket:
    """Where runs stop keeping half: between two neighbouring rungs.

    Attributes
    ----------
    learning_rate : float
        Geometric mean of the two rungs; nan if the search found none.
    search : Search
        How the search ended.
    runs : int
        Number of runs that the search took.
    """

    learning_rate: float
    search: Search
    runs: int


def rate(rung: float) -> float:
    """Learning rate of a rung, to six digits.

    Examples
    --------
    >>> rate(0), rate(-2), rate(1)
    (1.0, 0.5, 1.41421)
    """
    return float(f"{2 ** (rung / OCTAVE):.6g}")


def rung(learning_rate: float) -> int:
    """The rung nearest to a learning rate.

    Examples
    --------
    >>> rung(0.7)
    -1
    """
    return round(OCTAVE * math.log2(learning_rate))


def bracket(keeps: Callable[[float], bool], first: float) -> Bracket:
    """Find two neighbouring rungs, of which a run keeps half at the lower one and not at the upper one.

    Parameters
    ----------
    keeps : callable
        ``keeps(learning_rate)`` makes a run and says whether it kept half. It is called at most once for each rung.
    first : float
        Learning rate to start from.

    Returns
    -------
    Bracket

    Examples
    --------
    If runs keep half below 3, the bracket is between the rungs 3 and 4, which are 2.83 and 4:

    >>> found = bracket(lambda learning_rate: learning_rate < 3, 0.5)
    >>> found.search.name, rate(3) < found.learning_rate < rate(4), found.runs
    ('found', True, 5)
    """
    known: dict[int, bool] = {}

    def at(place: int) -> bool:
        if place not in known:
            known[place] = keeps(rate(place))
        return known[place]

    low = rung(first)
    step = STRIDE if at(low) else -STRIDE
    for _ in range(MOST_STRIDES):
        if at(low + step) != at(low):
            break
        low += step
    else:
        search = Search.always_converged if step > 0 else Search.never_converged
        return Bracket(math.nan, search, len(known))
    low, high = sorted((low, low + step))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) else (low, middle)
    return Bracket(rate((low + high) / 2), Search.found, len(known))
