"""P2 in a real trainer: exponents of the edge in length, loss types, forecasts and the controller."""

import math

import numpy as np
import pandas as pd

from ...inference.power_laws import fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents as laws
from ...theory import optimizers

COLUMNS = (
    "half_kept_learning_rate",
    "edge_runs",
    "edge_forecast",
    "edge_kept_fixed",
    "edge_kept_controlled",
    "edge_last_rate",
    "edge_clipped",
    "edge_length",
)


def law(optimizer: str) -> float:
    """Exponent of the bandits' threshold in length, with a mean over each response's tokens (E1, O1)."""
    if optimizer == "adam":
        return optimizers.scale_free_exponents("counting", "exact").length
    return laws.length_exponent("counting", "grpo", "seq-mean-token-mean")


def _points(dataset, prefix: str = "") -> pd.DataFrame:
    frame = dataset[[f"{prefix}{name}" for name in COLUMNS]].to_dataframe().reset_index()
    return frame.rename(columns={f"{prefix}{name}": name for name in COLUMNS})


def _middle(values: pd.Series) -> float:
    """Geometric mean."""
    return float(np.exp(np.log(values).mean()))


def _summary(points: pd.DataFrame, axis: str) -> list[dict]:
    """Of each value of an axis and optimizer: edge, forecast over edge, and how many runs kept half."""
    found = []
    for (value, optimizer), group in points.groupby([axis, "optimizer"], sort=False):
        known = group.dropna(subset=["half_kept_learning_rate"])
        ratio = known.edge_forecast / known.half_kept_learning_rate
        seen = ratio[np.isfinite(ratio) & (ratio > 0)]
        found.append(
            {
                axis: value,
                "optimizer": optimizer,
                "edge": _middle(known.half_kept_learning_rate),
                "lowest": float(known.half_kept_learning_rate.min()),
                "highest": float(known.half_kept_learning_rate.max()),
                "runs": len(known),
                "forecast": _middle(seen) if len(seen) else math.nan,
                "forecast_low": float(ratio.min()),
                "forecast_high": float(ratio.max()),
                "forecast_none": int(len(known) - len(seen)),
                "fixed": int((known.edge_kept_fixed >= 0.5).sum()),
                "controlled": int((known.edge_kept_controlled >= 0.5).sum()),
                "tokens": float(known.edge_length.mean()),
            }
        )
    return found


def analyse(dataset, settings):
    """Exponents in length with verdicts, loss types side by side, forecast over edge, and who survives."""
    lengths, loss_types = _points(dataset), _points(dataset, "loss_")
    rows, exponents = [], []
    for optimizer, group in lengths.groupby("optimizer", sort=False):
        fitted, predicted = fit(group.length, group.half_kept_learning_rate), law(optimizer)
        if fitted is not None:
            exponents.append(
                {
                    "optimizer": optimizer,
                    "predicted": predicted,
                    "measured": fitted.exponent,
                    "low": fitted.low,
                    "high": fitted.high,
                    "factor": fitted.factor,
                }
            )
            labels = {
                "study": "trainer",
                "family": "counts",
                "advantage": "grpo",
                "aggregation": "seq-mean-token-mean",
                "optimizer": optimizer,
            }
            rows.append(row(labels, "length", predicted, fitted, search=f"counts, {optimizer}, length"))
    by_length, by_loss = _summary(lengths, "length"), _summary(loss_types, "loss_type")
    both = pd.concat([lengths, loss_types]).dropna(subset=["half_kept_learning_rate"])
    findings = {
        "exponents": exponents,
        "lengths": by_length,
        "loss_types": by_loss,
        "fixed": int((both.edge_kept_fixed >= 0.5).sum()),
        "controlled": int((both.edge_kept_controlled >= 0.5).sum()),
        "edges": len(both),
        "searches": len(lengths) + len(loss_types),
        "runs": int(lengths.edge_runs.sum() + loss_types.edge_runs.sum()),
        "clipped": float(both.edge_clipped.mean()),
    }
    panels = {
        "lengths": lengths,
        "loss_types": loss_types,
        "laws": pd.DataFrame(
            [
                {"optimizer": optimizer, "predicted": law(optimizer)}
                for optimizer in lengths.optimizer.unique()
            ]
        ),
    }
    return Analysis(panels, table(rows), findings)
