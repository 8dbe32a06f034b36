"""P4: do the thresholds fall as (1−J), and where is that law tight?"""

import math

import numpy as np
import pandas as pd

from ...inference import equivalence
from ...inference.equivalence import Statement
from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents
from ...theory.bounds import BOUNDS
from ...training.rules import label, rule

RULES = ("advantage", "aggregation")
#: Relative width to which a critical learning rate is searched (`exact.critical`).
SEARCH_WIDTH = 1e-3


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
        predicted = exponents.failure_exponent(family, advantage, aggregation)
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
    reach = _reach(dataset)
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
        "reach": _reach_findings(reach),
    }
    panels = {"thresholds": thresholds, "one_step": both, "reach": reach}
    return Analysis(panels, table(rows), findings)


def _reach(dataset):
    """Measured and safe learning rate over the closed form, a row a rule and window in tokens."""
    names = [str(name) for name in dataset if str(name).startswith("reach_")]
    reach = (
        dataset[names].to_dataframe().reset_index().rename(columns=lambda name: name.removeprefix("reach_"))
    )
    # at short lengths several windows asked for are the same one in tokens
    reach = reach.drop_duplicates(["rule", "length", "half_width"]).reset_index(drop=True)
    words = dataset.reach_word.attrs["flag_meanings"].split()  # of 0, 1, …
    reach["word"] = [words[int(code)] for code in reach.word]
    reach["label"] = [label(rule(name)[0]) for name in reach.rule]
    # (2B+1)/√(T+1), in which the closed form is global up to √3 for the mean-centred rules at every length (C6)
    reach["width"] = (2 * reach.half_width + 1) / np.sqrt(reach.length + 1)
    reach["measured_ratio"] = reach.critical_learning_rate / reach.closed_form
    reach["safe_ratio"] = reach.safe_learning_rate / reach.closed_form
    return reach.sort_values(["rule", "length", "width"], ignore_index=True)


def _reach_findings(reach):
    """What the caption says of each rule: departures where the closed form is global, ratios where it is local."""
    found = {}
    for name, group in reach.dropna(subset=["measured_ratio"]).groupby("label", sort=False):
        everywhere, local = group[group.word == "global"], group[group.word == "local"]
        narrow = everywhere[everywhere.width <= math.sqrt(3)]
        edge = everywhere.width[everywhere.width < local.width.min()] if len(local) else everywhere.width
        found[name] = {
            "global": len(everywhere),
            "narrow": len(narrow),
            "narrow_departure": departure(narrow.critical_learning_rate, narrow.closed_form),
            "edge": float(edge.max()) if len(edge) else None,
            "largest": float(everywhere.measured_ratio.max()) if len(everywhere) else None,
            "largest_at": float(everywhere.width[everywhere.measured_ratio.idxmax()])
            if len(everywhere)
            else None,
            "local": len(local),
            "local_below": int((local.measured_ratio < 1 - SEARCH_WIDTH).sum()),
            "local_above": int((local.measured_ratio > 1 + SEARCH_WIDTH).sum()),
            "local_least": float(local.measured_ratio.min()) if len(local) else None,
            "local_most": float(local.measured_ratio.max()) if len(local) else None,
            # no start that far out may be lost below the safe learning rate, but for the width of the search
            "below_safe": int((group.measured_ratio < group.safe_ratio * (1 - SEARCH_WIDTH)).sum()),
        }
    return found
