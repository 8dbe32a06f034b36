"""P2–P5 on networks: exponents of the critical learning rate, rules side by side, forecast over measured."""

import math

import numpy as np
import pandas as pd

from ...inference.power_laws import fit, row, table
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...theory import closed_forms
from ...training import rules

CRITICAL = ["critical", "critical_low", "critical_high"]
#: Families of bandits whose laws are drawn beside those of the networks.
BANDIT = {"window": "counting", "sum": "contextual", "gated": "gated"}


def law(axis: str, task: str, optimizer: str, rule: str) -> float:
    """Exponent of the critical learning rate of the bandits, in length or in 1 − J.

    Under Adam it is that of scale-free optimizers, whatever the rule: −½ in T, ½ in 1 − J (DESIGN, section 8).
    """
    if optimizer == "adamw":
        return -0.5 if axis == "length" else 0.5
    advantage, aggregation = rules.rule(rule)
    if axis == "length":
        return closed_forms.length_exponent(BANDIT[task], advantage, aggregation)
    return closed_forms.failure_exponent(BANDIT[task], advantage, aggregation)


def _points(dataset, prefix: str = "") -> pd.DataFrame:
    frame = dataset[[f"{prefix}{name}" for name in (*CRITICAL, "runs")]].to_dataframe().reset_index()
    return frame.rename(columns={f"{prefix}{name}": name for name in (*CRITICAL, "runs")})


def _exponents(frame, axis: str, outer: list[str], rule: str):
    """Fitted exponents with intervals, the last doubling alone, and the bandits' exponents."""
    found = []
    for key, group in frame.groupby(outer, sort=False):
        point = dict(zip(outer, key, strict=True))
        group = group.dropna(subset=["critical"]).sort_values(axis)
        fitted = fit(group[axis], group.critical)
        last = math.nan
        if len(group) > 1:
            ends = group.iloc[-2:]
            last = float(np.diff(np.log(ends.critical))[0] / np.diff(np.log(ends[axis]))[0])
        predicted = law(axis, point.get("task", "gated"), point["optimizer"], rule)
        found.append(
            {
                **point,
                "axis": axis,
                "exponent": math.nan if fitted is None else fitted.exponent,
                "low": math.nan if fitted is None else fitted.low,
                "high": math.nan if fitted is None else fitted.high,
                "factor": math.nan if fitted is None else fitted.factor,
                "last": last,
                "predicted": predicted,
                "fit": fitted,
            }
        )
    return found


def _forecasts(dataset, thresholds, settings):
    """Forecasts of safe runs beside the measured threshold, whole and along the run; none where none were made."""
    if "forecast_run" not in dataset:
        return pd.DataFrame(), pd.DataFrame(), []
    names = ["forecast_run", "forecast_run_low", "forecast_run_high", "safe_learning_rate"]
    here = thresholds[(thresholds.length == settings["rule_length"]) & (thresholds.network == "recurrent")]
    measured = here[["task", "optimizer", *CRITICAL]]
    forecasts, along = (
        dataset[columns].to_dataframe().reset_index().merge(measured, how="left")
        for columns in (names, ["forecast"])
    )
    forecasts["ratio"] = forecasts.forecast_run / forecasts.critical
    ratios = [
        {
            "task": task,
            "optimizer": optimizer,
            "low": float(group.ratio.min()),
            "median": float(group.ratio.median()),
            "high": float(group.ratio.max()),
        }
        for (task, optimizer), group in forecasts.groupby(["task", "optimizer"], sort=False)
    ]
    return forecasts, along, ratios


