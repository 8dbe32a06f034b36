"""Heat maps of the gain over length × step size and failure rate × step size, a column a rule."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style


def _edges(centres):
    logs = np.log(np.sort(np.unique(centres)))
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]]]))


def draw(panels, scaling, look):
    """Colour is the share of the possible gain that was gained; lines are the measured and predicted thresholds."""
    cells, thresholds = panels["cells"], panels["thresholds"]
    cells = cells[cells.family == cells.family.iloc[0]]
    thresholds = thresholds[thresholds.family == thresholds.family.iloc[0]]
    rules = list(dict.fromkeys(cells.rule))
    lengths, failures = np.sort(cells.length.unique()), np.sort(cells.failure_rate.unique())
    shown = {"failure_rate": failures[len(failures) // 2], "length": lengths[len(lengths) // 2]}
    figure, axes = plt.subplots(
        2,
        len(rules),
        figsize=(look.page_width, look.page_width * 0.58),
        sharey=True,
        sharex="row",
        squeeze=False,
    )
    for j, rule in enumerate(rules):
        for i, (x, other) in enumerate((("length", "failure_rate"), ("failure_rate", "length"))):
            panel = axes[i, j]
            here = cells[(cells.rule == rule) & (cells[other] == shown[other])]
            grid = here.pivot_table(index="step_size", columns=x, values="gain")
            image = panel.pcolormesh(
                _edges(grid.columns),
                _edges(grid.index),
                grid.to_numpy(),
                cmap="cividis",
                vmin=-0.5,
                vmax=1,
                rasterized=True,
            )
            line = thresholds[(thresholds.rule == rule) & (thresholds[other] == shown[other])].sort_values(x)
            panel.plot(line[x], line.critical_closed_form, color="white", linewidth=1.6, zorder=2)
            panel.plot(line[x], line.critical_closed_form, color="black", linewidth=0.8, zorder=3)
            panel.plot(
                line[x],
                line.critical,
                "o",
                color="white",
                markeredgecolor="black",
                markeredgewidth=0.6,
                zorder=4,
            )
            panel.set_xscale("log")
            panel.set_yscale("log")
            style.head(panel, "abcdefghijklmnop"[i * len(rules) + j], rule)
            panel.set_xlabel(
                "response length T (tokens)" if x == "length" else "failure rate 1 − J at the start"
            )
        axes[0, j].set_ylim(_edges(cells.step_size)[0], _edges(cells.step_size)[-1])
    axes[0, 0].set_ylabel(f"step size α\n(1 − J = {shown['failure_rate']:g})")
    axes[1, 0].set_ylabel(f"step size α\n(T = {shown['length']:g} tokens)")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01, extend="min")
    bar.set_label("share of the possible gain\n$(J − J_0) / (J_{max} − J_0)$")
    bar.set_ticks([-0.5, 0, 0.5, 1], labels=["−0.5", "0 (start)", "0.5", "1 (best)"])
    handles = [
        style.legend_entry(
            "threshold, measured", marker="o", color="white", markeredgecolor="black", linestyle="none"
        ),
        style.legend_entry("threshold, closed form", color="black"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure
