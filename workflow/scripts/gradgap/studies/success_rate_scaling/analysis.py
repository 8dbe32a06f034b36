"""P4: does the critical step fall as (1−J), and where is that law tight?"""

import math

import numpy as np
import pandas as pd

from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...theory import closed_forms

RULES = ("advantage", "aggregation")
BOUNDS = ("paper", "prop1", "prop2", "prop3")


def analyse(dataset, settings):
    """Critical learning rates against 1−J, and one-step critical steps per gap alignment."""
    variables = ["critical", "critical_closed_form", "response_length"]
    thresholds = dataset[variables].to_dataframe().reset_index()
    thresholds["ratio"] = thresholds.critical / thresholds.critical_closed_form
    thresholds["fitted"] = thresholds.success_rate >= settings["fit_from_success_rate"]

    names = [
        "one_step",
        "one_step_closed_form",
        "gap",
        "response_length",
        *(f"bound_{name}" for name in BOUNDS),
    ]
    steps = dataset[names].to_dataframe().reset_index()
    steps["ratio"] = steps.one_step / steps.one_step_closed_form
    windows = (
        dataset[[str(name) for name in dataset if str(name).startswith("window_")]]
        .to_dataframe()
        .reset_index()
    )
    windows = windows.rename(columns={name: name.removeprefix("window_") for name in windows.columns})
    windows["family"] = "counting"
    windows["response_length"] = windows.length
    both = pd.concat([steps, windows], ignore_index=True)
    both["step_per_alignment"] = both.one_step / both.gap
    both["step_per_alignment_times_length"] = both.step_per_alignment * both.response_length
    for name in BOUNDS:
        both[f"bound_{name}_per_alignment_times_length"] = (
            both[f"bound_{name}"] / both.gap * both.response_length
        )
    both["fitted"] = both.success_rate >= settings["fit_from_success_rate"]

    rows = []
    for (family, advantage, aggregation), group in thresholds[thresholds.fitted].groupby(
        ["family", *RULES], sort=False
    ):
        found = fit(group.failure_rate, group.critical, group.length)
        predicted = closed_forms.failure_exponent(family, advantage, aggregation)
        if found is not None and not math.isnan(predicted):
            labels = {"family": family, "advantage": advantage, "aggregation": aggregation}
            rows.append(row({"study": "success_rate_scaling", **labels}, "failure_rate", predicted, found))
    for family, group in both[both.fitted].groupby("family", sort=False):
        labels = {
            "study": "success_rate_scaling",
            "family": family,
            "advantage": "one-step",
            "aggregation": "none",
        }
        found = fit(group.failure_rate, group.step_per_alignment, group.length)
        if found is not None:
            rows.append(row(labels, "failure_rate", 1.0, found))
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
            rows.append(row(labels, "length", -1.0, found))
    gated = both[both.family == "gated"]
    constant = gated.step_per_alignment_times_length / ((1 - gated.failure_rate) * gated.failure_rate)
    findings = {
        "worst_ratio": departure(thresholds.critical, thresholds.critical_closed_form),
        "worst_one_step_ratio": departure(steps.one_step, steps.one_step_closed_form),
        "constant": float(np.exp(np.log(constant).mean())),
        "constant_low": float(constant.min()),
        "constant_high": float(constant.max()),
        "undecided": int(thresholds.critical.isna().sum()),
    }
    return Analysis({"thresholds": thresholds, "one_step": both}, table(rows), findings)


STUDIES.add("success_rate_scaling")(
    Study(
        title="How does the critical step change with the success rate, and which bound is tight?",
        predictions="P4",
        sweeps={
            "instances": Sweep(("family", "length", "success_rate"), "gradgap.measurements.starts"),
            "critical": Sweep(
                ("family", "length", "success_rate", *RULES), "gradgap.measurements.thresholds"
            ),
            "windows": Sweep(("length", "window"), "gradgap.measurements.windows"),
        },
        analyse=analyse,
        draw="gradgap.studies.success_rate_scaling.figure",
        settings=("fit_from_length", "fit_from_success_rate"),
        defaults={"family": ["gated"]},
    )
)
