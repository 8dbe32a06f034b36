"""The instrument against exact answers: estimates over truth, coverage, forecasts from safe runs, the controller."""

import numpy as np
import pandas as pd

from ...inference.crossings import half_kept
from ...inference.power_laws import table
from ...probe.result import Word
from ...sweep.study import Analysis

#: Estimators of one batch, and the columns that they stand in.
ESTIMATORS = {
    "probe": "headroom_over_truth",
    "K₁ − K₀": "ratio_over_truth",
    "parabola": "parabola_over_truth",
}
#: What else a batch gives.
BESIDE = (
    "headroom_word",
    "headroom_covered",
    "headroom_claim",
    "effective_share",
    "gain_responses",
    "gain_in_sample",
    "gain_fresh",
    "gain_exact",
)
CELL = ["family", "start_spread", "responses"]


def _quantiles(values: pd.Series) -> list[float]:
    """10, 50 and 90 %, some values of which may be infinite; nan where there is none."""
    known = np.sort(values.dropna())
    if not len(known):
        return [np.nan] * 3
    return [float(known[round(share * (len(known) - 1))]) for share in (0.1, 0.5, 0.9)]


def estimates(points: pd.DataFrame) -> pd.DataFrame:
    """A row for each estimator, family, distance and size of the batch."""
    rows = []
    for cell, here in points.groupby(CELL, sort=False):
        measured = here[here.headroom_word == Word.measured]
        beyond = here[here.headroom_word == Word.beyond_reach]
        for name, column in ESTIMATORS.items():
            low, middle, high = _quantiles(here[column])
            rows.append(
                {
                    **dict(zip(CELL, cell, strict=True)),
                    "estimator": name,
                    "share": float(here.effective_share.mean()),
                    "low": low,
                    "median": middle,
                    "high": high,
                    "batches": len(here),
                    "measured": len(measured),
                    "covered": int(measured.headroom_covered.sum()),
                    "beyond": len(beyond),
                    "beyond_true": int((beyond.headroom_claim <= 1).sum()),
                    "void": int((here.headroom_word == Word.void).sum()),
                }
            )
    return pd.DataFrame(rows)


def thresholds(runs: pd.DataFrame) -> pd.DataFrame:
    """Half-kept learning rate of fixed runs, over the reference rate; nan where it lies outside the grid."""
    rows = []
    fixed = runs[runs.control == "fixed"]
    for (family, optimizer), here in fixed.groupby(["family", "optimizer"], sort=False):
        kept = here.pivot(index="learning_rate_ratio", columns="replicate", values="kept").sort_index()
        found = half_kept(np.log(kept.index.to_numpy()), kept.to_numpy(), np.random.default_rng(0))
        rows.append(
            {"family": family, "optimizer": optimizer}
            | dict(zip(("half_kept", "low", "high"), np.exp([found.at, found.low, found.high]), strict=True))
        )
    return pd.DataFrame(rows)


def forecasts(runs: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Learning rate × pooled headroom of fixed runs over the half-kept learning rate."""
    rows = []
    fixed = runs[runs.control == "fixed"].merge(edges, on=["family", "optimizer"])
    for (family, optimizer, ratio), here in fixed.groupby(
        ["family", "optimizer", "learning_rate_ratio"], sort=False
    ):
        low, middle, high = _quantiles(here.forecast / here.half_kept)
        rows.append(
            {
                "family": family,
                "optimizer": optimizer,
                "rate": ratio / here.half_kept.iloc[0],
                "low": low,
                "median": middle,
                "high": high,
                "safe": bool(here.kept.mean() > 0.5),
            }
        )
    return pd.DataFrame(rows)


def controlled(runs: pd.DataFrame, scheduled: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Mean success rate of the runs against the rate they start with: fixed, or controlled by what is known of J."""
    scheduled = scheduled.rename(
        columns={"schedule": "control", "scheduled_success_rate": "mean_success_rate"}
    )
    runs = pd.concat([scheduled, runs[runs.control == "controller"]])
    keys = ["family", "optimizer", "control", "learning_rate_ratio"]
    means = runs.groupby(keys, sort=False).mean_success_rate.agg(["mean", "min", "max"]).reset_index()
    means = means.merge(edges[["family", "optimizer", "half_kept"]], on=["family", "optimizer"])
    means["rate"] = means.learning_rate_ratio / means.half_kept
    return means


def analyse(dataset, settings):
    """Every panel of the figure, and the findings of the caption."""
    points = dataset[[*ESTIMATORS.values(), *BESIDE]].to_dataframe().reset_index()
    climbs = dataset[["climb_over_truth", "climb_covered", "climb_responses"]].to_dataframe().reset_index()
    names = ["kept", "mean_success_rate", "forecast", "last_rate", "reference_rate"]
    runs = dataset[names].to_dataframe().reset_index()
    batches, edges = estimates(points), thresholds(runs)
    scheduled = dataset[["scheduled_success_rate"]].to_dataframe().reset_index()
    seen, held = forecasts(runs, edges), controlled(runs, scheduled, edges)
    probes = batches[batches.estimator == "probe"]
    gains = points.groupby(["family", "gain_responses"], sort=False)[
        ["gain_in_sample", "gain_fresh", "gain_exact"]
    ].mean()
    gains = gains.reset_index()
    safe = seen[seen.safe & np.isfinite(seen["median"])]
    best = held[held.control == "constant"].groupby(["family", "optimizer"], sort=False)["mean"].max()
    near = held[held.rate <= 1.0].groupby(["family", "optimizer", "control"], sort=False)["mean"].min()
    findings = {
        "batches": int(probes.batches.sum()),
        "measured": int(probes.measured.sum()),
        "coverage": float(probes.covered.sum() / max(probes.measured.sum(), 1)),
        "beyond": int(probes.beyond.sum()),
        "beyond_true": int(probes.beyond_true.sum()),
        "void": int(probes.void.sum()),
        "spread": {
            name: float(np.nanmedian((group.high - group.low).replace(np.inf, np.nan)))
            for name, group in batches.groupby("estimator", sort=False)
        },
        "climbs": len(climbs),
        "climbs_near": int((np.abs(climbs.climb_over_truth - 1) <= 0.1).sum()),
        "climb_responses": float(climbs.climb_responses.mean()),
        "forecast_low": float(safe["median"].min()) if len(safe) else None,
        "forecast_high": float(safe["median"].max()) if len(safe) else None,
        "in_sample": float((gains.gain_in_sample / gains.gain_exact).max()),
        "control": [
            {
                "family": family,
                "optimizer": optimizer,
                "best": float(value),
                "worst": {
                    control: float(near.get((family, optimizer, control), np.nan))
                    for control in dict.fromkeys(held.control)
                },
            }
            for (family, optimizer), value in best.items()
        ],
    }
    panels = {
        "estimates": batches,
        "climbs": climbs,
        "forecasts": seen,
        "control": held,
        "gains": gains,
        "thresholds": edges,
    }
    return Analysis(panels, table([]), findings)
