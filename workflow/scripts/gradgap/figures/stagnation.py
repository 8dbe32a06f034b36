"""Failure rate at the end against the fixed step, with its closed form, and under a shrinking step."""

import matplotlib.pyplot as plt

from .. import style


def draw(panels, scaling, look):
    """One panel a length."""
    points = panels["plateaus"]
    points = points[points.family == points.family.iloc[0]]
    lengths = list(dict.fromkeys(points.length))
    schedules = list(dict.fromkeys(points.schedule))
    names = {"constant": "fixed step", "failure-rate": "step ∝ 1 − J", "inverse-sqrt": "step ∝ 1/√(k+1)"}
    colours = dict(zip(schedules, style.palette(len(schedules)), strict=True))
    width = look.page_width if len(lengths) > 1 else look.column_width
    figure, axes = plt.subplots(
        1, len(lengths), figsize=(width, look.page_width * 0.36), sharey=True, squeeze=False
    )
    for mark, panel, length in zip("abcdef", axes[0], lengths, strict=False):
        here = points[points.length == length].sort_values("step_size")
        fixed = here[here.schedule == "constant"]
        panel.loglog(fixed.step_size, fixed.plateau_closed_form, **style.CLOSED_FORM)
        for k, schedule in enumerate(schedules):
            line = here[here.schedule == schedule]
            panel.loglog(
                line.step_size,
                line.final_failure_rate,
                style.MARKERS[k],
                color=colours[schedule],
                markersize=2.5,
                markeredgewidth=0.3,
                markeredgecolor="white",
                zorder=2 + k,
            )
        panel.axhline(here.best_failure_rate.iloc[0], **style.PREDICTED)
        panel.axhline(here.failure_rate.iloc[0], color="0.6", linewidth=0.8, zorder=1)
        start = 2 * abs(here.theta0.iloc[0])
        panel.axvline(start, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
        panel.annotate(
            "η* = 2|θ₀|",
            (start, here.best_failure_rate.iloc[0]),
            xytext=(2, 8),
            textcoords="offset points",
            fontsize="x-small",
        )
        panel.set_xlabel("step size η")
        panel.set_title(f"T = {length:g} tokens")
        style.letter(panel, mark)
    axes[0, 0].set_ylabel("final failure rate 1 − J")
    handles = [
        style.legend_entry(
            names.get(name, name), marker=style.MARKERS[k], color=colours[name], linestyle="none"
        )
        for k, name in enumerate(schedules)
    ]
    handles += [
        style.legend_entry("fixed step, closed form", **style.CLOSED_FORM),
        style.legend_entry("best reachable", **style.PREDICTED),
        style.legend_entry("start", color="0.6", linewidth=0.8),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
