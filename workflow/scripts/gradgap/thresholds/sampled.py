"""Half-kept learning rates of sampled groups (docs/theory_groups.md, G6), and their limit for large groups.

A sampled run ends at a random place, so a threshold needs a mean over replicates. With a growing learning rate, the
mean success rate at the end of runs falls from its best to its collapsed level. The half-kept learning rate is where
it is halfway.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bandits import Instance
from ..inference import crossings
from ..numerics import streams
from ..numerics.elementary import exp10, log10, norm
from ..training.optimizers import OPTIMIZERS
from ..training.rules import ADVANTAGES, AGGREGATIONS
from ..training.run import iterations_to_judge, train
from ..values import canonical
from .exact import Search, one_step

#: Learning rates are rungs of a fixed ladder, 10^(rung/RUNGS). So the random stream of a run does not depend on the
#: search.
RUNGS = 16
#: The first pass tries only every STRIDE-th rung, with SCOUTS replicates.
STRIDE = 4
SCOUTS = 8
#: Name of the axis that keys the random stream of a run.
LEARNING_RATE = "learning_rate"


@dataclass(frozen=True)
class HalfKept:
    """A half-kept learning rate and its interval.

    Attributes
    ----------
    learning_rate, low, high : float
        Estimate and 95 % bootstrap interval over replicates; nan if the search did not find it.
    search : Search
        How the search ended.
    """

    learning_rate: float
    low: float
    high: float
    search: Search


def rung_text(rung: int) -> str:
    """Learning rate of a rung as text, to four digits. The text is part of the key of random streams.

    Examples
    --------
    >>> rung_text(0), rung_text(-5)
    ('1', '0.487')
    """
    return canonical(float(f"{exp10(rung / RUNGS):.4g}"))


def kept(instance: Instance, failure_rate: Any) -> Any:
    """The share that runs kept of what there was to lose: 1 at the best success rate, 0 for a collapsed policy.

    Parameters
    ----------
    instance : Instance
    failure_rate : float or ndarray
        1 − J at the end of runs.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("gated").instance(64, 0.99)
    >>> kept(bandit, bandit.best_failure), kept(bandit, bandit.collapsed_failure)
    (1.0, 0.0)
    """
    best, worst = instance.best_failure, instance.collapsed_failure
    return (worst - failure_rate) / (worst - best)


def _of_first_step(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `training.run.train` on which the length of the first step depends."""
    return {name: options[name] for name in ("optimizer", "clip_norm") if name in options}


def _first_rung(
    instance: Instance, advantage: str, aggregation: str, optimizer: str = "sgd", clip_norm: float = math.inf
) -> int:
    """A rung to start from: four decades below a learning rate whose first expected step is surely too long.

    Too long is the one-step critical step, or with many parameters the length of θ₀.
    """
    too_long = one_step(instance) if len(instance.start) == 1 else norm(instance.start)
    if OPTIMIZERS.find(optimizer).scale_free:
        # here the first step is about as long as the learning rate, for any update
        return STRIDE * math.floor((log10(too_long) - 4) * RUNGS / STRIDE)
    coefficient = ADVANTAGES.find(advantage).coefficient
    update = np.zeros(len(instance.start))
    for success, failure, gap in zip(*instance.rates(instance.start), strict=True):
        update += coefficient(success, failure, norm(gap)) * gap / instance.kernels.prompts
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)
    centre = too_long * divisor / norm(update)
    if norm(update) / divisor > clip_norm:
        centre = too_long / clip_norm
    return STRIDE * math.floor((log10(centre) - 4) * RUNGS / STRIDE)


def _scout(first: int, kept_at: Callable[[int], float]) -> tuple[int | None, Search]:
    """Go up in strides until a rung keeps half or more, and on to the first one that keeps less."""
    seen = False
    for rung in range(first, first + 6 * RUNGS, STRIDE):
        if kept_at(rung) >= 0.5:
            seen = True
        elif seen:
            return rung, Search.found
    return None, Search.always_converged if seen else Search.never_converged


def _clear(kept: np.ndarray) -> int:
    """1 if the mean share kept is clearly above ½, −1 if it is clearly below, 0 if neither.

    Clearly means by more than three standard errors, taken as if each replicate kept all or nothing, the case with
    the largest variance.
    """
    mean = float(kept.mean())
    if (mean - 0.5) * (mean - 0.5) * len(kept) <= 9 * mean * (1 - mean):
        return 0
    return 1 if mean > 0.5 else -1


