"""P4, P7: what the exponent in 1 − J becomes when updates come from groups of n sampled responses."""

import math

import numpy as np
import pandas as pd

from ...inference import equivalence
from ...inference.power_laws import Fit, fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents
from ...training.rules import ADVANTAGES, label

RULES = ("advantage", "aggregation")
POINT = ("family", "length", "success_rate", *RULES)
#: Groups with fewer failing responses than this are updated by lone failures.
LONE = 0.2


def _sampled(points: pd.DataFrame) -> Fit | None:
    """Exponent of the half-kept learning rate of sampled groups in 1 − J at fixed length and group size."""
    return fit(
        points.failure_rate,
        points.half_kept_learning_rate,
        points.length.astype(str) + "/" + points.group_size.astype(str),
        low=points.half_kept_learning_rate_low,
        high=points.half_kept_learning_rate_high,
    )


def exponent(points: pd.DataFrame) -> dict[str, float] | None:
    """Exponent in 1 − J at fixed length and group size, measured and predicted; None where points are too few."""
    series = points.length.astype(str) + "/" + points.group_size.astype(str)
    measured = _sampled(points)
    predicted = fit(points.failure_rate, points.half_kept_learning_rate_predicted, series)
    if measured is None:
        return None
    return {
        "failures": float(np.exp(np.log(points.failures).mean())),
        "exponent": measured.exponent,
        "low": measured.low,
        "high": measured.high,
        "predicted": predicted.exponent if predicted is not None else np.nan,
    }


def by_group_size(points: pd.DataFrame) -> list[dict[str, float]]:
    """Exponents, one a group size."""
    found = [(size, exponent(here)) for size, here in points.groupby("group_size")]
    return [{"group_size": size, **values} for size, values in found if values is not None]


def by_failures(points: pd.DataFrame) -> list[dict[str, float]]:
    """Exponents over a sliding decade of failing responses a group, all group sizes together."""
    place = np.log10(points.failures)
    centres = np.arange(math.ceil(2 * place.min()) / 2 + 0.5, place.max() - 0.49, 0.5)
    found = [exponent(points[(place - centre).abs() <= 0.5]) for centre in centres]
    return [values for values in found if values is not None]


def midway(exponents: list[dict[str, float]], middle: float) -> float:
    """Failing responses a group where exponents in their order last fall through a middle; nan if they do not."""
    above = [i for i, found in enumerate(exponents) if found["exponent"] >= middle]
    if not above or above[-1] + 1 == len(exponents):
        return math.nan
    upper, lower = exponents[above[-1]], exponents[above[-1] + 1]
    share = (upper["exponent"] - middle) / (upper["exponent"] - lower["exponent"])
    return upper["failures"] * (lower["failures"] / upper["failures"]) ** share


def analyse(dataset, settings):
    """Exponents in 1 − J at each group size, measured and predicted, and where they change."""
    sampled = ["half_kept_learning_rate", "half_kept_learning_rate_low", "half_kept_learning_rate_high"]
    others = [
        "half_kept_learning_rate_predicted",
        "half_kept_learning_rate_exact",
        "critical_learning_rate_closed_form",
        "crossover_predicted",
    ]
    points = dataset[[*sampled, *others]].to_dataframe().reset_index()
    points["label"] = [label(name) for name in points.advantage]
    points["failures"] = points.group_size * points.failure_rate
    points["ratio"] = points.half_kept_learning_rate / points.half_kept_learning_rate_predicted

    sizes, failures, rows, crossings = [], [], [], []
    series = {
        key: (group.half_kept_learning_rate_exact / group.critical_learning_rate_closed_form)[
            ~group.duplicated(["length", "success_rate"])
        ]
        for key, group in points.groupby(["family", *RULES], sort=False)
    }
    same = equivalence.searches((f"exact {' '.join(key)}" for key in series), series.values())
    for (family, advantage, aggregation), group in points.groupby(["family", *RULES], sort=False):
        rule = {"family": family, "advantage": advantage, "aggregation": aggregation}
        limit = exponents.failure_exponent(family, advantage, aggregation)  # nan where no law is known
        lone = limit + (ADVANTAGES.find(advantage).power or 0.0)
        sizes += [{**rule, **values} for values in by_group_size(group)]
        slid = by_failures(group)
        failures += [{**rule, **values} for values in slid]
        few = group[group.failures <= LONE]
        found = _sampled(few)
        if found is not None and math.isfinite(lone):
            labels = {**rule, "study": "group_size", "advantage": f"{advantage}, n(1−J) ≤ {LONE}"}
            series = few.length.astype(str) + "/" + few.group_size.astype(str)
            closed_form = fit(few.failure_rate, few.half_kept_learning_rate_predicted, series)
            search = f"sampled {family} {advantage} {aggregation}"
            rows.append(row(labels, "failure_rate", lone, found, closed_form=closed_form, search=search))
        once = group.drop_duplicates(["length", "success_rate"])
        exact = fit(once.failure_rate, once.half_kept_learning_rate_exact, once.length)
        if exact is not None and math.isfinite(limit):
            labels = {**rule, "study": "group_size", "advantage": f"{advantage}, n → ∞"}
            closed_form = fit(once.failure_rate, once.critical_learning_rate_closed_form, once.length)
            search = same[f"exact {family} {advantage} {aggregation}"]
            rows.append(row(labels, "failure_rate", limit, exact, closed_form=closed_form, search=search))
        middle = (lone + limit) / 2
        crossings.append(
            {
                **rule,
                "limit": limit,
                "exact": math.nan if exact is None else exact.exponent,
                "exact_low": math.nan if exact is None else exact.low,
                "exact_high": math.nan if exact is None else exact.high,
                "predicted": float(group.crossover_predicted.median()),
                "measured": midway(slid, middle),
            }
        )
    low, high = points.half_kept_learning_rate_low, points.half_kept_learning_rate_high
    largest = points[points.group_size == points.group_size.max()]
    findings = {
        "crossings": crossings,
        "thresholds": len(points),
        "undecided": int(points.half_kept_learning_rate.isna().sum()),
        "ratio_low": float(points.ratio.min()),
        "ratio_high": float(points.ratio.max()),
        "within": float(points.half_kept_learning_rate_predicted.between(low, high).mean()),
        "span": float(points.half_kept_learning_rate.max() / points.half_kept_learning_rate.min()),
        "smallest": int(points.group_size.min()),
        "largest": int(points.group_size.max()),
        "largest_ratio_low": float(
            (largest.half_kept_learning_rate / largest.half_kept_learning_rate_exact).min()
        ),
        "largest_ratio": float(
            (largest.half_kept_learning_rate / largest.half_kept_learning_rate_exact).max()
        ),
    }
    panels = {
        "thresholds": points,
        "exponents": pd.DataFrame(sizes),
        "exponents_by_failures": pd.DataFrame(failures),
        "crossings": pd.DataFrame(crossings),
    }
    return Analysis(panels, table(rows), findings)
