"""A study from outside: how many updates a step below the threshold takes to close half the distance.

One file is measurement, analysis, caption and figure; ``__name__`` is this module.
"""

import matplotlib.pyplot as plt
import numpy as np
from gradgap.inference.power_laws import fit, row, table
from gradgap.measurements import FAMILY_SETTINGS, check_instances, instance_at
from gradgap.report import style
from gradgap.sweep.measurement import MEASUREMENTS, Measurement, Variable, empty, product
from gradgap.sweep.study import STUDIES, Analysis, Study, Sweep
from gradgap.theory import closed_forms
from gradgap.training import rules
from gradgap.training import run as training
from gradgap.values import number

# ---- measurement ----
VARIABLES = {
    "half_time": Variable(
        "half time", "updates", "First iteration with J above (J₀ + J_max)/2; nan if none.", undefined=True
    )
}


def compute(point, inner, settings):
    """The half times of one instance, over the rules and steps of the sweep."""
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    best = instance.at(instance.best_theta)[1]
    for index, here in product(inner):
        advantage, aggregation = rules.rule(here["rule"])
        rate = number(here["learning_rate_ratio"]) * closed_forms.critical_closed_form(
            instance, advantage, aggregation
        )
        run = training.run(
            instance, advantage, aggregation, rate, iterations=settings["iterations"], path=True
        )
        half = np.flatnonzero(run.failure_rate <= (run.failure_rate[0] + best) / 2)
        out["half_time"][index] = half[0] if len(half) else np.nan
    return out


MEASUREMENTS.add("half_times")(
    Measurement(
        VARIABLES,
        compute,
        inner=("rule", "learning_rate_ratio"),
        settings=(*FAMILY_SETTINGS, "iterations"),
        split=("family",),
        check=check_instances,
    )
)


# ---- analysis ----
def analyse(dataset, settings):
    points = dataset[["half_time"]].to_dataframe().reset_index()
    small = points[
        (points.learning_rate_ratio <= 0.1) & (points.half_time >= 10)
    ]  # where whole updates are fine enough
    rows = []
    for (family, name), group in small.groupby(["family", "rule"]):
        advantage, aggregation = rules.rule(name)
        labels = {"study": "patience", "family": family, "advantage": advantage, "aggregation": aggregation}
        found = fit(group.learning_rate_ratio, group.half_time, group.length)
        if found is not None:
            rows.append(row(labels, "learning_rate_ratio", -1.0, found, search=f"{family} {name}"))
    return Analysis({"points": points}, table(rows), {"slowest": float(points.half_time.max())})


# ---- figure ----
def draw(panels, scaling, look):
    figure, panel = plt.subplots(figsize=(look.column_width, look.column_width * 0.8))
    for k, (name, line) in enumerate(panels["points"].groupby("rule")):
        panel.loglog(
            line.learning_rate_ratio, line.half_time, style.MARKERS[k], label=name, color=style.palette(4)[k]
        )
    panel.set_xlabel("step size over threshold α/α*")
    panel.set_ylabel("half time (updates)")
    panel.legend()
    return figure


STUDIES.add("patience")(
    Study(
        title="How long does a step below the threshold take?",
        predictions="none: an example",
        sweeps={
            "runs": Sweep(("family", "length", "success_rate", "rule", "learning_rate_ratio"), "half_times")
        },
        analysis=__name__,
        draw=__name__,
        caption="**Patience.** Half time against the step; the slowest run took {{ findings.slowest }}.",
    )
)
