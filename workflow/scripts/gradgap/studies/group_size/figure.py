"""Half-kept learning rates against failing responses a group, and the exponent in 1 − J that they make."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ...report import style

RULE = ["advantage", "aggregation"]
SAMPLED = ["half_kept_learning_rate", "half_kept_learning_rate_low", "half_kept_learning_rate_high"]
EXPONENT = ["failures", "exponent", "low", "high", "predicted"]
#: Columns drawn, so that a panel without rows, which the numbers leave out, has them too.
PANELS = {
    "thresholds": [
        "label",
        "length",
        "failure_rate",
        "group_size",
        "failures",
        *SAMPLED,
        "half_kept_learning_rate_predicted",
        "half_kept_learning_rate_exact",
    ],
    "crossings": ["limit", "exact", "exact_low", "exact_high", "predicted"],
    "exponents": ["group_size", *EXPONENT],
    "exponents_by_failures": EXPONENT,
}


def _interval(panel, x, y, low, high, **look):
    panel.errorbar(x, y, yerr=[np.maximum(y - low, 0), np.maximum(high - y, 0)], elinewidth=0.6, **look)


def draw(panels, scaling, look):
    """Above: all group sizes on one curve, a panel an advantage; below: exponents against n and n(1−J)."""
    points, crossings, by_size, by_failures = (
        panels.get(name, pd.DataFrame()).reindex(columns=[*RULE, *columns])
        for name, columns in PANELS.items()
    )
    rules = list(points[["advantage", "aggregation"]].drop_duplicates().itertuples(index=False, name=None))
    labels = dict(zip(points.advantage, points.label, strict=True))
    alone = len({aggregation for _, aggregation in rules}) == 1
    names = {rule: labels[rule[0]] if alone else f"{labels[rule[0]]}, {rule[1]}" for rule in rules}
    colours = dict(zip(rules, style.palette(len(rules)), strict=True))
    marks = dict(zip(rules, style.MARKERS, strict=False))
    sizes = sorted(points.group_size.unique())
    shades = dict(zip(sizes, plt.get_cmap("viridis")(np.linspace(0, 0.92, len(sizes))), strict=True))
    figure = plt.figure(figsize=(look.page_width, look.page_width * 0.66))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.1])

    row = top.subplots(1, len(rules), squeeze=False, sharex=True, sharey=True)[0]
    for j, (panel, rule) in enumerate(zip(row, rules, strict=True)):
        here = points[(points.advantage == rule[0]) & (points.aggregation == rule[1])]
        found = crossings[(crossings.advantage == rule[0]) & (crossings.aggregation == rule[1])].iloc[0]
        limit = 0.0 if np.isnan(found.limit) else found.limit
        scale = (here.length / here.failure_rate**limit).to_numpy()
        for size in sizes:
            own = (here.group_size == size).to_numpy()
            x, factor = here.failures[own], scale[own]
            _interval(
                panel,
                x,
                here.half_kept_learning_rate[own] * factor,
                here.half_kept_learning_rate_low[own] * factor,
                here.half_kept_learning_rate_high[own] * factor,
                fmt="o",
                color=shades[size],
                markersize=2.4,
                zorder=2,
            )
            panel.plot(
                x,
                here.half_kept_learning_rate_predicted[own] * factor,
                **{**style.PREDICTED, "linestyle": "-"},
            )
        panel.axhline(
            (here.half_kept_learning_rate_exact * scale).median(),
            color="0.5",
            linewidth=0.7,
            linestyle=(0, (1, 1)),
        )
        panel.axvline(found.predicted, **style.PREDICTED)
        panel.set_xscale("log")
        panel.set_yscale("log")
        power = "" if limit == 0 else " / √(1 − J)" if limit == 0.5 else f" / (1 − J)^{limit:.2g}"
        panel.set_title(f"{names[rule]}: α½ T{power}")
        style.letter(panel, style.LETTERS[j])
    style.decades(row[0].xaxis)
    style.decades(row[0].yaxis)
    top.supxlabel("failing responses a group n (1 − J)", fontsize=plt.rcParams["axes.labelsize"])
    row[0].set_ylabel("half-kept learning rate α½\nin units of its exact law (tokens)")
    ends = [size for size in sizes if size in (sizes[0], sizes[len(sizes) // 2], sizes[-1])]
    handles = [
        style.legend_entry(f"n = {size:.0f}", marker="o", color=shades[size], ls="none") for size in ends
    ]
    handles.append(style.legend_entry("predicted", **{**style.PREDICTED, "linestyle": "-"}))
    handles.append(style.legend_entry("predicted crossover", **style.PREDICTED))
    handles.append(style.legend_entry("exact limit", color="0.5", linewidth=0.7, linestyle=(0, (1, 1))))
    top.legend(handles=handles, loc="outside upper center", ncols=len(handles))

    row = bottom.subplots(1, 2, sharey=True)
    for panel, table, column, text in (
        (row[0], by_size, "group_size", "group size n (responses)"),
        (row[1], by_failures, "failures", "failing responses a group n (1 − J)"),
    ):
        for k, rule in enumerate(rules):
            here = table[(table.advantage == rule[0]) & (table.aggregation == rule[1])]
            shift = 1.04 ** (k - (len(rules) - 1) / 2)  # so that intervals do not hide one another
            _interval(
                panel,
                here[column] * shift,
                here.exponent,
                here.low,
                here.high,
                fmt=marks[rule],
                color=colours[rule],
            )
            panel.plot(here[column], here.predicted, color=colours[rule], linewidth=0.8, zorder=1)
        panel.set_xscale("log")
        panel.set_xlabel(text)
        for level in sorted({1.0, *crossings.limit.dropna()}):
            panel.axhline(level, color="0.5", linewidth=0.7, linestyle=(0, (1, 1)), zorder=0)
    for rule in rules:
        found = crossings[(crossings.advantage == rule[0]) & (crossings.aggregation == rule[1])].iloc[0]
        row[1].axvline(found.predicted, **{**style.PREDICTED, "color": colours[rule]})
        # the exact dynamics, a little to the right of all groups
        _interval(
            row[0],
            np.array([4 * max(sizes) * 1.1 ** rules.index(rule)]),
            np.array([found.exact]),
            np.array([found.exact_low]),
            np.array([found.exact_high]),
            fmt=marks[rule],
            color=colours[rule],
            markerfacecolor="white",
        )
    row[0].text(
        4 * max(sizes) * 1.1 ** (len(rules) / 2),
        0.98,
        "n → ∞",
        transform=row[0].get_xaxis_transform(),
        ha="center",
        va="top",
    )
    row[0].set_ylabel("exponent of α½ in 1 − J at fixed n")
    for panel, mark in zip(row, style.LETTERS[len(rules) :], strict=False):
        style.letter(panel, mark)
    handles = [style.legend_entry(names[r], marker=marks[r], color=colours[r], linewidth=0.8) for r in rules]
    handles.append(style.legend_entry("limits", color="0.5", linewidth=0.7, linestyle=(0, (1, 1))))
    bottom.legend(handles=handles, loc="outside right center", title="marks measured,\nlines predicted")
    return figure
