"""Learning curves below, at and above the threshold, and where all runs end against their step over it."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

FIRST_UPDATES = 11


def draw(panels, scaling, look):
    """a, b: success rate of one bandit; c: share of the possible gain of all bandits and rules."""
    curves, runs = panels["curves"], panels["runs"]
    shown = np.sort(curves.learning_rate_ratio.unique())
    best, start = curves.best_failure_rate.iloc[0], curves.failure_rate.iloc[0]

    figure, (first, decay, ends) = plt.subplots(1, 3, figsize=(look.page_width, look.page_width * 0.36))
    colours = style.shades(len(shown))
    for k, ratio in enumerate(shown):
        line = curves[curves.learning_rate_ratio == ratio].sort_values("iteration")
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
    style.head(first, "a", f"{curves.rule.iloc[0]}, T = {curves.length.iloc[0]:g}, 1 − J₀ = {start:g}")
    decay.set_ylim(1e-7, 10)
    decay.set_xlabel("iteration k")
    decay.set_ylabel("distance |Jₘₐₓ − J| / (Jₘₐₓ − J₀)")
    style.head(decay, "b", "the same runs, to the end")
    style.decades(decay.yaxis)

    names = list(dict.fromkeys(runs.label))
    # open marks, each inside the one before, so that rules that agree can all be seen
    looks = [
        {
            "marker": style.MARKERS[k],
            "markersize": 4.6 - 2.6 * k / max(len(names) - 1, 1),
            "markeredgecolor": style.palette(6)[k],
            "markerfacecolor": "none",
            "markeredgewidth": 0.6,
            "linestyle": "none",
        }
        for k in range(len(names))
    ]
    for name, look_of in zip(names, looks, strict=True):
        line = runs[runs.label == name]
        ends.plot(line.learning_rate_ratio, line.gain, **look_of)
    ends.set_xscale("log")
    ends.set_ylim(top=1.3)
    ends.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ends.axvline(1, **style.PREDICTED)
    small = {"fontsize": style.SMALLEST, "va": "top"}
    ends.text(0.95, 1.26, "converged", ha="right", **small)
    ends.text(1.08, 1.26, "stagnated", **small)
    ends.text(runs.learning_rate_ratio.max(), 1.26, "collapsed", ha="right", **small)
    ends.set_xlabel("learning rate over threshold α/α*")
    ends.set_ylabel("gain (J − J₀) / (Jₘₐₓ − J₀)")
    style.head(ends, "c", "all rules, lengths, success rates")
    style.decades(ends.xaxis)
    handles = [style.legend_entry(name, **look_of) for name, look_of in zip(names, looks, strict=True)]
    ends.legend(handles=handles, loc="lower left")
    return figure
