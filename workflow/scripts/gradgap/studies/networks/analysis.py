"""P2–P5 on networks: exponents of the half-kept learning rate, rules side by side, forecast over measured."""

import math

import numpy as np
import pandas as pd

from ...inference.power_laws import fit, row, table
from ...sweep.study import Analysis
from ...theory import optimizers
from ...theory.exponents import failure_exponent, length_exponent
from ...training import rules

HALF_KEPT = ["half_kept_learning_rate", "half_kept_learning_rate_low", "half_kept_learning_rate_high"]
#: Families of bandits whose laws are drawn beside those of the networks.
BANDIT = {"window": "counting", "sum": "contextual", "gated": "gated"}


def law(axis: str, task: str, optimizer: str, rule: str) -> float:
    """Exponent of the threshold of the bandits, in length or in 1 − J.

    Under Adam it is that of scale-free optimizers with expected updates, whatever the rule (O1 of
    docs/theory_optimizers.md).
    """
    if optimizer == "adam":
        exponents = optimizers.scale_free_exponents("gated", "exact")
        return exponents.length if axis == "length" else exponents.failure
    advantage, aggregation = rules.rule(rule)
    if axis == "length":
        return length_exponent(BANDIT[task], advantage, aggregation)
    return failure_exponent(BANDIT[task], advantage, aggregation)


def _points(dataset, prefix: str = "") -> pd.DataFrame:
    frame = dataset[[f"{prefix}{name}" for name in (*HALF_KEPT, "runs")]].to_dataframe().reset_index()
    return frame.rename(columns={f"{prefix}{name}": name for name in (*HALF_KEPT, "runs")})


def _exponents(frame, axis: str, outer: list[str], rule: str):
    """Fitted exponents with intervals, the last doubling alone, and the bandits' exponents."""
    found = []
    for key, group in frame.groupby(outer, sort=False):
        point = dict(zip(outer, key, strict=True))
        group = group.dropna(subset=["half_kept_learning_rate"]).sort_values(axis)
        fitted = fit(
            group[axis],
            group.half_kept_learning_rate,
            low=group.half_kept_learning_rate_low,
            high=group.half_kept_learning_rate_high,
        )
        last = math.nan
        if len(group) > 1:
            ends = group.iloc[-2:]
            last = float(np.diff(np.log(ends.half_kept_learning_rate))[0] / np.diff(np.log(ends[axis]))[0])
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


def _at_rule_length(thresholds, settings):
    """Thresholds of the recurrent networks at the length of rules, transformers and safe runs."""
    here = thresholds[(thresholds.length == settings["rule_length"]) & (thresholds.network == "recurrent")]
    return here[["task", "optimizer", *HALF_KEPT]]


def _forecasts(dataset, measured):
    """Forecasts of safe runs beside the measured threshold, whole and along the run, and their ratio to it."""
    names = ["forecast_run", "forecast_run_low", "forecast_run_high", "forecast_word"]
    names += ["safe_learning_rate", "safe_success_rate"]
    forecasts, along = (
        dataset[columns].to_dataframe().reset_index().merge(measured, how="left")
        for columns in (names, ["forecast"])
    )
    forecasts["ratio"] = forecasts.forecast_run / forecasts.half_kept_learning_rate
    ratios = [
        {
            "task": task,
            "optimizer": optimizer,
            "low": float(group.ratio.min()),
            "median": float(group.ratio.median()),
            "high": float(group.ratio.max()),
            "share": float((group.safe_learning_rate / group.half_kept_learning_rate).iloc[0]),
            "end": float(group.safe_success_rate.mean()),
        }
        for (task, optimizer), group in forecasts.groupby(["task", "optimizer"], sort=False)
    ]
    return forecasts, along, ratios


def analyse(dataset, settings):
    """Exponents in length and in 1 − J, the rules' spread, and forecasts over measured thresholds."""
    thresholds = _points(dataset)
    failures = _points(dataset, "failure_")
    by_rule = _points(dataset, "rule_")
    transformers = _points(dataset, "transformer_").assign(
        network="transformer", length=settings["rule_length"]
    )
    around = dataset["success_around"].to_dataframe().reset_index()
    around = around.merge(thresholds[["task", "network", "length", "optimizer", "half_kept_learning_rate"]])
    around["learning_rate"] = around.learning_rate_ratio * around.half_kept_learning_rate

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
                "advantage": advantage,
                "aggregation": aggregation,
                "optimizer": found["optimizer"],
            },
            found["axis"],
            found["predicted"],
            found["fit"],
            search=f"{found['task']}, {found['network']}, {found['optimizer']}, {found['axis']}",
        )
        for found in exponents
        if found["fit"] is not None
    ]
    for found in exponents:
        found.pop("fit")

    # a rule that divides by a length takes a larger learning rate for the same step under SGD
    spreads = [
        {
            "task": task,
            "optimizer": optimizer,
            "spread": float(group.half_kept_learning_rate.max() / group.half_kept_learning_rate.min()),
        }
        for (task, optimizer), group in by_rule.groupby(["task", "optimizer"], sort=False)
    ]
    measured = _at_rule_length(thresholds, settings)
    forecasts, along, ratios = _forecasts(dataset, measured)
    others = transformers.merge(measured, on=["task", "optimizer"], suffixes=("", "_recurrent"))
    others["ratio"] = others.half_kept_learning_rate / others.half_kept_learning_rate_recurrent
    searches = (thresholds, failures, by_rule, transformers)
    sharpness = around.pivot_table(index="learning_rate_ratio", values="success_around", aggfunc="mean")
    findings = {
        "exponents": exponents,
        "spreads": spreads,
        "ratios": ratios,
        "transformers": others[["task", "optimizer", "ratio"]].to_dict("records"),
        "runs": sum(int(points.runs.sum()) for points in searches),
        "open": sum(int(points.half_kept_learning_rate.isna().sum()) for points in searches),
        "thresholds": sum(map(len, searches)),
        "below": float(sharpness.success_around.iloc[0]),
        "above": float(sharpness.success_around.iloc[-1]),
        "lowest": float(sharpness.index[0]),
        "highest": float(sharpness.index[-1]),
    }
    panels = {
        "thresholds": thresholds,
        "transformers": transformers,
        "failures": failures,
        "around": around,
        "rules": by_rule,
        "exponents": pd.DataFrame(exponents),
        "forecasts": forecasts,
        "along": along,
    }
    return Analysis(panels, table(rows), findings)
