"""The largest clip range of importance ratios that keeps half, at one learning rate (theory_optimizers.md, O10)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bandits import Instance
from ..inference import crossings
from ..numerics.elementary import exp10
from .exact import Search
from .sampled import RUNGS, SCOUTS, STARTS, STRIDE, kept_from_starts

#: Clip ranges that are tried, 1e-4 to 3.2, as rungs of the same ladder as learning rates.
LOWEST, HIGHEST = -4 * RUNGS, RUNGS // 2
#: A clip range that keeps this share keeps more than half, whatever the few starts of the first pass do by chance.
CLEARLY = 0.6


@dataclass(frozen=True)
class ClipRange:
    """Which clips of importance ratios protect runs at one learning rate.

    Attributes
    ----------
    largest : float
        Largest clip range that keeps half: there the share kept, as a mean over starts, is ½. nan unless found.
    best_kept : float
        Largest mean share kept at any clip range.
    search : Search
        ``never_converged`` if no clip keeps half, ``always_converged`` if none is needed.
    """

    largest: float
    best_kept: float
    search: Search


def largest_clip(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    *,
    iterations: int,
    **options: Any,
) -> ClipRange:
    """Largest clip range, the same up and down, with which exact runs keep half of what there is to lose.

    A clip range can also be too small, and runs are then slow. Where steps are large, small ones can keep half, wider
    ones not, and still wider ones again. So the search goes up from the widest one that clearly keeps half: a share
    of `CLEARLY`, or the largest share there is if that is less.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    learning_rate : float
        α.
    iterations : int
        Number of batches in a run.
    **options
        Other arguments of `training.run.train`, such as the steps on each batch and the ratio.

    Returns
    -------
    ClipRange
    """

    def kept_at(rung: int, count: int) -> float:
        return float(
            kept_from_starts(
                instance,
                advantage,
                aggregation,
                learning_rate,
                count,
                iterations=iterations,
                clip_range=exp10(rung / RUNGS),
                **options,
            ).mean()
        )

    coarse = np.arange(LOWEST, HIGHEST + 1, STRIDE)
    values = np.array([kept_at(int(rung), SCOUTS) for rung in coarse])
    best = float(values.max())
    if not best >= 0.5:
        return ClipRange(math.nan, best, Search.never_converged)
    widest = int(np.flatnonzero(values >= min(best, CLEARLY))[-1])
    below = np.flatnonzero(values[widest:] < 0.5)
    if len(below) == 0:
        return ClipRange(math.nan, best, Search.always_converged)
    first = int(coarse[widest + below[0]])
    rungs = np.arange(max(first - 2 * STRIDE, int(coarse[widest])), first + STRIDE + 1, 2)
    at = crossings.crossing(rungs, np.array([kept_at(int(rung), STARTS) for rung in rungs]))
    if not math.isfinite(at):  # with all starts the fall lies elsewhere: the coarse pass decides
        at = crossings.crossing(coarse[widest:], values[widest:])
    return ClipRange(exp10(at / RUNGS), best, Search.found)
