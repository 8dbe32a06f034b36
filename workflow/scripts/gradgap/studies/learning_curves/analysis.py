"""P2 in one look: learning curves below, at and above the predicted threshold."""

import numpy as np
import pandas as pd

from ...inference.power_laws import table
from ...sweep.parts import parts, thinned
from ...sweep.study import Analysis
from ...training import rules
from ...training.outcome import Outcome

#: Steps over the threshold whose curves are shown: below, at, just above, and far above it.
SHOWN = (0.1, 0.5, 1, 2, 10)
#: Runs that are drawn at the most; of more, those at every k-th step.
MOST_RUNS = 100_000


def runs(dataset):
    """Where runs ended: a row a run, with its step and the share of the possible gain that it gained."""
    names = ["final_failure_rate", "outcome", "best_failure_rate", "critical_learning_rate_closed_form"]
    at_a_step = dataset.final_failure_rate.size // dataset.sizes["learning_rate_ratio"]
    few = thinned(dataset[names], max(2, MOST_RUNS // at_a_step), ["learning_rate_ratio"])
    found = few.to_dataframe().reset_index()
    found["label"] = [rules.label(rules.rule(name)[0]) for name in found.rule]
    found["advantage"] = [rules.rule(name)[0] for name in found.rule]
    found["learning_rate"] = found.learning_rate_ratio * found.critical_learning_rate_closed_form
    # 1 at the best success rate, 0 at the start, below it negative
    found["gain"] = (found.failure_rate - found.final_failure_rate) / (
        found.failure_rate - found.best_failure_rate
    )
    found["outcome"] = [Outcome(int(code)).name for code in found.outcome]
    return found


def curves(dataset):
    """Curves of one bandit and rule at the steps of `SHOWN`: GRPO at the middle length, from the lowest start."""
    names, ratios = list(dataset.rule.values), dataset.learning_rate_ratio.values
    one = {
        "family": [0],
        "length": [int(np.argsort(dataset.length.values, kind="stable")[dataset.sizes["length"] // 2])],
        "success_rate": [int(dataset.failure_rate.values.argmax())],
        "rule": [names.index("GRPO") if "GRPO" in names else 0],
        "learning_rate_ratio": sorted({int(np.abs(np.log(ratios / shown)).argmin()) for shown in SHOWN}),
    }
    return dataset[["curve_failure_rate", "best_failure_rate"]].isel(one).to_dataframe().reset_index()


def ends(dataset):
    """How many runs ended how at each step over the threshold: a row a step, a column an outcome."""
    found = pd.DataFrame(0, dataset.learning_rate_ratio.values, [outcome.name for outcome in Outcome])
    for part in parts(dataset[["outcome"]]):
        others = [axis for axis in part.outcome.dims if axis != "learning_rate_ratio"]
        for outcome in Outcome:
            ended = (part.outcome == outcome).sum(others)
            found.loc[part.learning_rate_ratio.values, outcome.name] += ended.values
    return found


def analyse(dataset, settings):
    """The curves, and the share of the possible gain that a run ends with against its step over the threshold."""
    ended = ends(dataset)
    steps, fell = ended.index.to_series(), ended.stagnated + ended.collapsed
    below, above = ended.index < 1, ended.index > 1
    findings = {
        "runs": int(ended.to_numpy().sum()),
        "fell_below": int(fell[below].sum()),
        "below": int(ended[below].to_numpy().sum()),
        "converged_above": int(ended.converged[above].sum()),
        "above": int(ended[above].to_numpy().sum()),
        "last_converged": float(steps[ended.converged > 0].max()),
        "first_fallen": float(steps[fell > 0].min()),
        "first_collapsed": float(steps[ended.collapsed > 0].min()),
    }
    return Analysis({"curves": curves(dataset), "runs": runs(dataset)}, table([]), findings)
