"""Success and prompts lost against the step, sampled beside exact; learning curves; thresholds; a decaying step."""

import matplotlib.pyplot as plt
import numpy as np

from .. import rules, style

STEP = "effective_step_size"
STEP_LABEL = "effective step size α / divisor"
SCHEDULES = {"constant": "fixed step", "inverse-sqrt": "step ∝ 1/√(k+1)", "failure-rate": "step ∝ 1 − J"}


def _band(panel, x, line, name, colour, **look):
    panel.plot(x, line[name], color=colour, **look)
    panel.fill_between(x, line[f"{name}_low"], line[f"{name}_high"], color=colour, alpha=0.2, linewidth=0)


def draw(panels, scaling, look):
    """Six panels; the first three and the last at one length, that of the middle of the grid."""
    sampled, exact, curves, thresholds = (panels[name] for name in ("sampled", "exact", "curves", "thresholds"))
    names = list(dict.fromkeys(sampled.rule))
    colours = dict(zip(names, style.palette(len(names)), strict=True))
    marks = dict(zip(names, style.MARKERS, strict=False))
    lengths, sizes = sorted(sampled.length.unique()), sorted(sampled.group_size.unique())
    length, size = lengths[(len(lengths) - 1) // 2], curves.group_size.iloc[0]
    size = size if size in sizes else sizes[len(sizes) // 2]
    one = "GRPO" if "GRPO" in names else names[0]
    sampled, exact, curves, thresholds = (
        table[table.success_rate == table.success_rate.iloc[0]] for table in (sampled, exact, curves, thresholds)
    )
    start = sampled.success_rate.iloc[0]
    schedules = list(dict.fromkeys(sampled.schedule))
    figure, axes = plt.subplots(2, 3, figsize=(look.page_width, look.page_width * 0.66))
    (a, b, c), (d, e, f) = axes

    here = sampled[(sampled.length == length) & (sampled.group_size == size) & (sampled.schedule == schedules[0])]
    for name in names:
        line = here[here.rule == name].sort_values(STEP)
        look_of = {"marker": marks[name], "markeredgecolor": "white", "markeredgewidth": 0.3}
        _band(a, line[STEP], line, "success", colours[name], **look_of)
        _band(b, line[STEP], line, "lost", colours[name], **look_of)
    a.set_ylabel("final success rate J")
    b.set_ylabel("share of prompts lost")
    for panel in (a, b):
        panel.set_title(f"T = {length:g}, n = {size:g}")
    handles = [style.legend_entry(name, marker=marks[name], color=colours[name]) for name in names]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))

    shades = plt.get_cmap("viridis")(np.linspace(0.85, 0.15, len(sizes)))
    for shade, mark, n in zip(shades, style.MARKERS, sizes, strict=False):
        line = sampled[
            (sampled.length == length)
            & (sampled.group_size == n)
            & (sampled.schedule == schedules[0])
            & (sampled.rule == one)
        ].sort_values(STEP)
        _band(c, line[STEP], line, "success", shade, marker=mark, markersize=2.5, label=f"n = {n:g}")
    line = exact[(exact.length == length) & (exact.schedule == schedules[0]) & (exact.rule == one)].sort_values(STEP)
    c.plot(line[STEP], line.success, label="exact", **style.CLOSED_FORM | {"zorder": 4})
    c.legend(loc="lower left", handletextpad=0.4)
    c.set_title(f"{one}, T = {length:g}")
    c.set_ylabel("final success rate J")

    steps = sorted(curves.curve_step_size.unique())
    shades = plt.get_cmap("viridis")(np.linspace(0.1, 0.85, len(steps)))
    for shade, dash, step in zip(shades, ("-", (0, (4, 1.5)), (0, (1, 1))) * len(steps), steps, strict=False):
        line = curves[
            (curves.rule == one) & (curves.length == length) & (curves.curve_step_size == step)
        ].sort_values("iteration")
        d.plot(line.iteration, line.success, color=shade, linestyle=dash, label=f"{step:.3g}")
        d.fill_between(line.iteration, line.low, line.high, color=shade, alpha=0.2, linewidth=0)
    d.set_xscale("log")
    d.set_xlabel("updates k")
    d.set_ylabel("success rate J")
    d.set_title(f"{one}, T = {length:g}, n = {curves.group_size.iloc[0]:g}")
    d.legend(title=STEP_LABEL, loc="best")

    slopes = scaling.set_index(["advantage", "aggregation"]) if len(scaling) else None
    fixed = thresholds[(thresholds.schedule == schedules[0]) & (thresholds.group_size == size)]
    marked = panels["exact_thresholds"]
    for name in names:
        line = fixed[fixed.rule == name].sort_values("length")
        spread = np.abs(line[["critical_low", "critical_high"]].to_numpy().T - line.critical.to_numpy())
        hollow = {"markerfacecolor": "none"} if name == "DAPO" else {}
        e.errorbar(
            line.length, line.critical, spread, fmt=marks[name], color=colours[name], elinewidth=0.7, capsize=1.5, **hollow
        )
        whole = marked[(marked.rule == name) & (marked.schedule == schedules[0])].sort_values("length")
        e.plot(whole.length, whole.critical, **style.CLOSED_FORM)
        if slopes is not None and rules.rule(name) in slopes.index:
            last = line.iloc[-1]
            e.annotate(
                f"{slopes.loc[rules.rule(name)].measured:+.2f}",
                (last.length, last.critical),
                xytext=(5, {"DAPO": -4, "RLOO": -5, "REINFORCE": 3, "GRPO": -11, "Dr. GRPO": 3}.get(name, 0)),
                textcoords="offset points",
                va="center",
                fontsize="x-small",
                color=colours[name],
            )
    e.set_xscale("log")
    e.set_yscale("log")
    e.set_xlim(min(lengths) / 1.5, max(lengths) * 4)
    e.set_xlabel("response length T (tokens)")
    e.set_ylabel("critical learning rate α*")
    e.set_title(f"n = {size:g}")

    dashes = ("-", (0, (4, 1.5)), (0, (1, 1)))
    shades = style.palette(len(schedules))
    for dash, mark, shade, schedule in zip(dashes, style.MARKERS, shades, schedules, strict=False):
        line = sampled[
            (sampled.length == length)
            & (sampled.group_size == size)
            & (sampled.schedule == schedule)
            & (sampled.rule == one)
        ].sort_values(STEP)
        label = SCHEDULES.get(schedule, schedule)
        _band(f, line[STEP], line, "success", shade, linestyle=dash, marker=mark, label=label)
        _band(f, line[STEP], line, "lost", shade, linestyle=dash, marker=mark, markerfacecolor="none")
    f.legend(loc="center left", handletextpad=0.4)
    f.set_ylabel("final success rate J (filled)\nand share of prompts lost (open)")
    f.set_title(f"{one}, T = {length:g}, n = {size:g}")

    for panel, mark in zip((a, b, c, d, e, f), "abcdef", strict=True):
        style.letter(panel, mark)
        if panel is not e:
            panel.set_ylim(-0.03, 1.03)
        if panel in (a, c, d, f):
            panel.axhline(start, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
        if panel in (a, b, c, f):
            panel.set_xscale("log")
            panel.set_xlabel(STEP_LABEL)
    return figure
