"""Failure rate at the end against the step, with its closed form, and how it falls under a shrinking step."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

NAMES = {"constant": "fixed step", "failure-rate": "step ∝ 1 − J", "inverse-sqrt": "step ∝ 1/√(k+1)"}
ONE_STEP = {"color": "0.4", "linewidth": 0.8, "linestyle": (0, (1, 1)), "zorder": 1}
#: A run with a fixed step that had not arrived at the best θ before its last tenth.
ON_THE_WAY = {"marker": "x", "color": "0.5", "markersize": 2.5, "linestyle": "none", "markeredgewidth": 0.6}
#: Lengths that have a panel, at the most; of more, some from the shortest to the longest.
MOST_LENGTHS = 3
#: Steps over the one-step critical step 2|θ₀| whose learning curves are shown.
SHOWN = (0.003, 0.03)


def draw(panels, scaling, look):
    """One panel a length, of the first family at the middle success rate; then learning curves at the longest."""
    points, curves = panels["plateaus"], panels["curves"]
    rates = sorted(points.failure_rate.unique())
    points, curves = (
        table[(table.family == points.family.iloc[0]) & (table.failure_rate == rates[len(rates) // 2])]
        for table in (points, curves)
    )
    lengths = list(dict.fromkeys(points.length))
    if len(lengths) > MOST_LENGTHS:
        lengths = [lengths[k] for k in np.linspace(0, len(lengths) - 1, MOST_LENGTHS).round().astype(int)]
    schedules = list(dict.fromkeys(points.schedule))
    colours = dict(zip(schedules, style.palette(len(schedules)), strict=True))
    size = (look.page_width, look.page_width * 0.36)
    figure, axes = plt.subplots(1, len(lengths) + 1, figsize=size, sharey=True)
    for mark, panel, length in zip(style.LETTERS, axes, lengths, strict=False):
        here = points[points.length == length].sort_values("learning_rate")
        fixed = here[here.schedule == "constant"]
        on_the_way = here[(here.schedule == "constant") & ~here.arrived.astype(bool)]
        panel.loglog(on_the_way.learning_rate, on_the_way.final_failure_rate, **ON_THE_WAY)
        panel.loglog(fixed.learning_rate, fixed.plateau_closed_form, **style.CLOSED_FORM)
        for k, schedule in enumerate(schedules):
            line = here[here.schedule == schedule]
            line = line[line.arrived.astype(bool) | (line.schedule != "constant")]
            look_of = style.MARK | {"markersize": 2.5, "color": colours[schedule], "zorder": 2 + k}
            panel.loglog(line.learning_rate, line.final_failure_rate, marker=style.MARKERS[k], **look_of)
        panel.axhline(here.best_failure_rate.iloc[0], **style.PREDICTED)
        panel.axhline(here.failure_rate.iloc[0], color="0.6", linewidth=0.8, zorder=1)
        one_step = 2 * abs(here.theta0.iloc[0])
        panel.axvline(one_step, **ONE_STEP)
        panel.set_xlim(right=2.5 * points.learning_rate.max())
        panel.set_xlabel("step size η")
        style.head(panel, mark, f"T = {length:g} tokens, after all updates")
        style.decades(panel.xaxis)
    axes[0].set_ylabel("failure rate 1 − J")
    _curves(axes[-1], curves[curves.length == lengths[-1]], schedules, colours, one_step)
    style.head(axes[-1], style.LETTERS[len(lengths)], f"T = {lengths[-1]:g} tokens, along the run")
    style.decades(axes[0].yaxis)
    handles = [
        style.legend_entry(
            NAMES.get(name, name), marker=style.MARKERS[k], color=colours[name], linestyle="none"
        )
        for k, name in enumerate(schedules)
    ]
    handles += [
        style.legend_entry("fixed step, closed form", **style.CLOSED_FORM),
        style.legend_entry("best reachable", **style.PREDICTED),
        style.legend_entry("start", color="0.6", linewidth=0.8),
        style.legend_entry("one-step critical step 2|θ₀|", **ONE_STEP),
        style.legend_entry("not yet there", **ON_THE_WAY),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def _curves(panel, curves, schedules, colours, one_step):
    steps = np.sort(curves.learning_rate.unique())
    shown = dict.fromkeys(steps[np.abs(np.log(steps / (share * one_step))).argmin()] for share in SHOWN)
    for k, schedule in enumerate(schedules):
        for step in shown:
            line = curves[(curves.schedule == schedule) & (curves.learning_rate == step)].sort_values(
                "iteration"
            )
            panel.loglog(
                line.iteration,
                line.curve_failure_rate,
                marker=style.MARKERS[k],
                color=colours[schedule],
                linewidth=0.6,
                markersize=2.5,
                markeredgecolor="white",
                markeredgewidth=0.3,
                zorder=2 + k,
            )
            # a shrinking step is labelled at its end, a fixed one on its way down
            low = line[line.curve_failure_rate < 1e-4]
            point, y = (low.iloc[0], 0.05) if schedule == "constant" and len(low) else (line.iloc[-1], 1)
            panel.annotate(
                f"η = {step:.2g}" if schedule == "constant" else f"{step:.2g}",
                (point.iteration, point.curve_failure_rate * y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALLEST,
            )
    panel.axhline(curves.best_failure_rate.iloc[0], **style.PREDICTED)
    last = curves.iteration.max()
    grid = np.geomspace(last / 100, last, 2)
    panel.loglog(grid, 1e-4 * grid[0] / grid, color="0.4", linewidth=0.8, linestyle=(0, (1, 1)))
    panel.annotate(
        "∝ 1/k",
        (grid[1], 1e-6),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALLEST,
    )
    panel.set_xlim(right=last * 6)
    panel.set_xlabel("iteration k")
    style.decades(panel.xaxis)
