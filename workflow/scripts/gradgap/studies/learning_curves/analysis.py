"""P2 in one look: learning curves below, at and above the predicted threshold."""

from ...inference.power_laws import table
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...training import rules
from ...training.run import Outcome

INSTANCE = ("family", "length", "success_rate")
#: Coordinates of a run.
RUN = (*INSTANCE, "rule", "step_ratio")


def analyse(dataset, settings):
    """The curves, and the share of the possible gain that a run ends with against its step over the threshold."""
    names = ["final_failure_rate", "outcome", "best_failure_rate", "critical_closed_form"]
    runs = dataset[names].to_dataframe().reset_index()
    runs["advantage"] = [rules.rule(name)[0] for name in runs.rule]
    runs["step_size"] = runs.step_ratio * runs.critical_closed_form
    # 1 at the best success rate, 0 at the start, below it negative
    runs["gain"] = (runs.failure_rate - runs.final_failure_rate) / (
        runs.failure_rate - runs.best_failure_rate
    )
    runs["outcome"] = [Outcome(int(code)).name for code in runs.outcome]
    curves = dataset[["curve_failure_rate", "best_failure_rate"]].to_dataframe().reset_index()
    below, above = runs[runs.step_ratio < 1], runs[runs.step_ratio > 1]
    fell = runs.outcome.isin(["stagnated", "collapsed"])
    findings = {
        "runs": len(runs),
        "fell_below": int(fell[below.index].sum()),
        "below": len(below),
        "converged_above": int((above.outcome == "converged").sum()),
        "above": len(above),
        "last_converged": float(runs[runs.outcome == "converged"].step_ratio.max()),
        "first_fallen": float(runs[fell].step_ratio.min()),
        "first_collapsed": float(runs[runs.outcome == "collapsed"].step_ratio.min()),
    }
    return Analysis({"curves": curves, "runs": runs}, table([]), findings)


STUDIES.add("learning_curves")(
    Study(
        title="What does learning look like below, at and above the threshold?",
        predictions="P2",
        sweeps={
            "instances": Sweep(INSTANCE, "gradgap.measurements.starts"),
            "critical": Sweep((*INSTANCE, "rule"), "gradgap.measurements.thresholds"),
            "runs": Sweep((*RUN, "iteration"), "gradgap.measurements.exact_runs"),
        },
        analyse=analyse,
        draw="gradgap.studies.learning_curves.figure",
        defaults={"family": ["gated"]},
    )
)
