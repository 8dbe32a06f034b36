"""P2–P4 on the full grid: what becomes of a run at each length, success rate and step size."""

import math

from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...theory import closed_forms
from ...training import rules
from ...training.run import Outcome

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
    thresholds = dataset[["critical", "critical_closed_form", "response_length"]].to_dataframe().reset_index()
    thresholds["ratio"] = thresholds.critical / thresholds.critical_closed_form
    long = thresholds[thresholds.length >= settings["fit_from_length"]]
    likely = thresholds[thresholds.success_rate >= settings["fit_from_success_rate"]]
    rows = []
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
            found = fit(here.response_length, here.critical, here.success_rate)
            if found is not None:
                rows.append(
                    row(labels, "length", closed_forms.length_exponent(family, advantage, aggregation), found)
                )
            here = likely[(likely.family == family) & (likely.rule == name)]
            found = fit(here.failure_rate, here.critical, here.length)
            predicted = closed_forms.failure_exponent(family, advantage, aggregation)
            if found is not None and not math.isnan(predicted):
                rows.append(row(labels, "failure_rate", predicted, found))
    joined = cells.merge(thresholds, on=[*INSTANCE, "rule"], suffixes=("", "_of_threshold"))
    above = joined[joined.step_size > joined.critical]
    below = joined[joined.step_size < joined.critical]
    findings = {
        "runs": len(cells),
        "worst_ratio": departure(thresholds.critical, thresholds.critical_closed_form),
        "converged_above": float((above.outcome == "converged").mean()),
        "fell_below": float(below.outcome.isin(["collapsed", "stagnated"]).mean()),
        "shares": {outcome.name: float((cells.outcome == outcome.name).mean()) for outcome in Outcome},
    }
    return Analysis({"cells": cells, "thresholds": thresholds}, table(rows), findings)


STUDIES.add("phase_diagram")(
    Study(
        title="What becomes of a run, over response length, success rate and step size?",
        predictions="P2, P3, P4",
        sweeps={
            "instances": Sweep(INSTANCE, "gradgap.measurements.starts"),
            "critical": Sweep((*INSTANCE, "rule"), "gradgap.measurements.thresholds"),
            "runs": Sweep((*INSTANCE, "rule", "step_size", "iteration"), "gradgap.measurements.exact_runs"),
        },
        analyse=analyse,
        draw="gradgap.studies.phase_diagram.figure",
        settings=("fit_from_length", "fit_from_success_rate"),
        defaults={"family": ["gated"], "iteration": [1, 2, 5, 10]},
    )
)
