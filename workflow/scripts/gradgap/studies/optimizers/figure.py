"""Rules under plain ascent and under Adam side by side, the collapse of sampled Adam, and optimizers one by one."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ...report import style

POINT = ["length", "failure_rate", "rate"]
SAMPLED = [*POINT, "rate_low", "rate_high"]
#: Columns drawn, so that a panel without rows has them too.
PANELS = {
    "rules": ["optimizer", "rule", *SAMPLED],
    "spread": ["optimizer", "length", "rate"],
    "groups": ["beta2", "group_size", "failures", "scaled", "scaled_low", "scaled_high"],
    "mixed_groups": ["failures", "scaled", "scaled_low", "scaled_high"],
    "formula": ["beta2", "failures", "scaled"],
    "lengths": ["optimizer", *POINT],
    "failure_rates": ["optimizer", *POINT],
    "momenta": ["momentum", "factor", "local"],
}


LABELS = {"length": "response length T (tokens)", "failure_rate": "failure rate 1 − J"}


def marks(panel, points, x, y, **look):
    """Marks with their intervals."""
    low, high = points[f"{y}_low"], points[f"{y}_high"]
    spread = [np.maximum(points[y] - low, 0), np.maximum(high - points[y], 0)]
    panel.errorbar(points[x], points[y], yerr=spread, elinewidth=0.6, linewidth=0.7, **look)


def logarithmic(panel, title, letter, x_label):
    """Logarithmic axes, a title, a label and the letter of the panel."""
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_title(title)
    panel.set_xlabel(x_label)
    style.letter(panel, letter)


def rules(panels, points, spread, letters, place):
    """Half-kept learning rates of every rule: plain ascent left, Adam right, on one scale.

    `place` is where the note on rules far apart stands: where no line runs, between rules that know no length and
    those that do.
    """
    names = list(dict.fromkeys(points.rule))
    colours = style.palette(len(names))
    titles = {"sgd": "sampled rules, plain ascent", "adam": "sampled rules, Adam"}
    for panel, (optimizer, title), letter in zip(panels, titles.items(), letters, strict=True):
        for k, name in enumerate(names):
            here = points[(points.rule == name) & (points.optimizer == optimizer)].sort_values("length")
            # nearly the same under Adam: marks beside one another
            here = here.assign(length=here.length * 1.07 ** (k - (len(names) - 1) / 2))
            marks(panel, here, "length", "rate", marker=style.MARKERS[k], color=colours[k])
        own = spread[spread.optimizer == optimizer].rate.dropna()
        if len(own):
            far = own.max() > 10
            factor = f"{float(f'{own.max():.2g}'):,.0f}".replace(",", " ") if far else f"{own.max():.1f}"
            note = f"rules up to a factor\n{factor} apart"
            panel.text(
                *(place if far else (0.05, 0.95)),
                note,
                transform=panel.transAxes,
                va="top",
                fontweight="bold",
            )
        logarithmic(panel, title, letter, LABELS["length"])
    panels[0].set_ylabel("half-kept learning rate α½")
    handles = [
        style.legend_entry(name, marker=style.MARKERS[k], color=colours[k], linewidth=0.7)
        for k, name in enumerate(names)
    ]
    panels[1].legend(handles=handles, loc="center right")


def _collapse(panel, points, mixed, formula):
    """All group sizes and failure rates on one curve for each β2."""
    decays = sorted(points.beta2.unique(), reverse=True)
    sizes = sorted(points.group_size.unique())
    shades = dict(zip(sizes, style.shades(len(sizes)), strict=True))
    handles = []
    for beta2, marker, dashes in zip(decays, ["o", "s", "^", "D"], ["-", "--", ":", "-."], strict=False):
        own = points[points.beta2 == beta2]
        for size in sizes:
            here = own[own.group_size == size]
            look = {"marker": marker, "linestyle": "none", "color": shades[size]}
            marks(
                panel, here, "failures", "scaled", markerfacecolor="none" if marker == "s" else None, **look
            )
        line = {**style.PREDICTED, "linestyle": dashes}
        curve = formula[formula.beta2 == beta2]
        panel.plot(curve.failures, curve.scaled, **line)
        face = "none" if marker == "s" else "0.4"
        handles.append(
            style.legend_entry(
                f"β2 = {beta2:g}", **line, marker=marker, markerfacecolor=face, markeredgecolor="0.4"
            )
        )
    marks(panel, mixed, "failures", "scaled", marker="x", color="0.35", linestyle="none")
    handles.append(style.legend_entry("mixed groups only", marker="x", color="0.35", linestyle="none"))
    logarithmic(panel, "sampled Adam: one curve", "c", "failures a group n(1 − J)")
    panel.set_ylabel("α½√N/2 (standard deviations)")
    panel.legend(handles=handles, loc="lower right", title=f"n = {sizes[0]:g} (dark) to {sizes[-1]:g}")


def optimizers(panel, points, family, axis, scaling, letter):
    """Exact dynamics of a family: each optimizer against an axis, with its slope written in the legend."""
    names = list(dict.fromkeys(points.optimizer))
    colours = style.palette(len(names))
    exact = scaling[scaling.advantage.astype(str).str.endswith(", exact") & (scaling.axis == axis)]
    slopes = exact[exact.family == family].set_index("optimizer").measured
    handles = []
    for k, name in enumerate(names):
        here = points[points.optimizer == name].sort_values(axis)
        look = {"marker": style.MARKERS[k], "color": colours[k], "linewidth": 0.7}
        panel.plot(here[axis], here.rate, **look)
        slope = f" {style.signed(slopes[name], 2)}" if name in slopes else ""
        handles.append(style.legend_entry(f"{name}{slope}", **look))
    logarithmic(panel, f"exact, {family}", letter, LABELS[axis])
    panel.legend(
        handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), title="slope", handlelength=1.2
    )


def _momentum(panel, momenta):
    """α½ of the heavy ball from a real start, beside its threshold at the best θ."""
    panel.plot(momenta.momentum, momenta.factor, marker="o", linestyle="none", color="0.3")
    panel.plot(momenta.momentum, momenta.local, **style.PREDICTED)
    panel.set_ylim(0, None)
    panel.set_title("momentum")
    panel.set_xlabel("momentum β")
    panel.set_ylabel("over α* of plain ascent")
    style.letter(panel, "f")
    handles = [
        style.legend_entry("α½, from the start", marker="o", linestyle="none", color="0.3"),
        style.legend_entry("at the best θ", **style.PREDICTED),
    ]
    panel.legend(handles=handles, loc="lower left")


def draw(panels, scaling, look):
    """Above: rules under plain ascent and Adam, and the collapse; below: optimizers in exact dynamics."""
    tables = {
        name: panels.get(name, pd.DataFrame()).reindex(columns=columns) for name, columns in PANELS.items()
    }
    figure = plt.figure(figsize=(look.page_width, look.page_width * 0.68))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    grid = top.add_gridspec(1, 3)
    first = top.add_subplot(grid[0])
    second = top.add_subplot(grid[1], sharey=first, sharex=first)
    rules((first, second), tables["rules"], tables["spread"], "ab", (0.3, 0.62))
    _collapse(top.add_subplot(grid[2]), tables["groups"], tables["mixed_groups"], tables["formula"])
    row = bottom.subplots(1, 3)
    optimizers(row[0], tables["lengths"], "counting", "length", scaling, "d")
    optimizers(row[1], tables["failure_rates"], "gated", "failure_rate", scaling, "e")
    row[0].set_ylabel("half-kept learning rate α½")
    _momentum(row[2], tables["momenta"])
    return figure
