"""Critical learning rate against response length, a column a family, a row a kind of aggregation."""

import matplotlib.pyplot as plt
import numpy as np

from .. import style
from . import sampled_lengths

AGGREGATIONS = ("seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm")
#: Advantages that are the same in expectation share a line.
SAME = {"reinforce": "reinforce = rloo = dr_grpo", "rloo": None, "dr_grpo": None}


def draw(panels, scaling, look):
    """One panel a family and aggregation; marks measured, lines the closed form, slopes written beside."""
    points = panels["thresholds"]
    families = list(dict.fromkeys(points.family))
    aggregations = [name for name in AGGREGATIONS if name in set(points.aggregation)]
    aggregations += [name for name in dict.fromkeys(points.aggregation) if name not in aggregations]
    names = set(points.advantage)
    advantages = [
        name
        for name in dict.fromkeys(points.advantage)
        if not (SAME.get(name, "") is None and "reinforce" in names)
    ]
    labels = {name: (SAME.get(name) or name) if {"rloo", "dr_grpo"} <= names else name for name in advantages}
    colours = dict(zip(advantages, style.palette(len(advantages)), strict=True))
    height = look.page_width * (0.08 + 0.27 * len(families))
    below = look.page_width * 0.32
    whole = plt.figure(figsize=(look.page_width, height + below))
    figure, bottom = whole.subfigures(2, 1, height_ratios=[height, below])
    axes = figure.subplots(len(families), len(aggregations), sharex=True, sharey="row", squeeze=False)
    slopes = scaling.set_index(["family", "advantage", "aggregation"]) if len(scaling) else None
    for i, family in enumerate(families):
        for j, aggregation in enumerate(aggregations):
            panel = axes[i, j]
            here = points[(points.family == family) & (points.aggregation == aggregation)]
            notes = []
            for k, advantage in enumerate(advantages):
                line = here[here.advantage == advantage].sort_values("response_length")
                panel.loglog(line.response_length, line.critical_closed_form, **style.CLOSED_FORM)
                panel.loglog(
                    line.response_length,
                    line.critical,
                    style.MARKERS[k],
                    color=colours[advantage],
                    markeredgecolor="white",
                    markeredgewidth=0.3,
                )
                if slopes is not None and (family, advantage, aggregation) in slopes.index:
                    found = slopes.loc[(family, advantage, aggregation)]
                    notes.append((line.iloc[-1], found, k, advantage))
            for last, found, _, _ in notes:
                panel.annotate(
                    f"{found.measured:+.3f}".replace("+0.000", "0.000").replace("-0.000", "0.000"),
                    (last.response_length, last.critical),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize="x-small",
                )
            style.letter(panel, "abcdefghijklmnop"[i * len(aggregations) + j])
            if i == 0:
                panel.set_title(aggregation)
            if i == len(families) - 1:
                panel.set_xlabel("response length T (tokens)")
            if j == 0:
                panel.set_ylabel(f"{family}\ncritical learning rate α*")
            low, high = points.response_length.min(), points.response_length.max()
            panel.set_xlim(low / 1.5, high * 6)
            panel.set_xticks(10.0 ** np.arange(np.ceil(np.log10(low)), np.log10(high) + 0.5))
    handles = [
        style.legend_entry(labels[name], marker=style.MARKERS[k], color=colours[name], linestyle="none")
        for k, name in enumerate(advantages)
    ]
    handles.append(style.legend_entry("closed form", **style.CLOSED_FORM))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    letters = "abcdefghijklmnop"[len(families) * len(aggregations) :]
    sampled_lengths.draw(bottom, panels["sampled"], scaling, letters)
    return whole
