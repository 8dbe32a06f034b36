"""Heat maps of the gain over response length × learning rate, a panel a rule."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

#: Of each axis of a heat map: its label, and how it is written in a law.
AXES = {"length": ("length T (tokens)", "T"), "failure_rate": ("1 − J at the start", "(1 − J)")}

#: How a measured threshold looks, and the law written in a panel.
MEASURED = {"color": "white", "markeredgecolor": "black", "markeredgewidth": 0.6}
LAW = {
    "ha": "center",
    "va": "top",
    "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
}


def _edges(centres):
    """Borders of the cells around values on a logarithmic grid."""
    logs = np.log(np.sort(np.unique(centres)))
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]]]))


def _law(symbol, exponent):
    """The predicted law in a few signs.

    >>> _law("T", -1.0), _law("(1 − J)", 0.5), _law("T", 0.0)
    ('α* ∝ 1/T', 'α* ∝ √(1 − J)', 'same α* at every T')
    """
    if exponent == 0:
        return f"same α* at every {symbol.strip('()')}"
    root = "√" if abs(exponent) == 0.5 else ""
    if abs(exponent) in (0.5, 1):
        return f"α* ∝ {'1/' if exponent < 0 else ''}{root}{symbol}"
    return f"α* ∝ {symbol} to the {style.signed(exponent, 2)}"


def heat_maps(panels, look, x):
    """A panel a rule; the other axis of the grid is held at its middle value.

    Parameters
    ----------
    panels : dict of DataFrame
        ``cells_by_length`` or ``cells_by_failure_rate``, and ``thresholds``, as the analysis makes them.
    look : Look
    x : str
        ``length`` or ``failure_rate``.

    Returns
    -------
    Figure
    """
    cells, thresholds = panels[f"cells_by_{x}"], panels["thresholds"]
    other = next(axis for axis in AXES if axis != x)
    first, held = cells.family.iloc[0], cells[other].iloc[0]
    thresholds = thresholds[(thresholds.family == first) & (thresholds[other] == held)]
    rules = list(dict.fromkeys(cells.rule))
    figure, axes = plt.subplots(
        1, len(rules), figsize=(look.page_width, look.page_width * 0.36), sharey=True, squeeze=False
    )
    label, symbol = AXES[x]
    for letter, panel, rule in zip(style.LETTERS, axes[0], rules, strict=False):
        grid = cells[cells.rule == rule].pivot_table(index="learning_rate", columns=x, values="gain")
        image = panel.pcolormesh(
            _edges(grid.columns),
            _edges(grid.index),
            grid.to_numpy(),
            cmap="cividis",
            vmin=-0.5,
            vmax=1,
            rasterized=True,
        )
        line = thresholds[thresholds.rule == rule].sort_values(x)
        for colour, width in (("white", 1.6), ("black", 0.8)):  # a white rim, to be seen on dark cells
            panel.plot(line[x], line.critical_learning_rate_closed_form, color=colour, linewidth=width)
        panel.plot(line[x], line.critical_learning_rate, "o", **MEASURED)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(_edges(cells.learning_rate)[0], _edges(cells.learning_rate)[-1])
        style.decades(panel.yaxis)
        exponent = line[f"predicted_exponent_{x}"].iloc[0]
        style.head(panel, letter, rule)
        panel.text(0.5, 0.96, _law(symbol, exponent), transform=panel.transAxes, **LAW)
        panel.set_xlabel(label)
    axes[0, 0].set_ylabel("learning rate α")
    bar = figure.colorbar(image, ax=axes, pad=0.01, extend="min")
    bar.set_label("share of the possible gain\n(J − J₀) / (Jₘₐₓ − J₀)")
    bar.set_ticks([-0.5, 0, 0.5, 1], labels=["−0.5", "0 (start)", "0.5", "1 (best)"])
    at = f"1 − J = {held:g}" if other == "failure_rate" else f"T = {held:g} tokens"
    handles = [
        style.legend_entry("critical learning rate α*, measured", **MEASURED, marker="o", linestyle="none"),
        style.legend_entry("closed form", color="black"),
        style.legend_entry(f"all panels: {first}, {at}", linestyle="none"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def draw(panels, scaling, look):
    """Colour is the share of the possible gain that was gained, over length and learning rate."""
    return heat_maps(panels, look, "length")
