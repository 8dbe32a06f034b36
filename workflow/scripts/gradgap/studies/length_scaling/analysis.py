"""P3 and P5: does the critical learning rate fall as 1/T, and does length normalisation remove that?"""

from ...inference import equivalence
from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import Analysis
from ...theory import closed_forms
from ...training.rules import rule

RULES = ("advantage", "aggregation")


def _closed_form(points, sampled):
    """Closed form on `counting` at the points of one sampled rule; nan where the exact part does not have them."""
    known = points[points.family == "counting"][["length", *RULES, "critical_closed_form"]]
    return sampled.merge(known, how="left", on=["length", *RULES]).critical_closed_form


def analyse(dataset, settings):
    """Critical learning rates, exact and sampled, against the length, and their exponents where it is large."""
    variables = ["critical", "critical_closed_form", "response_length"]
    points = dataset[variables].to_dataframe().reset_index()
    points["ratio"] = points.critical / points.critical_closed_form
    points["fitted"] = points.length >= settings["fit_from_length"]
    rows = []
    fitted = {key: group for key, group in points[points.fitted].groupby(["family", *RULES], sort=False)}
    same = equivalence.searches(map(" ".join, fitted), (group.ratio for group in fitted.values()))
    for (family, advantage, aggregation), group in fitted.items():
        found = fit(group.response_length, group.critical)
        if found is not None:
            labels = {"family": family, "advantage": advantage, "aggregation": aggregation}
            predicted = closed_forms.length_exponent(family, advantage, aggregation)
            rows.append(
                row(
                    {"study": "length_scaling", **labels},
                    "length",
                    predicted,
                    found,
                    closed_form=fit(group.response_length, group.critical_closed_form),
                    search=same[f"{family} {advantage} {aggregation}"],
                )
            )

    variables = ["sampled_critical", "sampled_critical_low", "sampled_critical_high", "halfway"]
    sampled = dataset[variables].to_dataframe().reset_index()
    sampled["advantage"], sampled["aggregation"] = zip(*map(rule, sampled.rule), strict=True)
    sampled["fitted"] = sampled.length >= settings["fit_from_length"]
    for (name, size), group in sampled[sampled.fitted].groupby(["rule", "group_size"], sort=False):
        found = fit(
            group.length,
            group.sampled_critical,
            low=group.sampled_critical_low,
            high=group.sampled_critical_high,
        )
        if found is not None:
            advantage, aggregation = rule(name)
            labels = {
                "family": "counting",
                "advantage": f"{advantage}, n = {size}",
                "aggregation": aggregation,
            }
            predicted = closed_forms.length_exponent("counting", advantage, aggregation)
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
    to_limit = sampled.assign(ratio=sampled.sampled_critical / sampled.halfway).groupby("group_size").ratio
    findings = {
        "worst_ratio": departure(points.critical, points.critical_closed_form),
        "undecided": int(points.critical.isna().sum()),
        "points": len(points),
        "sampled_points": len(sampled),
        "sampled_undecided": int(sampled.sampled_critical.isna().sum()),
        "to_limit": {int(size): float(ratio) for size, ratio in to_limit.median().items()},
    }
    return Analysis({"thresholds": points, "sampled": sampled}, table(rows), findings)
