"""P4, P7: what the exponent in 1 − J becomes when updates come from groups of n sampled responses."""

import numpy as np
import pandas as pd

from .. import theory
from ..scaling import fit, row, table
from . import STUDIES, Analysis, Study, Sweep

RULES = ("advantage", "aggregation")
POINT = ("family", "length", "success_rate", *RULES)
#: Groups with fewer failing responses than this are updated by lone failures.
LONE = 0.2


def midway(failures: pd.Series, slopes: pd.Series, power: float, limit: float) -> float:
    """Failing responses a group at which exponents, ordered by them, last pass the middle of their two limits."""
    middle = limit + power / 2
    above = np.flatnonzero(slopes.to_numpy() >= middle)
    if len(above) == 0 or above[-1] + 1 == len(slopes):
        return float("nan")
    pair = slice(above[-1], above[-1] + 2)
    return float(np.exp(np.interp(-middle, -slopes.to_numpy()[pair], np.log(failures.to_numpy()[pair]))))


def analyse(dataset, settings):
    """Exponents in 1 − J at each group size, measured and predicted, and where they change."""
    names = [
        "sampled_critical",
        "sampled_critical_low",
        "sampled_critical_high",
        "sampled_critical_predicted",
    ]
    limits = ["halfway", "critical_closed_form", "crossing_predicted"]
    points = dataset[[*names, *limits]].to_dataframe().reset_index()
    points["failures"] = points.group_size * points.failure_rate
    points["ratio"] = points.sampled_critical / points.sampled_critical_predicted
    exact = points.drop_duplicates([*POINT])

    slopes, rows, crossings = [], [], {}
    for (family, advantage, aggregation), group in points.groupby(["family", *RULES], sort=False):
        labels = {"study": "group_size", "family": family, "advantage": advantage, "aggregation": aggregation}
        limit = theory.failure_exponent(family, advantage, aggregation)
        power = theory.ADVANTAGES.find(advantage).power
        found = {}
        for size, here in group.groupby("group_size"):
            measured = fit(here.failure_rate, here.sampled_critical, here.length)
            predicted = fit(here.failure_rate, here.sampled_critical_predicted, here.length)
            if measured is not None:
                found[size] = {
                    "failures": float(np.exp(np.log(here.failures).mean())),
                    "exponent": measured.exponent,
                    "low": measured.low,
                    "high": measured.high,
                    "predicted": predicted.exponent if predicted is not None else np.nan,
                }
                slopes.append({**labels, "group_size": size, **found[size]})
        lone = group[group.failures <= LONE]
        each = lone.length.astype(str) + "/" + lone.group_size.astype(str)
        measured = fit(lone.failure_rate, lone.sampled_critical, each)
        if measured is not None:
            rows.append(
                row(
                    {**labels, "aggregation": f"{aggregation}, n(1−J) ≤ {LONE}"},
                    "failure_rate",
                    limit + power,
                    measured,
                    sampled=True,
                )
            )
        here = exact[(exact[["family", *RULES]] == [family, advantage, aggregation]).all(axis=1)]
        measured = fit(here.failure_rate, here.halfway, here.length)
        if measured is not None:
            rows.append(
                row({**labels, "aggregation": f"{aggregation}, n → ∞"}, "failure_rate", limit, measured)
            )
        if found:
            frame = pd.DataFrame(found).T
            crossings[f"{advantage}/{aggregation}"] = {
                "theory": float(group.crossing_predicted.median()),
                "measured": midway(frame.failures, frame.exponent, power, limit),
                "predicted": midway(frame.failures, frame.predicted, power, limit),
            }
    largest = points[points.group_size == points.group_size.max()]
    findings = {
        "crossings": crossings,
        "thresholds": len(points),
        "undecided": int(points.sampled_critical.isna().sum()),
        "ratio_low": float(points.ratio.min()),
        "ratio_high": float(points.ratio.max()),
        "within": float(
            (
                (points.sampled_critical_low <= points.sampled_critical_predicted)
                & (points.sampled_critical_predicted <= points.sampled_critical_high)
            ).mean()
        ),
        "span": float(points.sampled_critical.max() / points.sampled_critical.min()),
        "largest": int(points.group_size.max()),
        "largest_ratio": float((largest.sampled_critical / largest.halfway).max()),
    }
    return Analysis({"thresholds": points, "slopes": pd.DataFrame(slopes)}, table(rows), findings)


STUDIES.add("group_size")(
    Study(
        title="What does the exponent in 1 − J become when a group of n sampled responses makes the update?",
        predictions="P4, P7",
        sweeps={
            "thresholds": Sweep((*POINT, "group_size"), "gradgap.simulations.sampled_critical"),
            "crossovers": Sweep((*POINT, "group_size"), "gradgap.simulations.crossovers"),
        },
        analyse=analyse,
        draw="gradgap.figures.group_size",
        defaults={
            "family": ["gated"],
            "advantage": ["reinforce", "rloo", "dr_grpo", "grpo"],
            "aggregation": ["seq-mean-token-sum"],
        },
    )
)
