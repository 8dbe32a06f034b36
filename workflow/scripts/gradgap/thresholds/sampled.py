"""Critical learning rates of sampled dynamics (docs/theory_groups.md, G6), and their limit as groups grow.

A sampled run ends somewhere at random, so the threshold is where the mean over replicates loses half of what there
is to lose: the mean final success rate crosses halfway between its best and its collapsed level, going up in α.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..bandits import Instance
from ..numerics import streams
from ..training import run, sampled
from ..training.rules import ADVANTAGES, AGGREGATIONS
from ..values import canonical
from .exact import Search, one_step

#: Learning rates are rungs of one ladder, 10^(rung/RUNGS), so that a rung's streams do not depend on the search.
RUNGS = 16
#: The first pass goes up in strides of this many rungs, with fewer replicates.
STRIDE = 4
SCOUTS = 8
RESAMPLES = 400


@dataclass(frozen=True)
class SampledCritical:
    """A sampled critical learning rate.

    Attributes
    ----------
    learning_rate, low, high : float
        Estimate and 95 % bootstrap interval over replicates; nan unless found.
    search : Search
    """

    learning_rate: float
    low: float
    high: float
    search: Search


def rung_text(rung: int) -> str:
    """Canonical text of the learning rate of a rung, to four digits."""
    return canonical(float(f"{10 ** (rung / RUNGS):.4g}"))


def kept(instance: Instance, failure_rate: float) -> float:
    """Where a success rate stands between collapse (0) and the best (1).

    Collapse is the success rate as θ → ∞: responses that carry scores have then all failed.
    """
    best, worst = instance.at(instance.best_theta)[1], instance.at(math.inf)[1]
    return (worst - failure_rate) / (worst - best)


def crossing(rungs: np.ndarray, values: np.ndarray) -> float:
    """Rung at which a curve that falls through ½ crosses it.

    Parameters
    ----------
    rungs : ndarray, shape (r,)
        Increasing.
    values : ndarray, shape (r,)
        Means at the rungs; noise is smoothed by the nearest curve that never rises (least squares).

    Returns
    -------
    float
        By linear interpolation; the nearer end where the curve stays on one side.
    """
    from scipy.optimize import isotonic_regression  # slow to import, and most jobs never search

    fitted = isotonic_regression(values, increasing=False).x
    above = int(np.sum(fitted >= 0.5))
    if above == 0 or above == len(rungs):
        return float(rungs[0] if above == 0 else rungs[-1])
    high, low = fitted[above - 1], fitted[above]
    return float(rungs[above - 1] + (rungs[above] - rungs[above - 1]) * (high - 0.5) / (high - low))


def _first_rung(instance: Instance, advantage: str, aggregation: str) -> int:
    """Rung four decades below the learning rate whose first expected step is the one-step critical step."""
    success, failure, gap = instance.at(instance.theta0)
    update = ADVANTAGES.find(advantage).coefficient(success, failure, abs(gap)) * abs(gap)
    centre = one_step(instance) * AGGREGATIONS.find(aggregation).divisor(instance) / update
    return STRIDE * math.floor((math.log10(centre) - 4) * RUNGS / STRIDE)


def _scout(first: int, kept_at: Callable[[int], float]) -> tuple[int | None, Search]:
    """First rung, in strides upward, at which less than half is kept after half was kept before."""
    seen = False
    for rung in range(first, first + 6 * RUNGS, STRIDE):
        if kept_at(rung) >= 0.5:
            seen = True
        elif seen:
            return rung, Search.found
    return None, Search.always_converged if seen else Search.never_converged


def critical(
    instance: Instance,
    advantage: str,
    aggregation: str,
    *,
    group_size: int,
    iterations: int,
    replicates: int,
    seed: int,
    coordinates: Mapping[str, str],
) -> SampledCritical:
    """Sampled critical learning rate.

    A coarse pass goes up to the first rung at which the mean of a few replicates, having been above, is below
    halfway; the ladder around it is then run with all replicates.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    group_size : int
        Responses n in the group of one update.
    iterations : int
        Least number of updates of a run, see `sampled.iterations_to_judge`.
    replicates : int
    seed : int
    coordinates : mapping
        Of the point, canonical; each run adds its step size and replicate and has a stream of its own.

    Returns
    -------
    SampledCritical
    """
    updates = sampled.iterations_to_judge(instance, group_size, iterations)
    runs: dict[tuple[int, int], float] = {}

    def kept_by(rung: int, replicate: int) -> float:
        if (rung, replicate) not in runs:
            own = {"step_size": rung_text(rung), "replicate": str(replicate)}
            result = sampled.run(
                instance,
                advantage,
                aggregation,
                float(own["step_size"]),
                group_size=group_size,
                iterations=updates,
                state=streams.state(seed, {**coordinates, **own}),
                outcome=False,
            )
            runs[rung, replicate] = kept(instance, result.final_failure_rate)
        return runs[rung, replicate]

    def mean(rung: int, count: int) -> float:
        return float(np.mean([kept_by(rung, replicate) for replicate in range(count)]))

    below, search = _scout(
        _first_rung(instance, advantage, aggregation), lambda rung: mean(rung, min(SCOUTS, replicates))
    )
    if below is None:
        return SampledCritical(math.nan, math.nan, math.nan, search)
    low, high = below - 2 * STRIDE, below + STRIDE
    while mean(high, replicates) >= 0.5 and high < below + 4 * STRIDE:
        high += STRIDE
    rungs = np.arange(low, high + 1)
    values = np.array([[kept_by(int(rung), replicate) for replicate in range(replicates)] for rung in rungs])
    bits = streams.state(seed, {**coordinates, "draws": "bootstrap"})
    picks = np.random.default_rng(bits).integers(replicates, size=(RESAMPLES, *values.shape))
    resampled = np.take_along_axis(values[None], picks, axis=2).mean(axis=2)
    spread = np.quantile([crossing(rungs, row) for row in resampled], [0.025, 0.975])
    found = 10 ** (np.array([crossing(rungs, values.mean(axis=1)), *spread]) / RUNGS)
    rate, *interval = found.tolist()
    return SampledCritical(rate, interval[0], interval[1], search)


def exact(instance: Instance, advantage: str, aggregation: str, *, iterations: int) -> float:
    """What the sampled critical learning rate tends to as groups grow: the same crossing of the exact dynamics.

    It lies above the critical learning rate of `thresholds.critical`, at which the success rate only starts to
    fall short of the best one.

    Returns
    -------
    float
        To 1e-3 relative; nan where the ladder holds no crossing.
    """

    def kept_at(rung: float) -> float:
        result = run.run(instance, advantage, aggregation, 10 ** (rung / RUNGS), iterations=iterations)
        return kept(instance, result.final_failure_rate)

    below, _ = _scout(_first_rung(instance, advantage, aggregation), kept_at)
    if below is None:
        return math.nan
    low, high = float(below - STRIDE), float(below)
    while (high - low) / RUNGS > math.log10(1.001):
        middle = (low + high) / 2
        if kept_at(middle) >= 0.5:
            low = middle
        else:
            high = middle
    return 10 ** ((low + high) / 2 / RUNGS)
