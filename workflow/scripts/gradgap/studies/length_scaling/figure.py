"""Critical learning rate against response length, a row a family, a column an aggregation."""

import matplotlib.pyplot as plt

from ...report import style
from . import sampled_row

AGGREGATIONS = ("seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm")
#: Advantages that are the same in expectation share a mark.
SAME = ("reinforce", "rloo", "dr_grpo")


def distinct(advantages):
    """Advantages without those that repeat another in expectation, and how each is labelled."""
    names = list(dict.fromkeys(advantages))
    same = [name for name in names if name in SAME]
    kept = [name for name in names if name not in same[1:]]
    return kept, {name: " = ".join(same) if name in same else name for name in kept}


def draw(panels, scaling, look):
    """One panel a family and aggregation; marks measured, lines the closed form, slopes written beside."""
    points = panels["thresholds"]
    height = look.page_width * (0.08 + 0.27 * points.family.nunique())
    below = look.page_width * 0.32
    figure = plt.figure(figsize=(look.page_width, height + below))
    top, bottom = figure.subfigures(2, 1, height_ratios=[height, below])
    _exact(top, points, scaling)
    letters = "abcdefghijklmnop"[points.family.nunique() * points.aggregation.nunique() :]
    sampled_row.draw(bottom, panels["sampled"], scaling, letters)
    return figure


def _exact(figure, points, scaling):
    """The panels of the exact dynamics, in a figure or a part of one."""
    families = list(dict.fromkeys(points.family))
    aggregations = [name for name in AGGREGATIONS if name in set(points.aggregation)]
    aggregations += [name for name in dict.fromkeys(points.aggregation) if name not in aggregations]
    advantages, labels = distinct(points.advantage)
    colours = dict(zip(advantages, style.palette(len(advantages)), strict=True))
    axes = figure.subplots(len(families), len(aggregations), sharex=True, sharey="row", squeeze=False)
    slopes = scaling.set_index(["family", "advantage", "aggregation"]) if len(scaling) else None
    for i, family in enumerate(families):
        for j, aggregation in enumerate(aggregations):
            panel = axes[i, j]
            here = points[(points.family == family) & (points.aggregation == aggregation)]
            for k, advantage in enumerate(advantages):
                line = here[here.advantage == advantage].sort_values("response_length")
                panel.loglog(line.response_length, line.critical_closed_form, **style.CLOSED_FORM)
                panel.loglog(
                    line.response_length,
                    line.critical,
                    marker=style.MARKERS[k],
                    color=colours[advantage],
                    **style.MARK,
                )
                if slopes is not None and (family, advantage, aggregation) in slopes.index:
                    found = slopes.loc[(family, advantage, aggregation)]
                    predicted = found.predicted
                    panel.annotate(
                        style.signed(found.measured, 3),
                        (line.response_length.iloc[-1], line.critical.iloc[-1]),
                        xytext=(4, 0),
                        textcoords="offset points",
                        va="center",
                        fontsize="x-small",
                    )
            style.head(panel, "abcdefghijklmnop"[i * len(aggregations) + j], aggregation if i == 0 else "")
            if slopes is not None:
                text = f"predicted {style.signed(predicted, 0)}"
                panel.text(0.04, 0.04, text, transform=panel.transAxes, fontsize="x-small")
            if i == len(families) - 1:
                panel.set_xlabel("response length T (tokens)")
            if j == 0:
                panel.set_ylabel(f"{family}\ncritical learning rate α*")
            low, high = points.response_length.min(), points.response_length.max()
            panel.set_xlim(low / 1.5, high * 8)
            style.decades(panel.xaxis)
            style.decades(panel.yaxis)
    handles = [
        style.legend_entry(labels[name], marker=style.MARKERS[k], color=colours[name], linestyle="none")
        for k, name in enumerate(advantages)
    ]
    handles.append(style.legend_entry("closed form", **style.CLOSED_FORM))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