def analyse(dataset, settings):
    """Exponents in length and in 1 − J, the rules' spread, and forecasts over measured thresholds."""
    thresholds = _points(dataset)
    failures = _points(dataset, "failure_")
    by_rule = _points(dataset, "rule_")
    around = dataset["success_around"].to_dataframe().reset_index()
    around = around.merge(thresholds[["task", "network", "length", "optimizer", "critical"]])
    around["learning_rate"] = around.step_ratio * around.critical

    rule = settings["length_rule"]
    advantage, aggregation = rules.rule(rule)
    exponents = _exponents(thresholds, "length", ["task", "network", "optimizer"], rule)
    exponents += [
        {"task": "gated", "network": "recurrent", **found}
        for found in _exponents(failures, "failure_rate", ["optimizer"], rule)
    ]
    rows = [
        row(
            {
                "study": "networks",
                "family": f"{found['task']}, {found['network']}",
                "advantage": f"{advantage}, {found['optimizer']}",
                "aggregation": aggregation,
            },
            found["axis"],
            found["predicted"],
            found["fit"],
            sampled=True,
        )
        for found in exponents
        if found["fit"] is not None
    ]
    for found in exponents:
        found.pop("fit")

    # a rule that divides by a length takes a larger learning rate for the same step under SGD
    spreads = [
        {"task": task, "optimizer": optimizer, "spread": float(group.critical.max() / group.critical.min())}
        for (task, optimizer), group in by_rule.groupby(["task", "optimizer"], sort=False)
    ]
    forecasts, along, ratios = _forecasts(dataset, thresholds, settings)
    sharpness = around.pivot_table(index="step_ratio", values="success_around", aggfunc="mean")
    findings = {
        "exponents": exponents,
        "spreads": spreads,
        "ratios": ratios,
        "runs": int(thresholds.runs.sum() + failures.runs.sum() + by_rule.runs.sum()),
        "undecided": int(thresholds.critical.isna().sum() + failures.critical.isna().sum()),
        "thresholds": len(thresholds) + len(failures) + len(by_rule),
        "below": float(sharpness.success_around.iloc[0]),
        "above": float(sharpness.success_around.iloc[-1]),
        "lowest": float(sharpness.index[0]),
        "highest": float(sharpness.index[-1]),
    }
    panels = {
        "thresholds": thresholds,
        "failures": failures,
        "around": around,
        "rules": by_rule,
        "exponents": pd.DataFrame(exponents),
        "forecasts": forecasts,
        "along": along,
    }
    return Analysis(panels, table(rows), findings)


def _label(description: str, names: list[str]) -> dict:
    return {"description": description, "type": "array", "items": {"type": "string", "enum": names}}


_RATE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}

STUDIES.add("networks")(
    Study(
        title="Do the laws of the critical learning rate hold where the policy is a small network?",
        predictions="P2, P3, P4, P5",
        sweeps={
            "thresholds": Sweep(
                ("task", "network", "length", "optimizer", "step_ratio"),
                "gradgap.measurements.network_thresholds",
            ),
            "failure_rates": Sweep(
                ("success_rate", "optimizer"), "gradgap.measurements.network_failure_rates"
            ),
            "rules": Sweep(("task", "optimizer", "rule"), "gradgap.measurements.network_rules"),
        },
        analyse=analyse,
        draw="gradgap.studies.networks.figure",
        config_file="networks.yaml",
        settings=("rule_length", "length_rule"),
        defaults={
            "iterations": 60,
            "replicates": 4,
            "rule": ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"],
            "optimizer": ["sgd", "adamw"],
            "network": ["recurrent"],
        },
        schema={
            "task": _label("Tasks of networks.", ["window", "sum", "gated"]),
            "network": _label("Kinds of network.", ["recurrent", "transformer"]),
            "optimizer": _label("Optimizers of networks, with optax's defaults.", ["sgd", "adamw"]),
            "start_success_rate": {
                "description": "Success rate at the start, for each task of networks.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "window": {"description": "Of window.", **_RATE, "default": 0.2},
                    "sum": {"description": "Of sum.", **_RATE, "default": 0.5},
                    "gated": {"description": "Of gated, over all responses.", **_RATE, "default": 0.8},
                },
                "default": {},
            },
            "width": {
                "description": "Width of the recurrent network, 0 for the task's own; others are as large.",
                "type": "integer",
                "minimum": 0,
                "default": 0,
            },
            "groups": {
                "description": "Groups in a batch, each with a prompt of its own.",
                "type": "integer",
                "minimum": 1,
                "default": 16,
            },
            "responses_a_group": {
                "description": "Sampled responses n in a group of a batch.",
                "type": "integer",
                "minimum": 2,
                "default": 8,
            },
            "clip": {
                "description": "Largest norm of an update of a network; longer ones are scaled down, 0 for none.",
                "type": "number",
                "minimum": 0,
                "default": 0,
            },
            "judge": {
                "description": "Fresh responses by which the end of a network's run is judged.",
                "type": "integer",
                "minimum": 1,
                "default": 512,
            },
            "length_rule": {
                "description": "Update rule of networks where length or success rate varies.",
                "type": "string",
                "default": "grpo/seq-mean-token-sum",
            },
            "rule_length": {
                "description": "Length at which rules are set side by side and safe runs are made; one of `length`.",
                "type": "integer",
                "minimum": 2,
                "multipleOf": 2,
                "default": 16,
            },
            "failure_length": {
                "description": "Mean length at which the success rate of `gated` varies.",
                "type": "integer",
                "minimum": 2,
                "multipleOf": 2,
                "default": 8,
            },
        },
    )
)
