"""P6: with a fixed step the success rate stops below 100 %; where exactly, and what removes it?"""

import numpy as np

from ..dynamics import Outcome
from ..scaling import table
from . import STUDIES, Analysis, Study, Sweep

INSTANCE = ("family", "length", "success_rate")


def analyse(dataset, settings):
    """Plateau of the unit rule against the fixed step, its closed form, and the same under other schedules."""
    names = ["final_failure_rate", "outcome", "plateau_closed_form", "best_failure_rate", "theta0"]
    plateaus = dataset[names].to_dataframe().reset_index()
    plateaus["outcome"] = [Outcome(int(code)).name for code in plateaus.outcome]
    fixed = plateaus[(plateaus.schedule == "constant") & (plateaus.outcome != "slow")]
    ratio = fixed.final_failure_rate / fixed.plateau_closed_form
    stalled = fixed[fixed.final_failure_rate > 2 * fixed.best_failure_rate]
    decaying = plateaus[plateaus.schedule != "constant"]
    reached = decaying.final_failure_rate <= 2 * decaying.best_failure_rate
    findings = {
        "best_failure_rate": float(plateaus.best_failure_rate.max()),
        "worst_ratio": float(np.abs(ratio - 1).max()),
        "stalled": len(stalled),
        "fixed": len(fixed),
        "reached_by_schedule": {
            name: [int(reached[group.index].sum()), len(group)]
            for name, group in decaying.groupby("schedule")
        },
    }
    return Analysis({"plateaus": plateaus}, table([]), findings)


STUDIES.add("stagnation")(
    Study(
        title="Where does a fixed step stall below 100 %, and does a step that shrinks with 1−J get there?",
        predictions="P6",
        sweeps={
            "instances": Sweep(INSTANCE, "gradgap.simulations.instances"),
            "runs": Sweep(
                (*INSTANCE, "rule", "schedule", "step_size"),
                "gradgap.simulations.runs",
                fixed={"rule": ("unit/seq-mean-token-sum",)},
            ),
            "plateaus": Sweep((*INSTANCE, "step_size"), "gradgap.simulations.plateaus"),
        },
        analyse=analyse,
        draw="gradgap.figures.stagnation",
        defaults={"family": ["counting"], "schedule": ["constant", "failure-rate"], "window": 6},
    )
)
