"""Where the closed form of the critical learning rate holds for all starts: measured and safe over it, by window."""

import math

import matplotlib.pyplot as plt

from ...report import style

SHADE = {"color": "0.9", "linewidth": 0, "zorder": 0}
#: Ratios below this are not shown: at the widest windows the closed form is millions of times too large.
LEAST = 1e-4
SAFE = {"linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 2}


def draw(panels, scaling, look):
    """A panel a rule: marks measured, dashed the safe bound, both over the closed form; shaded where it is global."""
    points = panels["reach"]
    rules = list(dict.fromkeys(points.label))[::-1]  # REINFORCE first
    lengths = sorted(points.length.unique())
    colours = dict(zip(lengths, style.shades(len(lengths)), strict=True))
    figure, axes = plt.subplots(
        1, len(rules), figsize=(look.page_width, look.page_width * 0.42), sharey=True, squeeze=False
    )
    for mark, panel, rule in zip(style.LETTERS, axes[0], rules, strict=False):
        here = points[points.label == rule]
        panel.set_yscale("log")
        edge = _edge(here, rule)
        panel.axvspan(0, edge, **SHADE)
        panel.axhline(1, **style.CLOSED_FORM)
        for k, length in enumerate(lengths):
            line = here[here.length == length]
            panel.plot(line.width, line.safe_ratio, color=colours[length], **SAFE)
            look_of = style.MARK | {"markersize": 4.0 - 0.3 * k, "color": colours[length]}
            panel.plot(line.width, line.measured_ratio, marker=style.MARKERS[k], **look_of)
        panel.set_xlim(0, points.width.max() * 1.04)
        panel.set_xlabel("width of the window, (2B + 1)/√(T + 1)")
        style.head(panel, mark, f"{rule}, token sums")
    axes[0][0].set_ylim(max(LEAST, 0.5 * points.safe_ratio.min()), 3)
    axes[0][0].set_ylabel("learning rate / closed form α*")
    style.decades(axes[0][0].yaxis)
    handles = [
        style.legend_entry(f"T = {length}", marker=style.MARKERS[k], color=colours[length], linestyle="none")
        for k, length in enumerate(lengths)
    ]
    handles += [
        style.legend_entry("closed form", **style.CLOSED_FORM),
        style.legend_entry("safe bound min 2θ/F", color="0.3", **SAFE),
        plt.Rectangle((0, 0), 1, 1, facecolor=SHADE["color"], label="closed form global"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _edge(here, rule):
    """Width up to which the closed form is global: √3 by theorem, and for GRPO the widest before any local one."""
    if rule == "REINFORCE":
        return math.sqrt(3)
    local = here.width[here.word == "local"]
    below = here.width[(here.word == "global") & (here.width < (local.min() if len(local) else math.inf))]
    return below.max() if len(below) else 0
