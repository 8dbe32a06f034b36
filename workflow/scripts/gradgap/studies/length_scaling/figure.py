"""Critical learning rate against response length, a row a family; aggregations of one law share a panel."""

import matplotlib.pyplot as plt

from ...report import style
from . import sampled_row

AGGREGATIONS = ("seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm")
#: Advantages that are the same in expectation share a mark.
SAME = ("reinforce", "rloo", "dr_grpo")


def distinct(points):
    """Advantages without those that repeat another in expectation, and how each is labelled."""
    labels = dict(zip(points.advantage, points.label, strict=True))
    same = [name for name in labels if name in SAME]
    kept = [name for name in labels if name not in same[1:]]
    return kept, {
        name: " = ".join(labels[n] for n in same) if name in same else labels[name] for name in kept
    }


def alike(points, scaling, axis):
    """Aggregations with the same predictions, which differ by a factor only: one panel shows the first of them.

    Parameters
    ----------
    points : DataFrame
        Of one family.
    scaling : DataFrame
    axis : str
        ``length`` or ``failure_rate``.

    Returns
    -------
    list of list of str
    """
    if not len(scaling):
        scaling = scaling.reindex(columns=["family", "axis", "advantage", "aggregation", "predicted"])
    own = scaling[(scaling.family == points.family.iloc[0]) & (scaling.axis == axis)]
    own = own[own.advantage.isin(points.advantage)]
    present = set(points.aggregation)
    names = [name for name in AGGREGATIONS if name in present]
    names += [name for name in dict.fromkeys(points.aggregation) if name not in names]
    groups: dict = {}
    for name in names:
        here = own[own.aggregation == name]
        law = tuple(sorted(zip(here.advantage, here.predicted, strict=True))) or name
        groups.setdefault(law, []).append(name)
    return list(groups.values())


def title(names):
    """Title of a panel: the aggregation that it shows, and how many others have its laws."""
    return names[0] + (f" (+{len(names) - 1})" if len(names) > 1 else "")


def draw(panels, scaling, look):
    """One panel a family and law; marks measured, lines the closed form, slopes written beside."""
    points = panels["thresholds"]
    families = list(dict.fromkeys(points.family))
    columns = {name: alike(points[points.family == name], scaling, "length") for name in families}
    figure = plt.figure(figsize=(look.page_width, look.page_width * 0.78))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 0.95])
    shown = [(family, names) for family in families for names in columns[family]]
    _exact(top, points, scaling, shown)
    sampled_row.draw(bottom, panels["sampled"], scaling, style.LETTERS[len(shown) :])
    return figure


def _exact(figure, points, scaling, shown):
    """The panels of the exact dynamics, in a figure or a part of one."""
    advantages, labels = distinct(points)
    colours = dict(zip(advantages, style.palette(len(advantages)), strict=True))
    axes = figure.subplots(1, len(shown), sharex=True, squeeze=False)[0]
    slopes = scaling.set_index(["family", "advantage", "aggregation"]) if len(scaling) else None
    for j, (panel, (family, names)) in enumerate(zip(axes, shown, strict=True)):
        here = points[(points.family == family) & (points.aggregation == names[0])]
        predicted = set()
        for k, advantage in enumerate(advantages):
            line = here[here.advantage == advantage].sort_values("response_length")
            panel.loglog(line.response_length, line.critical_learning_rate_closed_form, **style.CLOSED_FORM)
            panel.loglog(
                line.response_length,
                line.critical_learning_rate,
                marker=style.MARKERS[k],
                color=colours[advantage],
                **style.MARK,
            )
            if slopes is not None and (family, advantage, names[0]) in slopes.index:
                found = slopes.loc[(family, advantage, names[0])]
                predicted.add(style.signed(found.predicted, 1).removesuffix(".0"))
                panel.annotate(
                    style.signed(found.measured, 2),
                    (line.response_length.iloc[-1], line.critical_learning_rate.iloc[-1]),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=style.SMALLEST,
                )
        style.head(panel, style.LETTERS[j], family)
        said = f"{title(names)}\n" + (f"predicted {' or '.join(sorted(predicted))}" if predicted else "")
        panel.text(0.04, 0.04, said.strip(), transform=panel.transAxes, fontsize=style.SMALLEST)
        panel.set_xlabel("length T (tokens)")
        low, high = points.response_length.min(), points.response_length.max()
        panel.set_xlim(low / 1.5, high * 8)
        bottom, top = panel.get_ylim()
        panel.set_ylim(bottom / (top / bottom) ** 0.25, top)  # room for what is written below
        style.decades(panel.xaxis)
        style.decades(panel.yaxis)
    axes[0].set_ylabel("critical learning rate α*")
    handles = [style.legend_entry("advantage:", linestyle="none")]
    handles += [
        style.legend_entry(labels[name], marker=style.MARKERS[k], color=colours[name], linestyle="none")
        for k, name in enumerate(advantages)
    ]
    handles.append(style.legend_entry("closed form; numbers: fitted exponents", **style.CLOSED_FORM))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
