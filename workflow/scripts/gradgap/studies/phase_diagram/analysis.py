"""P2–P4 on the full grid: what becomes of a run at each length, success rate and learning rate."""

import math

import numpy as np

from ...inference import equivalence
from ...inference.power_laws import departure, fit, row, table
from ...sweep.parts import parts, thinned
from ...sweep.study import Analysis
from ...theory import exponents
from ...training import rules
from ...training.outcome import Outcome

#: Values of an axis that a heat map shows at the most: about one a line of print.
MOST_VALUES = 200


def cells(dataset, x):
    """The runs of one heat map: of the first family, over `x` and learning rate, the other axis held in its middle.

    Parameters
    ----------
    dataset : Dataset
    x : str
        ``length`` or ``success_rate``. Of long axes every k-th value is taken, see `MOST_VALUES`.

    Returns
    -------
    DataFrame
        A row a run.
    """
    names = ["final_failure_rate", "outcome", "best_failure_rate", "response_length"]
    other = "length" if x == "success_rate" else "success_rate"
    values = dataset.failure_rate if other == "success_rate" else dataset.length
    middle = int(np.argsort(values.values, kind="stable")[values.size // 2])
    shown = thinned(dataset[names].isel({"family": [0], other: [middle]}), MOST_VALUES, [x, "learning_rate"])
    found = shown.to_dataframe().reset_index()
    # share of what could be gained that was gained: 1 at the best success rate, 0 at the start, below it negative
    found["gain"] = (found.failure_rate - found.final_failure_rate) / (
        found.failure_rate - found.best_failure_rate
    )
    found["outcome"] = [Outcome(int(code)).name for code in found.outcome]
    return found


def counts(dataset):
    """How many runs ended how: all, and those above and below their measured threshold.

    Parameters
    ----------
    dataset : Dataset
        Opened; it is read a part at a time.

    Returns
    -------
    tuple of dict of str to int
        By outcome.
    """
    every, above, below = ({outcome.name: 0 for outcome in Outcome} for _ in range(3))
    for part in parts(dataset[["outcome", "critical_learning_rate"]]):
        over = part.learning_rate > part.critical_learning_rate  # a threshold that was not found is nan
        under = part.learning_rate < part.critical_learning_rate
        for outcome in Outcome:
            ended = (part.outcome == outcome).load()
            every[outcome.name] += int(ended.sum())
            above[outcome.name] += int((ended & over).sum())
            below[outcome.name] += int((ended & under).sum())
    return every, above, below


def share(number, of):
    """A share of some runs; nan where there are none."""
    return number / of if of else math.nan


def analyse(dataset, settings):
    """Where runs ended, the critical learning rates, and their exponents over the whole grid."""
    thresholds = (
        dataset[["critical_learning_rate", "critical_learning_rate_closed_form", "response_length"]]
        .to_dataframe()
        .reset_index()
    )
    for axis, law in (("length", exponents.length_exponent), ("failure_rate", exponents.failure_exponent)):
        thresholds[f"predicted_exponent_{axis}"] = [
            law(family, *rules.rule(name))
            for family, name in zip(thresholds.family, thresholds.rule, strict=True)
        ]
    thresholds["ratio"] = thresholds.critical_learning_rate / thresholds.critical_learning_rate_closed_form
    long = thresholds[thresholds.length >= settings["fit_from_length"]]
    likely = thresholds[thresholds.success_rate >= settings["fit_from_success_rate"]]
    rows = []
    series = {key: group.ratio for key, group in thresholds.groupby(["family", "rule"], sort=False)}
    same = equivalence.searches(map(" ".join, series), series.values())
    for family in dict.fromkeys(thresholds.family):
        for name in dict.fromkeys(thresholds.rule):
            advantage, aggregation = rules.rule(name)
            labels = {
                "study": "phase_diagram",
                "family": family,
                "advantage": advantage,
                "aggregation": aggregation,
            }
            here = long[(long.family == family) & (long.rule == name)]
            found = fit(here.response_length, here.critical_learning_rate, here.success_rate)
            if found is not None:
                predicted = exponents.length_exponent(family, advantage, aggregation)
                exact = fit(here.response_length, here.critical_learning_rate_closed_form, here.success_rate)
                search = same[f"{family} {name}"]
                rows.append(row(labels, "length", predicted, found, closed_form=exact, search=search))
            here = likely[(likely.family == family) & (likely.rule == name)]
            found = fit(here.failure_rate, here.critical_learning_rate, here.length)
            predicted = exponents.failure_exponent(family, advantage, aggregation)
            if found is not None and not math.isnan(predicted):
                exact = fit(here.failure_rate, here.critical_learning_rate_closed_form, here.length)
                search = same[f"{family} {name}"]
                rows.append(row(labels, "failure_rate", predicted, found, closed_form=exact, search=search))
    every, above, below = counts(dataset)
    runs = sum(every.values())
    findings = {
        "runs": runs,
        "worst_ratio": departure(
            thresholds.critical_learning_rate, thresholds.critical_learning_rate_closed_form
        ),
        "converged_above": share(above["converged"], sum(above.values())),
        "fell_below": share(below["collapsed"] + below["stagnated"], sum(below.values())),
        "shares": {name: share(number, runs) for name, number in every.items()},
    }
    panels = {
        "cells_by_length": cells(dataset, "length"),
        "cells_by_failure_rate": cells(dataset, "success_rate"),
        "thresholds": thresholds,
    }
    return Analysis(panels, table(rows), findings)