def _nearest(
    first: int, kept_at: Callable[[int, int], np.ndarray], scouts: int, replicates: int
) -> tuple[np.ndarray, np.ndarray, Search]:
    """The rungs around the half-kept learning rate, and the share that each replicate kept at each of them.

    A few replicates find a bracket first. A coarse pass goes up until their mean falls below one half, and halving
    finds the two neighbouring rungs between which it falls. From there all replicates run rung after rung: down to
    one that clearly keeps half, and up to one that clearly does not. Rungs farther away would take as long, and say
    nothing about the place of the crossing.

    This is right if shares differ between replicates by chance only. Exact runs are chaotic, and their shares also
    differ from rung to rung, so they need `_whole`.

    Parameters
    ----------
    first : int
        Rung to start from.
    kept_at : callable
        ``kept_at(rung, count)`` returns the shares that the first `count` replicates kept, of shape (count,).
    scouts, replicates : int
        Number of replicates that find the bracket, and number of all.

    Returns
    -------
    rungs : ndarray, shape (r,)
        Empty unless found.
    kept : ndarray, shape (r, replicates)
    search : Search
    """
    below, search = _scout(first, lambda rung: float(kept_at(rung, scouts).mean()))
    if below is None:
        return np.empty(0), np.empty((0, replicates)), search
    low, high = below - STRIDE, below
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if kept_at(middle, scouts).mean() >= 0.5 else (low, middle)
    while low > below - 2 * STRIDE and _clear(kept_at(low, replicates)) < 1:
        low -= 1
    while high < below + 4 * STRIDE and _clear(kept_at(high, replicates)) > -1:
        high += 1
    rungs = np.arange(low, high + 1)
    return rungs, np.array([kept_at(int(rung), replicates) for rung in rungs]), search


def _whole(
    first: int, kept_at: Callable[[int, int], np.ndarray], scouts: int, starts: int
) -> tuple[np.ndarray, np.ndarray, Search]:
    """Like `_nearest`, but with every rung from half a decade below the one that the coarse pass found."""
    below, search = _scout(first, lambda rung: float(kept_at(rung, scouts).mean()))
    if below is None:
        return np.empty(0), np.empty((0, starts)), search
    low, high = below - 2 * STRIDE, below + STRIDE
    while kept_at(high, starts).mean() >= 0.5 and high < below + 4 * STRIDE:
        high += STRIDE
    rungs = np.arange(low, high + 1)
    return rungs, np.array([kept_at(int(rung), starts) for rung in rungs]), search


def half_kept(
    instance: Instance,
    advantage: str,
    aggregation: str,
    *,
    group_size: int,
    iterations: int,
    replicates: int,
    seed: int,
    coordinates: Mapping[str, str],
    **options: Any,
) -> HalfKept:
    """Half-kept learning rate of sampled groups.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    group_size : int
        Responses n in the group of one update.
    iterations : int
        Least number of updates of a run, see `training.run.iterations_to_judge`.
    replicates : int
    seed : int
    coordinates : mapping
        Canonical coordinates of the point. With its learning rate and replicate they key the random stream of a run.
    **options
        Other arguments of `training.run.train`, such as the optimizer.

    Returns
    -------
    HalfKept

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(16, 0.2)
    >>> size = {"group_size": 16, "iterations": 100, "replicates": 8, "seed": 1, "coordinates": {}}
    >>> found = half_kept(bandit, "reinforce", "seq-mean-token-sum", **size)
    >>> found.search.name, found.low <= found.learning_rate <= found.high
    ('found', True)
    """
    updates = iterations_to_judge(instance, group_size, iterations)
    runs: dict[int, np.ndarray] = {}

    def kept_at(rung: int, count: int) -> np.ndarray:
        known = runs.get(rung, np.empty(0))
        if len(known) < count:
            text = rung_text(rung)
            keys = [
                {**coordinates, LEARNING_RATE: text, "replicate": str(replicate)}
                for replicate in range(len(known), count)
            ]
            found = train(
                instance,
                advantage,
                aggregation,
                [float(text)] * len(keys),
                group_size=group_size,
                iterations=updates,
                states=[streams.state(seed, key) for key in keys],
                outcome=False,
                **options,
            )
            known = runs[rung] = np.concatenate([known, kept(instance, found.final_failure_rate)])
        return known[:count]

    first = _first_rung(instance, advantage, aggregation, **_of_first_step(options))
    rungs, values, search = _nearest(first, kept_at, min(SCOUTS, replicates), replicates)
    if search is not Search.found:
        return HalfKept(math.nan, math.nan, math.nan, search)
    bits = streams.state(seed, {**coordinates, "draws": "bootstrap"})
    found = crossings.half_kept(rungs, values, np.random.default_rng(bits), paired=False)
    rate, low, high = (exp10(rung / RUNGS) for rung in (found.at, found.low, found.high))
    return HalfKept(rate, low, high, search)


