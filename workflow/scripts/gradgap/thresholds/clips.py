"""The largest clip of importance ratios that keeps half, at one learning rate (docs/theory_optimizers.md, O10)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bandits import Instance
from ..inference import crossings
from ..numerics.elementary import exp10
from .exact import Search
from .sampled import RUNGS, SCOUTS, STARTS, STRIDE, kept_from_starts

#: Clip ranges that are looked at, as rungs of the ladder of learning rates: 1e-4 to 3.2.
LOWEST, HIGHEST = -4 * RUNGS, RUNGS // 2


@dataclass(frozen=True)
class ClipRange:
    """What clips of importance ratios do for runs at one learning rate.

    Attributes
    ----------
    largest : float
        Largest clip range at which the mean of kept over starts is ½; nan unless found.
    best_kept : float
        Largest mean of kept at any clip range.
    search : Search
        ``never_converged`` where no clip keeps half, ``always_converged`` where none is needed.
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
    """Largest symmetric clip range that keeps half of the success rate in exact runs.

    A clip may also be too small: runs are then slow, and the fall is looked for above the clip that keeps most.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    learning_rate : float
        α.
    iterations : int
        Batches of a run.
    **options
        Other arguments of `training.run.train`, such as the steps a batch and the ratio.

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
    best = int(values.argmax())
    if values[best] < 0.5:
        return ClipRange(math.nan, float(values[best]), Search.never_converged)
    below = np.flatnonzero(values[best:] < 0.5)
    if len(below) == 0:
        return ClipRange(math.nan, float(values[best]), Search.always_converged)
    first = int(coarse[best + below[0]])
    rungs = np.arange(max(first - 2 * STRIDE, int(coarse[best])), first + STRIDE + 1, 2)
    at = crossings.crossing(rungs, np.array([kept_at(int(rung), STARTS) for rung in rungs]))
    if not math.isfinite(at):  # fewer starts saw it otherwise
        at = crossings.crossing(coarse[best:], values[best:])
    return ClipRange(exp10(at / RUNGS), float(values[best]), Search.found)
