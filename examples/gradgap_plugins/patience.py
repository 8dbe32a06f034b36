"""A study from outside: how many updates a step below the threshold takes to close half the distance.

One file is simulation, analysis, caption and figure; ``__name__`` is this module.
"""

import matplotlib.pyplot as plt
import numpy as np
from gradgap.inference.power_laws import fit, row, table
from gradgap.measurements import FAMILY_SETTINGS, Variable, empty, instance_at, product
from gradgap.report import style
from gradgap.sweep.study import STUDIES, Analysis, Study, Sweep
from gradgap.theory import closed_forms
from gradgap.training import rules
from gradgap.training import run as dynamics
from gradgap.values import number

# ---- simulation ----
VARIABLES = {
    "half_time": Variable(
        "half time", "updates", "First iteration with J above (J₀ + J_max)/2; nan if none.", undefined=True
    )
}
SETTINGS = (*FAMILY_SETTINGS, "iterations")
SPLIT = ("family",)


def simulate(axes, settings, progress):
    out = empty(axes, VARIABLES)
    for index, point in product(axes, tuple(axes)):
        instance = instance_at(point, settings)
        advantage, aggregation = rules.rule(point["rule"])
        rate = number(point["step_ratio"]) * closed_forms.critical_closed_form(
            instance, advantage, aggregation
        )
        run = dynamics.run(
            instance, advantage, aggregation, rate, iterations=settings["iterations"], path=True
        )
        best = instance.at(instance.best_theta)[1]
        half = np.flatnonzero(run.failure_rate <= (run.failure_rate[0] + best) / 2)
        out["half_time"][index] = half[0] if len(half) else np.nan
    progress(1, 1)
    return out


# ---- analysis ----
def analyse(dataset, settings):
    points = dataset[["half_time"]].to_dataframe().reset_index()
    small = points[
        (points.step_ratio <= 0.1) & (points.half_time >= 10)
    ]  # where whole updates are fine enough
    rows = []
    for (family, name), group in small.groupby(["family", "rule"]):
        advantage, aggregation = rules.rule(name)
        labels = {"study": "patience", "family": family, "advantage": advantage, "aggregation": aggregation}
        found = fit(group.step_ratio, group.half_time, group.length)
        if found is not None:
            rows.append(row(labels, "step_ratio", -1.0, found))
    return Analysis({"points": points}, table(rows), {"slowest": float(points.half_time.max())})


# ---- figure ----
def draw(panels, scaling, look):
    figure, panel = plt.subplots(figsize=(look.column_width, look.column_width * 0.8))
    for k, (name, line) in enumerate(panels["points"].groupby("rule")):
        panel.loglog(line.step_ratio, line.half_time, style.MARKERS[k], label=name, color=style.palette(4)[k])
    panel.set_xlabel("step size over threshold α/α*")
    panel.set_ylabel("half time (updates)")
    panel.legend()
    return figure


STUDIES.add("patience")(
    Study(
        title="How long does a step below the threshold take?",
        predictions="none: an example",
        sweeps={"runs": Sweep(("family", "length", "success_rate", "rule", "step_ratio"), __name__)},
        analyse=analyse,
        draw=__name__,
        caption="**Patience.** Half time against the step; the slowest run took {{ findings.slowest }}.",
    )
)
