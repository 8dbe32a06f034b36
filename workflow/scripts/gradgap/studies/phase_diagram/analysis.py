"""P2–P4 on the full grid: what becomes of a run at each length, success rate and learning rate."""

import math

from ...inference import equivalence
from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents
from ...training import rules
from ...training.outcome import Outcome

INSTANCE = ("family", "length", "success_rate")


def analyse(dataset, settings):
    """Where every run ended, the critical learning rates, and their exponents over the whole grid."""
    names = ["final_failure_rate", "outcome", "best_failure_rate", "response_length"]
    cells = dataset[names].to_dataframe().reset_index()
    # share of what could be gained that was gained: 1 at the best success rate, 0 at the start, below it negative
    cells["gain"] = (cells.failure_rate - cells.final_failure_rate) / (
        cells.failure_rate - cells.best_failure_rate
    )
    cells["outcome"] = [Outcome(int(code)).name for code in cells.outcome]
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
    joined = cells.merge(thresholds, on=[*INSTANCE, "rule"], suffixes=("", "_of_threshold"))
    above = joined[joined.learning_rate > joined.critical_learning_rate]
    below = joined[joined.learning_rate < joined.critical_learning_rate]
    findings = {
        "runs": len(cells),
        "worst_ratio": departure(
            thresholds.critical_learning_rate, thresholds.critical_learning_rate_closed_form
        ),
        "converged_above": float((above.outcome == "converged").mean()),
        "fell_below": float(below.outcome.isin(["collapsed", "stagnated"]).mean()),
        "shares": {outcome.name: float((cells.outcome == outcome.name).mean()) for outcome in Outcome},
    }
    return Analysis({"cells": cells, "thresholds": thresholds}, table(rows), findings)
