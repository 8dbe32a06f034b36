"""Half-kept learning rates against response length, one panel for each group size: a row of the figure of lengths."""

import numpy as np

from ...report import style

EXACT = {"color": "0.4", "linewidth": 0.7, "linestyle": (0, (1, 1)), "zorder": 1}


def draw(figure, points, scaling, letters):
    """Marks measured, with intervals; dotted, the same crossing of the exact dynamics; slopes written beside."""
    sizes = sorted(points.group_size.unique())
    names = list(dict.fromkeys(points.rule))
    colours = dict(zip(names, style.palette(len(names)), strict=True))
    slopes = scaling.set_index(["advantage", "aggregation"]) if len(scaling) else None
    row = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for panel, size, mark in zip(row, sizes, letters, strict=False):
        notes = []
        for k, name in enumerate(names):
            line = points[(points.rule == name) & (points.group_size == size)].sort_values("length")
            rate, low, high = (
                line.half_kept_learning_rate,
                line.half_kept_learning_rate_low,
                line.half_kept_learning_rate_high,
            )
            panel.loglog(line.length, line.half_kept_learning_rate_exact, **EXACT)
            panel.errorbar(
                line.length * 1.06 ** (k - (len(names) - 1) / 2),  # so that marks do not hide one another
                rate,
                yerr=[np.maximum(rate - low, 0), np.maximum(high - rate, 0)],
                fmt=style.MARKERS[k],
                color=colours[name],
                elinewidth=0.6,
            )
            label = line[["advantage", "aggregation"]].iloc[0]
            key = (f"{label.advantage}, n = {size:.0f}", label.aggregation)
            if slopes is not None and key in slopes.index:
                notes.append((rate.iloc[-1], f"{name} {style.signed(slopes.loc[key].measured, 3)}"))
        panel.set_xlim(points.length.min() / 1.5, points.length.max() * 1.5)
        if notes:
            text = "slopes\n" + "\n".join(note for _, note in notes)
            panel.text(1.02, 0.5, text, transform=panel.transAxes, va="center", fontsize=style.SMALLEST)
        panel.set_title(f"counting, sampled groups of n = {size:.0f}")
        panel.set_xlabel("response length T (tokens)")
        style.letter(panel, mark)
    row[0].set_ylabel("half-kept learning rate α½")
    handles = [
        style.legend_entry(name, marker=style.MARKERS[k], color=colours[name], linestyle="none")
        for k, name in enumerate(names)
    ]
    handles.append(style.legend_entry("exact dynamics, many starts", **EXACT))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
