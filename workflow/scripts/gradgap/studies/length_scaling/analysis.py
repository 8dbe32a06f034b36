"""P3 and P5: does the critical learning rate fall as 1/T, and does length normalisation remove that?"""

from ...inference import equivalence
from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents
from ...training.rules import label, rule

RULES = ("advantage", "aggregation")


def _closed_form(points, sampled):
    """Closed form on `counting` at the points of one sampled rule; nan where the exact part does not have them."""
    known = points[points.family == "counting"][["length", *RULES, "critical_learning_rate_closed_form"]]
    return sampled.merge(known, how="left", on=["length", *RULES]).critical_learning_rate_closed_form


def analyse(dataset, settings):
    """Critical learning rates, exact and sampled, against the length, and their exponents where it is large."""
    variables = ["critical_learning_rate", "critical_learning_rate_closed_form", "response_length"]
    points = dataset[variables].to_dataframe().reset_index()
    points["ratio"] = points.critical_learning_rate / points.critical_learning_rate_closed_form
    points["label"] = [label(name) for name in points.advantage]
    points["fitted"] = points.length >= settings["fit_from_length"]
    rows = []
    fitted = dict(list(points[points.fitted].groupby(["family", *RULES], sort=False)))
    same = equivalence.searches(map(" ".join, fitted), (group.ratio for group in fitted.values()))
    for (family, advantage, aggregation), group in fitted.items():
        found = fit(group.response_length, group.critical_learning_rate)
        if found is not None:
            labels = {"family": family, "advantage": advantage, "aggregation": aggregation}
            predicted = exponents.length_exponent(family, advantage, aggregation)
            rows.append(
                row(
                    {"study": "length_scaling", **labels},
                    "length",
                    predicted,
                    found,
                    closed_form=fit(group.response_length, group.critical_learning_rate_closed_form),
                    search=same[f"{family} {advantage} {aggregation}"],
                )
            )

    variables = [
        "half_kept_learning_rate",
        "half_kept_learning_rate_low",
        "half_kept_learning_rate_high",
        "half_kept_learning_rate_exact",
    ]
    sampled = dataset[variables].to_dataframe().reset_index()
    sampled["advantage"], sampled["aggregation"] = zip(*map(rule, sampled.rule), strict=True)
    sampled["fitted"] = sampled.length >= settings["fit_from_length"]
    for (name, size), group in sampled[sampled.fitted].groupby(["rule", "group_size"], sort=False):
        found = fit(
            group.length,
            group.half_kept_learning_rate,
            low=group.half_kept_learning_rate_low,
            high=group.half_kept_learning_rate_high,
        )
        if found is not None:
            advantage, aggregation = rule(name)
            labels = {
                "family": "counting",
                "advantage": f"{advantage}, n = {size}",
                "aggregation": aggregation,
            }
            predicted = exponents.length_exponent("counting", advantage, aggregation)
            rows.append(
                row(
                    {"study": "length_scaling", **labels},
                    "length",
                    predicted,
                    found,
                    closed_form=fit(group.length, _closed_form(points, group)),
                    search=f"sampled {name}, n = {size}",
                )
            )
    to_limit = (
        sampled.assign(ratio=sampled.half_kept_learning_rate / sampled.half_kept_learning_rate_exact)
        .groupby("group_size")
        .ratio
    )
    findings = {
        "worst_ratio": departure(points.critical_learning_rate, points.critical_learning_rate_closed_form),
        "undecided": int(points.critical_learning_rate.isna().sum()),
        "points": len(points),
        "sampled_points": len(sampled),
        "sampled_undecided": int(sampled.half_kept_learning_rate.isna().sum()),
        "to_limit": {int(size): float(ratio) for size, ratio in to_limit.median().items()},
    }
    return Analysis({"thresholds": points, "sampled": sampled}, table(rows), findings)
