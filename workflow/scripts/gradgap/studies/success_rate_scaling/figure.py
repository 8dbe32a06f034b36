"""Critical learning rate against 1 − J, and the collapse of one-step critical steps onto one curve."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style
from ..length_scaling.figure import alike, distinct, title

BOUNDS = {
    "prop2": ("Prop. 2", "-"),
    "prop3": ("Prop. 3", (0, (6, 2))),
    "prop1": ("Prop. 1", (0, (1, 1))),
    "paper": ("paper", (0, (4, 1, 1, 1))),
    "prop4": ("Prop. 4", "-"),
    "prop5": ("Prop. 5", (0, (6, 2))),
}


def draw(panels, scaling, look):
    """Above: α* a law; below: η*T/Δμ for all lengths on `gated` and on `counting`, the bounds beneath."""
    figure = plt.figure(figsize=(look.page_width, look.page_width * 0.78))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    _learning_rates(top, panels["thresholds"], scaling)
    steps = panels["one_step"]
    families = [name for name in ("gated", "counting") if name in set(steps.family)]
    row = bottom.subplots(1, len(families), squeeze=False)[0]
    lengths = sorted(steps.length.unique())
    # open marks, each inside the one before, so that points that fall together can all be seen
    looks = {
        length: {
            "marker": style.MARKERS[k],
            "markersize": 6 - 4 * k / max(len(lengths) - 1, 1),
            "markeredgecolor": colour,
            "markerfacecolor": "none",
            "markeredgewidth": 0.8,
            "linestyle": "none",
        }
        for k, (length, colour) in enumerate(zip(lengths, style.shades(len(lengths)), strict=True))
    }
    first = len(_laws(panels["thresholds"], scaling))
    for k, (panel, family) in enumerate(zip(row, families, strict=True)):
        _one_step(panel, steps[steps.family == family], family, looks)
        style.head(panel, style.LETTERS[first + k], f"{family}, all lengths")
    row[0].set_ylabel("one-step critical step η* T / Δμ (tokens)")
    handles = [style.legend_entry(f"T = {length}", **looks[length]) for length in lengths]
    handles += [
        style.legend_entry("law in 1 − J", **style.PREDICTED),
        style.legend_entry(f"bounds,\nT = {lengths[-1]}", color="0.45", linewidth=0.8),
    ]
    bottom.legend(handles=handles, loc="outside right center")
    return figure


def _laws(points, scaling):
    return alike(points[points.family == points.family.iloc[0]], scaling, "failure_rate")


def _learning_rates(figure, points, scaling):
    laws = _laws(points, scaling)
    advantages, labels = distinct(points)
    colours = dict(zip(advantages, style.palette(len(advantages)), strict=True))
    lengths = sorted(points.length.unique())
    shown = lengths[len(lengths) // 2]
    family = points.family.iloc[0]
    slopes = scaling.set_index(["family", "advantage", "aggregation", "axis"]) if len(scaling) else None
    row = figure.subplots(1, len(laws), squeeze=False)[0]
    for j, (panel, names) in enumerate(zip(row, laws, strict=True)):
        aggregation = names[0]
        here = points[
            (points.family == family) & (points.aggregation == aggregation) & (points.length == shown)
        ]
        for k, advantage in enumerate(advantages):
            line = here[here.advantage == advantage].sort_values("failure_rate")
            panel.loglog(line.failure_rate, line.critical_learning_rate_closed_form, **style.CLOSED_FORM)
            panel.loglog(
                line.failure_rate,
                line.critical_learning_rate,
                marker=style.MARKERS[k],
                color=colours[advantage],
                **style.MARK,
            )
            key = (family, advantage, aggregation, "failure_rate")
            if slopes is not None and key in slopes.index:
                found = slopes.loc[key]
                panel.annotate(
                    f"{style.signed(found.measured, 2)} ({style.signed(found.predicted, 1).removesuffix('.0')})",
                    (line.failure_rate.iloc[0], line.critical_learning_rate.iloc[0]),
                    xytext=(-4, 0),
                    textcoords="offset points",
                    va="center",
                    ha="right",
                    fontsize=style.SMALLEST,
                )
        panel.set_xlim(points.failure_rate.min() / 6, points.failure_rate.max() * 1.6)
        panel.margins(y=0.1)
        style.head(panel, style.LETTERS[j], f"{family}, {title(names)}")
        panel.set_xlabel("failure rate 1 − J at the start")
        style.decades(panel.xaxis)
        style.decades(panel.yaxis)
    row[0].set_ylabel(f"critical learning rate α*\n(T = {shown})")
    handles = [
        style.legend_entry(labels[name], marker=style.MARKERS[k], color=colours[name], linestyle="none")
        for k, name in enumerate(advantages)
    ]
    handles.append(style.legend_entry("closed form; slope measured (predicted)", **style.CLOSED_FORM))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _one_step(panel, here, family, looks):
    low, high = here.failure_rate.min(), here.failure_rate.max()
    longest = here[here.length == here.length.max()].sort_values("failure_rate")
    for name, (label, dash) in BOUNDS.items():
        column = f"bound_{name}_per_alignment_times_length"
        line = longest.dropna(subset=[column])
        panel.loglog(line.failure_rate, line[column], linestyle=dash, color="0.45", linewidth=0.8, zorder=1)
        panel.annotate(
            label,
            (line.failure_rate.iloc[0], line[column].iloc[0]),
            xytext=(-3, 0),
            textcoords="offset points",
            va="center",
            ha="right",
            fontsize="small",
            color="0.3",
        )
    for length, mark in looks.items():
        line = here[here.length == length]
        panel.loglog(line.failure_rate, line.step_per_alignment_times_length, **mark)
    grid = np.geomspace(longest.failure_rate.iloc[0], high, 100)
    if family == "counting":
        law, text = 8 * grid, "8 (1 − J)"
    else:
        shape = here.failure_rate * (1 - here.failure_rate)
        factor = float(np.exp(np.log(here.step_per_alignment_times_length / shape).mean()))
        law, text = factor * grid * (1 - grid), f"{factor:.0f} J (1 − J)"
    panel.loglog(grid, law, **style.PREDICTED)
    panel.annotate(
        text, (grid[50], law[50]), xytext=(-4, 5), textcoords="offset points", ha="right", fontsize="small"
    )
    panel.set_xlim(low / 6, high * 1.6)
    panel.set_ylim(
        bottom=longest[[f"bound_{name}_per_alignment_times_length" for name in BOUNDS]].min().min() / 3
    )
    panel.set_xlabel("failure rate 1 − J at the start")
    style.decades(panel.xaxis)
    style.decades(panel.yaxis)
