"""P6: with a fixed step the success rate stops below 100 %; where exactly, and what removes it?"""

import math
from collections import Counter

import numpy as np

from ...inference.power_laws import departure, fit, table
from ...sweep.parts import parts, thinned
from ...sweep.study import Analysis

INSTANCE = ("family", "length", "success_rate")
#: What a run is judged by.
JUDGED = ["final_failure_rate", "outcome", "plateau_closed_form", "best_failure_rate", "theta0"]
#: Runs, and values of their curves, that are drawn at the most; of more, those at every k-th step.
MOST = 100_000
#: Runs that are counted at once, as rows of a table.
AT_ONCE = 2**17


def few(dataset, names):
    """These variables at every k-th step, so that there are at most about `MOST` points."""
    at_a_step = math.prod(size for axis, size in dataset[names].sizes.items() if axis != "learning_rate")
    return thinned(dataset[names], max(2, MOST // at_a_step), ["learning_rate"])


def runs(dataset, settings):
    """A row a run: where it ended, and whether it had arrived, was still under way, or fell.

    A fixed step walks |θ₀|/η updates to the best θ. A run is judged against the closed form only if it had arrived
    before its last tenth, over which the final rates are means.
    """
    found = dataset[JUDGED].to_dataframe().reset_index()
    meaning = dataset.outcome.attrs
    names = dict(zip(meaning["flag_values"].tolist(), meaning["flag_meanings"].split(), strict=True))
    found["outcome"] = [names[int(code)] for code in found.outcome]
    walked = found.theta0.abs() / found.learning_rate <= 0.9 * settings["iterations"]
    found["arrived"] = (found.schedule == "constant") & walked
    return found


def fates(shrinking):
    """Of runs whose step shrinks: which fell, and which came near the least failure rate; the rest is under way."""
    fell = shrinking.outcome.isin(["stagnated", "collapsed"])
    return fell, ~fell & (shrinking.final_failure_rate <= 2 * shrinking.best_failure_rate)


def counts(dataset, settings):
    """What became of all runs, read a part at a time.

    Returns
    -------
    fixed : dict
        Of runs with a fixed step.
    schedules : dict of str to Counter
        Of each other schedule: its runs, and how many fell and came near the least failure rate.
    """
    fixed = {"best_failure_rate": 0.0, "fixed": 0, "arrived": 0, "stalled": 0}
    first_stalled, ratios, schedules = math.nan, [], {}
    for part in parts(dataset[JUDGED], AT_ONCE):
        every = runs(part, settings)
        arrived = every[every.arrived]
        stalled = arrived.final_failure_rate > 2 * arrived.best_failure_rate
        fixed["best_failure_rate"] = max(fixed["best_failure_rate"], float(every.best_failure_rate.max()))
        fixed["fixed"] += int((every.schedule == "constant").sum())
        fixed["arrived"] += len(arrived)
        fixed["stalled"] += int(stalled.sum())
        over_critical = (arrived.learning_rate / (2 * arrived.theta0.abs()))[stalled]
        first_stalled = float(np.fmin(first_stalled, over_critical.min()))
        ratios.append(departure(arrived.final_failure_rate, arrived.plateau_closed_form))
        for schedule, shrinking in every[every.schedule != "constant"].groupby("schedule"):
            fell, reached = fates(shrinking)
            found = schedules.setdefault(schedule, Counter())
            found.update(runs=len(shrinking), fell=int(fell.sum()), reached=int(reached.sum()))
    worst = max((ratio for ratio in ratios if ratio is not None), default=None)
    return fixed | {"first_stalled": first_stalled, "worst_ratio": worst}, schedules


def falls(late, under_way):
    """The power of k with which 1 − J fell over the last decade of updates, of each run that was still under way."""
    key = [*INSTANCE, "learning_rate"]
    found = [fit(run.iteration, run.curve_failure_rate) for _, run in late.merge(under_way[key]).groupby(key)]
    return [fall.exponent for fall in found if fall is not None]


def analyse(dataset, settings):
    """Plateau of the unit rule against the fixed step, its closed form, and learning curves under each schedule."""
    names = ["curve_failure_rate", "best_failure_rate"]
    followed = few(dataset, [*JUDGED, *names])
    curves = followed[names].to_dataframe().reset_index()
    late = curves[curves.iteration >= settings["iterations"] / 10]
    ended = runs(followed, settings)
    fixed, counted = counts(dataset, settings)
    schedules = {}
    for schedule, found in sorted(counted.items()):
        here = ended[ended.schedule == schedule]
        fell, reached = fates(here)
        exponents = falls(late[late.schedule == schedule], here[~fell & ~reached])
        schedules[schedule] = {
            "runs": found["runs"],
            "under_way": found["runs"] - found["fell"] - found["reached"],
            "reached": found["reached"],
            "fell": found["fell"],
            "exponents": [float(value) for value in np.quantile(exponents, [0, 0.5, 1])]
            if exponents
            else None,
        }
    plateaus = runs(few(dataset, JUDGED), settings)
    return Analysis({"plateaus": plateaus, "curves": curves}, table([]), fixed | {"schedules": schedules})
