"""P4: does the critical step fall as (1−J), and where is that law tight?"""

import math

import numpy as np
import pandas as pd

from ...inference import equivalence
from ...inference.equivalence import Statement
from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import Analysis
from ...theory import closed_forms
from ...theory.closed_forms import BOUNDS
from ...training.rules import label

RULES = ("advantage", "aggregation")


def analyse(dataset, settings):
    """Critical learning rates against 1−J, and one-step critical steps per gap alignment."""
    variables = ["critical_learning_rate", "critical_learning_rate_closed_form", "response_length"]
    thresholds = dataset[variables].to_dataframe().reset_index()
    thresholds["ratio"] = thresholds.critical_learning_rate / thresholds.critical_learning_rate_closed_form
    thresholds["label"] = [label(name) for name in thresholds.advantage]
    thresholds["fitted"] = thresholds.success_rate >= settings["fit_from_success_rate"]

    names = [
        "one_step_critical_step",
        "one_step_critical_step_closed_form",
        "gap",
        "response_length",
        *(f"bound_{name}" for name in BOUNDS),
    ]
    steps = dataset[names].to_dataframe().reset_index()
    steps["ratio"] = steps.one_step_critical_step / steps.one_step_critical_step_closed_form
    windows = (
        dataset[[str(name) for name in dataset if str(name).startswith("window_")]]
        .to_dataframe()
        .reset_index()
    )
    windows = windows.rename(columns={name: name.removeprefix("window_") for name in windows.columns})
    windows["family"] = "counting"
    windows["response_length"] = windows.length
    both = pd.concat([steps, windows], ignore_index=True)
    both["step_per_alignment"] = both.one_step_critical_step / both.gap
    both["closed_form_per_alignment"] = both.one_step_critical_step_closed_form / both.gap
    both["step_per_alignment_times_length"] = both.step_per_alignment * both.response_length
    for name in BOUNDS:
        both[f"bound_{name}_per_alignment_times_length"] = (
            both[f"bound_{name}"] / both.gap * both.response_length
        )
    both["fitted"] = both.success_rate >= settings["fit_from_success_rate"]

    rows = []
    fitted = dict(list(thresholds[thresholds.fitted].groupby(["family", *RULES], sort=False)))
    same = equivalence.searches(map(" ".join, fitted), (group.ratio for group in fitted.values()))
    for (family, advantage, aggregation), group in fitted.items():
        found = fit(group.failure_rate, group.critical_learning_rate, group.length)
        predicted = closed_forms.failure_exponent(family, advantage, aggregation)
        if found is not None and not math.isnan(predicted):
            labels = {"family": family, "advantage": advantage, "aggregation": aggregation}
            rows.append(
                row(
                    {"study": "success_rate_scaling", **labels},
                    "failure_rate",
                    predicted,
                    found,
                    closed_form=fit(
                        group.failure_rate, group.critical_learning_rate_closed_form, group.length
                    ),
                    search=same[f"{family} {advantage} {aggregation}"],
                )
            )
    # (1−J)/T is the scaling of a bound, Proposition 2: the critical step itself may lie above it
    bound = {"statement": Statement.BOUND}
    for family, group in both[both.fitted].groupby("family", sort=False):
        labels = {
            "study": "success_rate_scaling",
            "family": family,
            "advantage": "one-step",
            "aggregation": "none",
        }
        found = fit(group.failure_rate, group.step_per_alignment, group.length)
        if found is not None:
            exact = fit(group.failure_rate, group.closed_form_per_alignment, group.length)
            rows.append(
                row(
                    labels,
                    "failure_rate",
                    1.0,
                    found,
                    closed_form=exact,
                    search=f"one-step {family}",
                    **bound,
                )
            )
    for family, group in both.groupby("family", sort=False):
        other = "success_rate" if family == "gated" else "window"
        group = group[group.length >= settings["fit_from_length"]]
        labels = {
            "study": "success_rate_scaling",
            "family": family,
            "advantage": "one-step",
            "aggregation": "none",
        }
        found = fit(group.response_length, group.step_per_alignment, group[other])
        if found is not None:
            exact = fit(group.response_length, group.closed_form_per_alignment, group[other])
            rows.append(
                row(labels, "length", -1.0, found, closed_form=exact, search=f"one-step {family}", **bound)
            )
    gated = both[both.family == "gated"]
    constant = gated.step_per_alignment_times_length / ((1 - gated.failure_rate) * gated.failure_rate)
    findings = {
        "worst_ratio": departure(
            thresholds.critical_learning_rate, thresholds.critical_learning_rate_closed_form
        ),
        "worst_one_step_ratio": departure(
            steps.one_step_critical_step, steps.one_step_critical_step_closed_form
        ),
        "constant": float(np.exp(np.log(constant).mean())),
        "constant_low": float(constant.min()),
        "constant_high": float(constant.max()),
        "undecided": int(thresholds.critical_learning_rate.isna().sum()),
    }
    return Analysis({"thresholds": thresholds, "one_step": both}, table(rows), findings)
