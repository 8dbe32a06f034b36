"""P8: the three thresholds of `gap` against length, and which runs fall at every iteration, how far."""

import numpy as np

from ...inference.power_laws import departure, table
from ...sweep.study import Analysis

KINDS = ("convergence", "below_start", "strict")


def analyse(dataset, settings):
    """Thresholds with their closed forms, the floor of the strict falls, and every curve."""
    names = [str(name) for name in dataset if str(name) != "collapse_log_success_rate"]
    thresholds = dataset[names].to_dataframe().reset_index()
    curves = dataset[["collapse_log_success_rate"]].to_dataframe().reset_index()
    rows = []
    for (length, dynamics), run in curves.groupby(["length", "dynamics"], sort=False):
        values = run.sort_values("iteration").collapse_log_success_rate.to_numpy()
        fell = np.diff(values) < 0
        rows.append(
            {
                "length": length,
                "dynamics": dynamics,
                "falling": int(np.argmin(fell)) if not fell.all() else len(fell),
                "last": float(values[-1]),
            }
        )
    last = {row["dynamics"]: row["last"] for row in rows if row["length"] == curves.length.max()}
    folded = thresholds[thresholds.collapse_strict.notna()]
    findings = {
        "departure": {
            kind: departure(folded[f"collapse_{kind}"], folded[f"collapse_{kind}_predicted"])
            for kind in KINDS
        },
        "lengths": [float(thresholds.length.min()), float(thresholds.length.max())],
        "no_fold": [int(length) for length in thresholds.length[thresholds.collapse_strict.isna()]],
        "floors": [
            {
                "length": int(row.length),
                "iterations": int(row.collapse_iterations),
                "floor": float(row.collapse_floor),
                "predicted": float(row.collapse_floor_predicted),
            }
            for row in folded.itertuples()
        ],
        "last": last,
    }
    return Analysis({"thresholds": thresholds, "curves": curves}, table([]), findings)
