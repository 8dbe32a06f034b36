"""Critical learning rates of sampled dynamics (docs/theory_groups.md, G6), and their limit as groups grow.

A sampled run ends somewhere at random, so the threshold is the half-kept learning rate: where the mean over the
replicates of kept falls through ½, going up in α (see `inference.crossings`).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..bandits import Instance
from ..inference import crossings
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
#: Exact runs whose mean is the exact limit, and rungs of its ladder for each of the other's.
STARTS = 24
FINE = 4


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
    rng = np.random.default_rng(streams.state(seed, {**coordinates, "draws": "bootstrap"}))
    # replicates of two learning rates have streams of their own, so each is resampled by itself
    found = crossings.half_kept(rungs, values, rng, resamples=RESAMPLES, paired=False)
    if math.isnan(found.at):  # on the whole ladder around it the mean stays on one side
        return SampledCritical(math.nan, math.nan, math.nan, Search.always_converged)
    ends = np.clip([found.at, found.low, found.high], rungs[0], rungs[-1])
    rate, *interval = (10 ** (ends / RUNGS)).tolist()
    return SampledCritical(rate, interval[0], interval[1], search)


def exact(instance: Instance, advantage: str, aggregation: str, *, iterations: int) -> float:
    """Half-kept learning rate of the exact dynamics: what the sampled one tends to as groups grow.

    The mean of kept is over `STARTS` runs from starts spread evenly on θ₀·[0.8, 1.2]. A single exact run above its
    critical learning rate is chaotic: its last bit decides where it ends, and so would decide the threshold.

    It lies above the critical learning rate of `thresholds.critical`, at which the success rate only starts to
    fall short of the best one.

    Returns
    -------
    float
        Interpolated between rungs of a ladder of `FINE` times `RUNGS` a decade; nan where it holds no crossing.
    """
    starts = [
        dataclasses.replace(instance, theta0=instance.theta0 * factor)
        for factor in np.linspace(0.8, 1.2, STARTS).tolist()
    ]

    def kept_at(rung: float) -> float:
        rate = 10 ** (rung / RUNGS)
        ends = [
            kept(
                instance,
                run.run(start, advantage, aggregation, rate, iterations=iterations).final_failure_rate,
            )
            for start in starts
        ]
        return math.fsum(ends) / STARTS

    below, _ = _scout(_first_rung(instance, advantage, aggregation), kept_at)
    if below is None:
        return math.nan
    rungs = np.arange((below - 2 * STRIDE) * FINE, (below + STRIDE) * FINE + 1) / FINE
    values = np.array([kept_at(float(rung)) for rung in rungs])
    first = int(values.argmax())
    at = crossings.crossing(rungs[first:], values[first:])
    return 10 ** (at / RUNGS) if math.isfinite(at) else math.nan
