"""P3 and P5: does the critical learning rate fall as 1/T, and does length normalisation remove that?"""

from .. import theory
from ..scaling import departure, fit, row, table
from . import STUDIES, Analysis, Study, Sweep

RULES = ("advantage", "aggregation")


def analyse(dataset, settings):
    """Critical learning rates against the true length, and their exponents on the asymptotic part of the grid."""
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
            labels = {
                "study": "length_scaling",
                "family": family,
                "advantage": advantage,
                "aggregation": aggregation,
            }
            rows.append(row(labels, "length", theory.length_exponent(family, advantage, aggregation), found))
    scaling = table(rows)
    findings = {
        "worst_ratio": departure(points.critical, points.critical_closed_form),
        "undecided": int(points.critical.isna().sum()),
        "points": len(points),
    }
    return Analysis({"thresholds": points}, scaling, findings)


STUDIES.add("length_scaling")(
    Study(
        title="How does the critical learning rate change with response length, and what does normalisation do?",
        predictions="P3, P5",
        sweeps={
            "instances": Sweep(("family", "length"), "gradgap.simulations.instances"),
            "critical": Sweep(("family", "length", *RULES), "gradgap.simulations.critical"),
        },
        analyse=analyse,
        draw="gradgap.figures.length_scaling",
        settings=("fit_from_length",),
    )
)