def half_kept_of_prompts(
    instances: Sequence[Instance],
    advantage: str,
    aggregation: str,
    *,
    iterations: int,
    group_size: int | None = None,
    seed: int,
    coordinates: Mapping[str, str],
    **options: Any,
) -> HalfKept:
    """Half-kept learning rate for the mean over random instances, such as those of `contextual`.

    Parameters
    ----------
    instances : sequence of Instance
        One for each replicate, the same at every learning rate. The first one sets where the search starts.
    advantage, aggregation : str
        Names in `rules`.
    iterations : int
        Number of updates of a run.
    group_size : int, optional
        Sampled responses n to each prompt in an update. By default updates are expected ones.
    seed, coordinates
        As for `half_kept`.
    **options
        Other arguments of `training.run.train`, such as the optimizer.

    Returns
    -------
    HalfKept
        With a bootstrap interval over instances, for expected updates too.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> family = FAMILIES.find("contextual")
    >>> bandits = [family.instance(16, 0.3, replicate=replicate) for replicate in range(4)]
    >>> rule, size = ("dr_grpo", "seq-mean-token-sum"), {"iterations": 50, "seed": 1, "coordinates": {}}
    >>> found = half_kept_of_prompts(bandits, *rule, optimizer="adam", **size)
    >>> found.search.name, found.low <= found.learning_rate <= found.high
    ('found', True)
    """
    runs: dict[int, np.ndarray] = {}

    def kept_at(rung: int, count: int) -> np.ndarray:
        known = runs.get(rung, np.empty(0))
        text = rung_text(rung)
        for replicate in range(len(known), count):
            key = {**coordinates, LEARNING_RATE: text, "replicate": str(replicate)}
            found = train(
                instances[replicate],
                advantage,
                aggregation,
                [float(text)],
                group_size=group_size,
                iterations=iterations,
                states=None if group_size is None else [streams.state(seed, key)],
                outcome=False,
                **options,
            )
            known = np.append(known, kept(instances[replicate], found.final_failure_rate))
        runs[rung] = known
        return known[:count]

    first = _first_rung(instances[0], advantage, aggregation, **_of_first_step(options))
    ladder = _whole if group_size is None else _nearest
    rungs, values, search = ladder(first, kept_at, min(SCOUTS, len(instances)), len(instances))
    if search is not Search.found:
        return HalfKept(math.nan, math.nan, math.nan, search)
    bits = streams.state(seed, {**coordinates, "draws": "bootstrap"})
    found = crossings.half_kept(rungs, values, np.random.default_rng(bits))
    rate, low, high = (exp10(rung / RUNGS) for rung in (found.at, found.low, found.high))
    return HalfKept(rate, low, high, search)


#: Exact runs are averaged over this many starts, spread evenly over θ₀ · [0.8, 1.2].
STARTS = 24


def kept_from_starts(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    count: int,
    *,
    iterations: int,
    **options: Any,
) -> np.ndarray:
    """The shares that exact runs keep, from several starts around that of the instance.

    Above the critical learning rate an exact run is chaotic: its last bits decide where it ends. The mean over many
    starts does not depend on them.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    learning_rate : float
        α.
    count : int
        How many of the `STARTS` starts to use.
    iterations : int
        Number of updates of a run.
    **options
        Other arguments of `training.run.train`.

    Returns
    -------
    ndarray, shape (count,)

    Examples
    --------
    At a small learning rate all runs reach the best success rate:

    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(16, 0.2)
    >>> found = kept_from_starts(bandit, "reinforce", "seq-mean-token-sum", 0.1, 4, iterations=500)
    >>> found.round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    factors = np.array([0.8 + 0.4 * start / (STARTS - 1) for start in range(0, STARTS, STARTS // count)])
    found = train(
        instance,
        advantage,
        aggregation,
        np.full(len(factors), learning_rate),
        iterations=iterations,
        starts=factors[:, None] * instance.start,
        outcome=False,
        **options,
    )
    return kept(instance, found.final_failure_rate)


def half_kept_exact(
    instance: Instance,
    advantage: str,
    aggregation: str,
    *,
    iterations: int,
    **options: Any,
) -> float:
    """Half-kept learning rate with expected updates, the limit for large groups.

    It lies above the critical learning rate of `thresholds.exact`, where runs only begin to miss the best success
    rate. The share kept is a mean over `STARTS` starts, see `kept_from_starts`.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    iterations : int
        Number of updates of a run.
    **options
        Other arguments of `training.run.train`, such as the optimizer.

    Returns
    -------
    float
        nan if the search did not find it.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> from gradgap.theory.closed_forms import critical_closed_form
    >>> bandit, rule = FAMILIES.find("counting").instance(16, 0.2), ("reinforce", "seq-mean-token-sum")
    >>> half_kept_exact(bandit, *rule, iterations=500) > critical_closed_form(bandit, *rule)
    True
    """

    def kept_at(rung: int, count: int) -> np.ndarray:
        rate = exp10(rung / RUNGS)
        return kept_from_starts(
            instance, advantage, aggregation, rate, count, iterations=iterations, **options
        )

    first = _first_rung(instance, advantage, aggregation, **_of_first_step(options))
    rungs, values, search = _whole(first, kept_at, SCOUTS, STARTS)
    if search is not Search.found:
        return math.nan
    return exp10(crossings.crossing(rungs, values.mean(axis=1)) / RUNGS)
