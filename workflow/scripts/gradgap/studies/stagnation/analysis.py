"""P6: with a fixed step the success rate stops below 100 %; where exactly, and what removes it?"""

import numpy as np

from ...inference.power_laws import departure, fit, table
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...training.run import Outcome

INSTANCE = ("family", "length", "success_rate")


def analyse(dataset, settings):
    """Plateau of the unit rule against the fixed step, its closed form, and learning curves under each schedule.

    A fixed step walks |θ₀|/η updates to the best θ. A run is judged against the closed form only if it had arrived
    before its last tenth, over which the final rates are means.
    """
    names = ["final_failure_rate", "outcome", "plateau_closed_form", "best_failure_rate", "theta0"]
    plateaus = dataset[names].to_dataframe().reset_index()
    plateaus["outcome"] = [Outcome(int(code)).name for code in plateaus.outcome]
    constant = plateaus.schedule == "constant"
    plateaus["arrived"] = constant & (
        plateaus.theta0.abs() / plateaus.step_size <= 0.9 * settings["iterations"]
    )
    arrived = plateaus[plateaus.arrived]
    stalled = arrived.final_failure_rate > 2 * arrived.best_failure_rate

    curves = dataset[["curve_failure_rate", "best_failure_rate"]].to_dataframe().reset_index()
    late = curves[curves.iteration >= settings["iterations"] / 10]
    schedules = {}
    for schedule, runs in plateaus[~constant].groupby("schedule"):
        fell = runs.outcome.isin(["stagnated", "collapsed"])
        reached = ~fell & (runs.final_failure_rate <= 2 * runs.best_failure_rate)
        under_way = late[late.schedule == schedule].merge(
            runs.loc[~fell & ~reached, [*INSTANCE, "step_size"]]
        )
        falls = [
            fit(run.iteration, run.curve_failure_rate)
            for _, run in under_way.groupby([*INSTANCE, "step_size"])
        ]
        exponents = [found.exponent for found in falls if found is not None]
        schedules[schedule] = {
            "runs": len(runs),
            "under_way": len(falls),
            "reached": int(reached.sum()),
            "fell": int(fell.sum()),
            "exponents": [float(value) for value in np.quantile(exponents, [0, 0.5, 1])]
            if exponents
            else None,
        }
    findings = {
        "best_failure_rate": float(plateaus.best_failure_rate.max()),
        "fixed": int(constant.sum()),
        "arrived": len(arrived),
        "stalled": int(stalled.sum()),
        "first_stalled": float((arrived.step_size / (2 * arrived.theta0.abs()))[stalled].min()),
        "worst_ratio": departure(arrived.final_failure_rate, arrived.plateau_closed_form),
        "schedules": schedules,
    }
    return Analysis({"plateaus": plateaus, "curves": curves}, table([]), findings)


STUDIES.add("stagnation")(
    Study(
        title="Where does a fixed step stall below 100 %, and does a step that shrinks with 1−J get there?",
        predictions="P6",
        sweeps={
            "instances": Sweep(INSTANCE, "gradgap.measurements.starts"),
            "runs": Sweep(
                (*INSTANCE, "rule", "schedule", "step_size", "iteration"),
                "gradgap.measurements.exact_runs",
                fixed={"rule": ("unit/seq-mean-token-sum",)},
            ),
            "plateaus": Sweep((*INSTANCE, "step_size"), "gradgap.measurements.plateaus"),
        },
        analyse=analyse,
        draw="gradgap.studies.stagnation.figure",
        defaults={
            "family": ["counting"],
            "schedule": ["constant", "failure-rate"],
            "iteration": [1, 2, 5, 10],
            "window": 6,
        },
    )
)
