"""Success and prompts lost against the step; thresholds; learning curves; a decaying step."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style
from ...training import rules

STEP = "effective_step_size"
STEP_LABEL = "effective step size α / divisor"
SCHEDULES = {"constant": "fixed step", "inverse-sqrt": "step ∝ 1/√(k+1)", "failure-rate": "step ∝ 1 − J"}
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
#: How far from its last mark the slope of a rule is written, in points: rules that agree do not overlap.
_NOTE = {"REINFORCE": 4, "RLOO": -4, "GRPO": -7, "DAPO": 1, "Dr. GRPO": 2}


def _table(panels, name, *values):
    """A table whose values and their ends are columns, even where nothing is known of them."""
    ends = [f"{value}{end}" for value in values for end in ("", "_low", "_high")]
    table = panels[name]
    return table.reindex(columns=table.columns.union(ends, sort=False))


def _line(panel, table, name, colour, **look):
    """Means against the step, with a band where there is one."""
    table = table.sort_values(STEP)
    panel.plot(table[STEP], table[name], color=colour, markersize=2.5, **look)
    panel.fill_between(
        table[STEP], table[f"{name}_low"], table[f"{name}_high"], color=colour, alpha=0.2, linewidth=0
    )


def _series(panels, sampled, exact, values, axis, symbol):
    """One line a value of an axis, in a panel of success and one of prompts lost, and the exact dynamics."""
    shades = plt.get_cmap("viridis")(np.linspace(0.85, 0.1, len(values)))
    for shade, mark, value in zip(shades, style.MARKERS, values, strict=False):
        here = sampled[sampled[axis] == value]
        for panel, name in zip(panels, ("success", "lost"), strict=True):
            _line(panel, here, name, shade, marker=mark, label=f"{symbol} = {value:g}")
    for panel, name in zip(panels, ("success", "lost"), strict=True):
        panel.plot(exact[STEP], exact[name], **style.CLOSED_FORM | {"zorder": 4})


def draw(panels, scaling, look):
    """Rows: rules; group sizes and learning curves; lengths and schedules."""
    sampled, exact = (_table(panels, name, "success", "lost") for name in ("sampled", "exact"))
    curves = panels["curves"]
    names = list(dict.fromkeys(sampled.rule))
    colours = dict(zip(names, style.palette(len(names)), strict=True))
    marks = dict(zip(names, style.MARKERS, strict=False))
    lengths, sizes = sorted(sampled.length.unique()), sorted(sampled.group_size.unique())
    schedules = list(dict.fromkeys(sampled.schedule))
    length, size = lengths[(len(lengths) - 1) // 2], curves.group_size.iloc[0]
    size = size if size in sizes else sizes[len(sizes) // 2]
    one = "GRPO" if "GRPO" in names else names[0]
    start = sampled.success_rate.iloc[0]
    sampled, exact, curves = (table[table.success_rate == start] for table in (sampled, exact, curves))
    figure, axes = plt.subplots(3, 3, figsize=(look.page_width, look.page_width * 0.98))

    fixed = sampled[sampled.schedule == schedules[0]]
    here = fixed[(fixed.length == length) & (fixed.group_size == size)]
    for name in names:
        for panel, value in zip(axes[0], ("success", "lost"), strict=False):
            shape = {"marker": marks[name], "markeredgecolor": "white", "markeredgewidth": 0.3}
            _line(panel, here[here.rule == name], value, colours[name], **shape)
    for panel in axes[0, :2]:
        panel.set_title(f"T = {length:g}, n = {size:g}")
    _thresholds(axes[0, 2], panels, scaling, names, colours, marks, size, start)

    own = fixed[(fixed.rule == one) & (fixed.length == length)]
    whole = exact[
        (exact.schedule == schedules[0]) & (exact.rule == one) & (exact.length == length)
    ].sort_values(STEP)
    _series(axes[1, :2], own, whole, sizes, "group_size", "n")
    own = fixed[(fixed.rule == one) & (fixed.group_size == size)]
    _series(axes[2, :2], own, whole[:0], lengths, "length", "T")
    for row, title in ((1, f"{one}, T = {length:g}"), (2, f"{one}, n = {size:g}")):
        for panel in axes[row, :2]:
            panel.set_title(title)
        axes[row, 0].legend(loc="upper right", handlelength=1.4, handletextpad=0.4, borderaxespad=0.2)

    _curves(axes[1, 2], curves[(curves.rule == one) & (curves.length == length)])
    axes[1, 2].set_title(f"{one}, T = {length:g}, n = {curves.group_size.iloc[0]:g}")

    shades = style.palette(len(schedules))
    own = sampled[(sampled.rule == one) & (sampled.length == length) & (sampled.group_size == size)]
    for dash, mark, shade, schedule in zip(DASHES, style.MARKERS, shades, schedules, strict=False):
        line = own[own.schedule == schedule]
        label = SCHEDULES.get(schedule, schedule)
        _line(axes[2, 2], line, "success", shade, linestyle=dash, marker=mark, label=label)
        _line(axes[2, 2], line, "lost", shade, linestyle=dash, marker=mark, markerfacecolor="none")
    axes[2, 2].legend(
        loc="lower left", bbox_to_anchor=(0, 0.08), handlelength=1.2, handletextpad=0.3, fontsize="x-small"
    )
    axes[2, 2].set_title(f"{one}, T = {length:g}, n = {size:g}")

    for panel, mark in zip(axes.flat, "abcdefghi", strict=True):
        style.letter(panel, mark)
    for i, j in np.ndindex(3, 3):
        panel = axes[i, j]
        if (i, j) == (0, 2):
            continue
        panel.set_ylim(-0.03, 1.03)
        panel.set_xscale("log")
        if (i, j) != (1, 2):
            panel.set_xlabel(STEP_LABEL)
        if j != 1:
            panel.axhline(start, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
        panel.set_ylabel(("final success rate J", "share of prompts lost", "success rate J")[j])
    axes[2, 2].set_ylabel("final success rate J (filled),\nshare of prompts lost (open)")
    handles = [style.legend_entry(name, marker=marks[name], color=colours[name]) for name in names]
    handles += [
        style.legend_entry("exact dynamics", **style.CLOSED_FORM),
        style.legend_entry("predicted slope", **style.PREDICTED),
        style.legend_entry("start", color="0.6", linewidth=0.8, linestyle=(0, (1, 1))),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _thresholds(panel, panels, scaling, names, colours, marks, size, start):
    """Critical learning rate against length: marks sampled, lines exact, dashed the predicted slope."""
    slopes = scaling.set_index(["advantage", "aggregation"]) if len(scaling) else None
    sampled, exact = (
        _table(panels, name, "critical").dropna(subset=["critical"])
        for name in ("thresholds", "exact_thresholds")
    )
    sampled, exact = (
        table[(table.success_rate == start) & (table.schedule == "constant")] for table in (sampled, exact)
    )
    sampled = sampled[sampled.group_size == size]
    panel.set_xscale("log")
    panel.set_yscale("log")
    for k, name in enumerate(names):
        line = sampled[sampled.rule == name].sort_values("length")
        whole = exact[exact.rule == name].sort_values("length")
        panel.loglog(whole.length, whole.critical, **style.CLOSED_FORM)
        if line.empty:
            continue
        spread = np.abs(line[["critical_low", "critical_high"]].to_numpy().T - line.critical.to_numpy())
        aside = line.length * 1.06 ** (k - (len(names) - 1) / 2)  # rules that agree stand side by side
        panel.errorbar(
            aside, line.critical, spread, fmt=marks[name], color=colours[name], elinewidth=0.7, capsize=1.2
        )
        found = (
            None if slopes is None or rules.rule(name) not in slopes.index else slopes.loc[rules.rule(name)]
        )
        if found is not None:
            base = whole if len(whole) else line
            law = base.critical.iloc[0] * (base.length / base.length.iloc[0]) ** found.predicted
            panel.plot(base.length, law, **style.PREDICTED)
            panel.annotate(
                style.signed(found.measured, 2),
                (line.length.iloc[-1], line.critical.iloc[-1]),
                xytext=(8, _NOTE.get(name, 0)),
                textcoords="offset points",
                va="center",
                fontsize="x-small",
                color=colours[name],
            )
    panel.set_xlim(panels["sampled"].length.min() / 1.5, panels["sampled"].length.max() * 5)
    panel.set_xlabel("response length T (tokens)")
    panel.set_ylabel("critical learning rate α*")
    panel.set_title(f"n = {size:g}")


def _curves(panel, curves):
    """Learning curves, one a step, with bands over replicates."""
    steps = sorted(curves.curve_step_size.unique())
    shades = plt.get_cmap("viridis")(np.linspace(0.1, 0.85, len(steps)))
    for shade, dash, step in zip(shades, DASHES * len(steps), steps, strict=False):
        line = curves[curves.curve_step_size == step].sort_values("iteration")
        panel.plot(line.iteration, line.success, color=shade, linestyle=dash, label=f"{step:.3g}")
        panel.fill_between(line.iteration, line.low, line.high, color=shade, alpha=0.2, linewidth=0)
    panel.set_xlabel("updates k")
    panel.legend(title=STEP_LABEL, loc="upper left")
