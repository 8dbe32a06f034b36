"""Learning curves below, at and above the threshold, and where all runs end against their step over it."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

#: Steps over the threshold whose curves are shown: below, at, just above, and far above it.
SHOWN = (0.1, 0.5, 1, 2, 10)
FIRST_UPDATES = 11


def draw(panels, scaling, look):
    """a, b: success rate of one bandit; c: share of the possible gain of all bandits and rules."""
    curves, runs = panels["curves"], panels["runs"]
    ratios = np.sort(curves.step_ratio.unique())
    shown = list(dict.fromkeys(ratios[np.abs(np.log(ratios / ratio)).argmin()] for ratio in SHOWN))
    lengths, failures = np.sort(curves.length.unique()), np.sort(curves.failure_rate.unique())
    one = curves[(curves.family == curves.family.iloc[0]) & (curves.length == lengths[len(lengths) // 2])]
    one = one[one.failure_rate == failures[-1]]
    rules = list(dict.fromkeys(curves.rule))
    rule = "GRPO" if "GRPO" in rules else rules[0]
    one = one[one.rule == rule]
    best, start = one.best_failure_rate.iloc[0], one.failure_rate.iloc[0]

    figure, (first, decay, ends) = plt.subplots(1, 3, figsize=(look.page_width, look.page_width * 0.36))
    colours = style.shades(len(shown))
    for k, ratio in enumerate(shown):
        line = one[one.step_ratio == ratio].sort_values("iteration")
        marks = {
            "marker": style.MARKERS[k],
            "color": colours[k],
            "markeredgecolor": "white",
            "markeredgewidth": 0.3,
        }
        early = line[line.iteration <= FIRST_UPDATES]
        first.plot(
            [0, *early.iteration], [1 - start, *(1 - early.curve_failure_rate)], linewidth=0.8, **marks
        )
        # a cycle seen at some iterations only: a line through its points would show what is not there
        dash = "-" if ratio <= 1 else "none"
        left = (line.curve_failure_rate - best).abs() / (start - best)
        decay.loglog(line.iteration, left.clip(lower=1e-9), linestyle=dash, linewidth=0.8, **marks)
    first.axhline(1 - best, **style.PREDICTED)
    first.annotate(
        "best reachable", (FIRST_UPDATES, 1 - best), (0, 3), textcoords="offset points", ha="right"
    )
    first.set_xlabel("iteration k")
    first.set_xticks(range(0, FIRST_UPDATES, 2))
    first.set_ylabel("success rate J")
    first.margins(y=0.12)
    handles = [
        style.legend_entry(f"{ratio:.2g}", marker=style.MARKERS[k], color=colours[k], linewidth=0.8)
        for k, ratio in enumerate(shown)
    ]
    first.legend(handles=handles, title="α/α*", loc="lower right", bbox_to_anchor=(1, 0.1), ncols=2)
    style.head(first, "a", f"{rule}, T = {one.length.iloc[0]:g}, 1 − J₀ = {start:g}")
    decay.set_ylim(1e-7, 10)
    decay.set_xlabel("iteration k")
    decay.set_ylabel("distance $|J_{max} − J| / (J_{max} − J_0)$")
    style.head(decay, "b", "the same runs, to the end")
    style.decades(decay.yaxis)

    advantages = list(dict.fromkeys(runs.advantage))
    for k, advantage in enumerate(advantages):
        line = runs[runs.advantage == advantage]
        look_of = style.MARK | {"markersize": 2.5, "markeredgewidth": 0.2}
        ends.plot(line.step_ratio, line.gain, style.MARKERS[k], color=style.palette(6)[k], **look_of)
    ends.set_xscale("log")
    ends.set_ylim(top=1.3)
    ends.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ends.axvline(1, **style.PREDICTED)
    small = {"fontsize": "x-small", "va": "top"}
    ends.text(0.95, 1.26, "converged", ha="right", **small)
    ends.text(1.08, 1.26, "stagnated", **small)
    ends.text(runs.step_ratio.max(), 1.26, "collapsed", ha="right", **small)
    ends.set_xlabel("step size over threshold α/α*")
    ends.set_ylabel("gain $(J − J_0) / (J_{max} − J_0)$")
    style.head(ends, "c", "all rules, lengths, success rates")
    style.decades(ends.xaxis)
    handles = [
        style.legend_entry(name, marker=style.MARKERS[k], color=style.palette(6)[k], linestyle="none")
        for k, name in enumerate(advantages)
    ]
    ends.legend(handles=handles, loc="lower left")
    return figure
