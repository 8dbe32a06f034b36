"""Critical learning rate against 1 − J, and the collapse of one-step critical steps onto one curve."""

import matplotlib.pyplot as plt
import numpy as np

from .. import style
from .length_scaling import SAME

BOUNDS = {
    "prop2": ("Proposition 2", "-"),
    "prop3": ("Proposition 3", (0, (4, 2))),
    "prop1": ("Proposition 1", (0, (1, 1))),
    "paper": ("paper", (0, (4, 1, 1, 1))),
}


def draw(panels, scaling, look):
    """Above: α* per rule; below: η*/Δμ·T for all lengths on `gated` and on `counting`, the bounds beneath."""
    points, steps = panels["thresholds"], panels["one_step"]
    aggregations = list(dict.fromkeys(points.aggregation))
    names = set(points.advantage)
    advantages = [
        n for n in dict.fromkeys(points.advantage) if not (SAME.get(n, "") is None and "reinforce" in names)
    ]
    labels = {name: (SAME.get(name) or name) if {"rloo", "dr_grpo"} <= names else name for name in advantages}
    colours = dict(zip(advantages, style.palette(len(advantages)), strict=True))
    lengths = sorted(points.length.unique())
    shown = lengths[len(lengths) // 2]
    figure = plt.figure(figsize=(look.page_width, look.page_width * 0.68))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    row = top.subplots(1, len(aggregations), sharey=False, squeeze=False)[0]
    slopes = scaling.set_index(["family", "advantage", "aggregation", "axis"]) if len(scaling) else None
    for j, (panel, aggregation) in enumerate(zip(row, aggregations, strict=True)):
        here = points[(points.aggregation == aggregation) & (points.length == shown)]
        for k, advantage in enumerate(advantages):
            line = here[here.advantage == advantage].sort_values("failure_rate")
            panel.loglog(line.failure_rate, line.critical_closed_form, **style.CLOSED_FORM)
            panel.loglog(
                line.failure_rate,
                line.critical,
                style.MARKERS[k],
                color=colours[advantage],
                markeredgecolor="white",
                markeredgewidth=0.3,
            )
            key = (line.family.iloc[0], advantage, aggregation, "failure_rate")
            if slopes is not None and key in slopes.index:
                first = line.iloc[0]
                panel.annotate(
                    f"{slopes.loc[key].measured:+.2f}".replace("+0.00", "0.00").replace("-0.00", "0.00"),
                    (first.failure_rate, first.critical),
                    xytext=(-3, 0),
                    textcoords="offset points",
                    va="center",
                    ha="right",
                    fontsize="x-small",
                )
        panel.set_xlim(points.failure_rate.min() / 8, points.failure_rate.max() * 1.6)
        panel.set_title(aggregation)
        style.letter(panel, "abcdefgh"[j])
        panel.set_xlabel("failure rate 1 − J at the start")
        if j == 0:
            panel.set_ylabel(f"critical learning rate α*\n(gated, T = {shown})")
    handles = [
        style.legend_entry(labels[name], marker=style.MARKERS[k], color=colours[name], linestyle="none")
        for k, name in enumerate(advantages)
    ]
    handles.append(style.legend_entry("closed form", **style.CLOSED_FORM))
    top.legend(handles=handles, loc="outside upper center", ncols=len(handles))

    row = bottom.subplots(1, 2, sharey=True)
    lengths = sorted(steps.length.unique())
    shades = dict(zip(lengths, style.palette(max(len(lengths), 7))[: len(lengths)], strict=True))
    marks = dict(zip(lengths, style.MARKERS, strict=False))
    for panel, family, mark in zip(row, ("gated", "counting"), "ef", strict=True):
        here = steps[steps.family == family]
        if here.empty:
            panel.set_visible(False)
            continue
        for name, (_, dash) in BOUNDS.items():
            column = f"bound_{name}_per_alignment_times_length"
            for k, length in enumerate(lengths):
                line = here[here.length == length].sort_values("failure_rate").dropna(subset=[column])
                if name in ("prop2", "prop3") and k not in (0, len(lengths) - 1):
                    continue
                panel.loglog(
                    line.failure_rate, line[column], linestyle=dash, color="0.45", linewidth=0.7, zorder=1
                )
        for length in lengths:
            line = here[here.length == length]
            panel.loglog(
                line.failure_rate,
                line.step_per_alignment_times_length,
                marks[length],
                color=shades[length],
                markeredgecolor="white",
                markeredgewidth=0.3,
            )
        scale = here.step_per_alignment_times_length / here.failure_rate
        if family == "counting":
            factor, law = 8.0, "8 (1 − J)"
            grid = np.geomspace(here.failure_rate.min(), here.failure_rate.max(), 100)
            panel.loglog(grid, factor * grid, **style.PREDICTED)
        else:
            factor = float(np.exp(np.log(scale / (1 - here.failure_rate)).mean()))
            law = f"{factor:.0f} J (1 − J)"
            grid = np.geomspace(here.failure_rate.min(), here.failure_rate.max(), 100)
            panel.loglog(grid, factor * grid * (1 - grid), **style.PREDICTED)
        panel.text(0.03, 0.95, f"dashed: {law}", transform=panel.transAxes, va="top", fontsize="small")
        panel.set_title(family)
        style.letter(panel, mark)
        panel.set_xlabel("failure rate 1 − J at the start")
    row[0].set_ylabel("one-step critical step × T / alignment\nη* T / Δμ (tokens)")
    handles = [
        style.legend_entry(f"T = {length}", marker=marks[length], color=shades[length], linestyle="none")
        for length in lengths
    ]
    handles += [
        style.legend_entry(label, linestyle=dash, color="0.45", linewidth=0.7)
        for label, dash in BOUNDS.values()
    ]
    bottom.legend(handles=handles, loc="outside right center")
    return figure
