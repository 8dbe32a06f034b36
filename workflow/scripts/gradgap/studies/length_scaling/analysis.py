"""P3 and P5: does the critical learning rate fall as 1/T, and does length normalisation remove that?"""

from ...inference.power_laws import departure, fit, row, table
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...theory import closed_forms
from ...training.rules import PRESETS, rule

RULES = ("advantage", "aggregation")


def analyse(dataset, settings):
    """Critical learning rates, exact and sampled, against the length, and their exponents where it is large."""
    variables = ["critical", "critical_closed_form", "response_length"]
    points = dataset[variables].to_dataframe().reset_index()
    points["ratio"] = points.critical / points.critical_closed_form
    points["fitted"] = points.length >= settings["fit_from_length"]
    rows = []
    for (family, advantage, aggregation), group in points[points.fitted].groupby(
        ["family", *RULES], sort=False
    ):
        found = fit(group.response_length, group.critical)
        if found is not None:
            labels = {"family": family, "advantage": advantage, "aggregation": aggregation}
            predicted = closed_forms.length_exponent(family, advantage, aggregation)
            rows.append(row({"study": "length_scaling", **labels}, "length", predicted, found))

    variables = ["sampled_critical", "sampled_critical_low", "sampled_critical_high", "halfway"]
    sampled = dataset[variables].to_dataframe().reset_index()
    sampled["fitted"] = sampled.length >= settings["fit_from_length"]
    for (name, size), group in sampled[sampled.fitted].groupby(["rule", "group_size"], sort=False):
        found = fit(group.length, group.sampled_critical)
        if found is not None:
            advantage, aggregation = rule(name)
            labels = {
                "family": "counting",
                "advantage": f"{advantage}, n = {size}",
                "aggregation": aggregation,
            }
            predicted = closed_forms.length_exponent("counting", advantage, aggregation)
            rows.append(row({"study": "length_scaling", **labels}, "length", predicted, found, sampled=True))
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


STUDIES.add("length_scaling")(
    Study(
        title="How does the critical learning rate change with response length, and what does normalisation do?",
        predictions="P3, P5",
        sweeps={
            "instances": Sweep(("family", "length"), "gradgap.measurements.starts"),
            "critical": Sweep(("family", "length", *RULES), "gradgap.measurements.thresholds"),
            "sampled": Sweep(("length", "rule", "group_size"), "gradgap.measurements.sampled_counting"),
        },
        analyse=analyse,
        draw="gradgap.studies.length_scaling.figure",
        settings=("fit_from_length",),
        defaults={"rule": list(PRESETS), "group_size": [16, 64]},
    )
)
