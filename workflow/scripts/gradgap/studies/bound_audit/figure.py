"""Critical step over every bound: on random policies and at the worst ones found, and on the exact families."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

NAMES = {
    "paper": "paper",
    "prop1": "Prop. 1",
    "prop2": "Prop. 2",
    "prop3": "Prop. 3",
    "prop4": "Prop. 4",
    "prop5": "Prop. 5",
}
DASHES = ["-", (0, (4, 2)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (6, 1)), (0, (2, 1))]
UNPROVED = {"color": "0.15", "linewidth": 0.9, "linestyle": (0, (1, 1)), "zorder": 1}
SEARCHED = {
    "marker": "o",
    "color": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.7,
    "linestyle": "none",
}


def draw(panels, scaling, look):
    """a: a row a bound, random policies and search; b, c: `gated`; d: `counting`."""
    names = list(NAMES)
    looks = {
        name: {"color": colour, "linestyle": dash}
        for name, colour, dash in zip(names, style.palette(len(names)), DASHES, strict=True)
    }
    marks = dict(zip(names, style.MARKERS, strict=False))
    dots = {"markeredgecolor": "white", "markeredgewidth": 0.3}
    figure, axes = plt.subplots(2, 2, figsize=(look.page_width, look.page_width * 0.62))
    (audit, gated_length), (gated_rate, counted) = axes

    bounds = panels["bounds"].set_index("bound")
    for k, name in enumerate(names):
        line = panels["distribution"].query("bound == @name")
        row = len(names) - 1 - k
        # of the policies on which some step is too large: where a share of them lies at or below a ratio
        shares = line.share / line.share.max() if line.share.max() > 0 else line.share
        ratios = [
            float(line.ratio.iloc[min(np.searchsorted(shares, q), len(line) - 1)]) for q in (0.1, 0.5, 0.9)
        ]
        colour = looks[name]["color"]
        audit.plot([bounds.least[name], ratios[2]], [row, row], color=colour, linewidth=1.0)
        audit.plot([ratios[0], ratios[2]], [row, row], color=colour, linewidth=3.2, solid_capstyle="butt")
        audit.plot(ratios[1], row, marker="|", color="white", markersize=4, markeredgewidth=1.0)
        audit.plot(bounds.least_searched[name], row, markersize=4.2, **SEARCHED)
    audit.set_xscale("log")
    audit.axvline(1, **style.CLOSED_FORM)
    audit.axvline(2, **UNPROVED)
    audit.set_xlim(left=0.6)
    audit.set_yticks(range(len(names)), labels=[NAMES[name] for name in reversed(names)])
    audit.set_ylim(-0.7, len(names) - 0.3)
    audit.set_ylabel("bound")
    audit.set_xlabel("critical step η* / bound")
    audit.set_title("random policies")

    gated, counting = panels["gated"], panels["counting"]
    gated = gated[gated.family == gated.family.iloc[0]]
    lengths, rates = np.sort(gated.length.unique()), np.sort(gated.failure_rate.unique())
    rate, length = rates[len(rates) // 2], lengths[len(lengths) // 2]
    longest = counting.length.max()
    for panel, line, x in (
        (gated_length, gated[gated.failure_rate == rate], "response_length"),
        (gated_rate, gated[gated.length == length], "failure_rate"),
        (counted, counting[counting.length == longest], "failure_rate"),
    ):
        for name in names:
            shown = line.dropna(subset=f"ratio_{name}").sort_values(x)
            panel.loglog(shown[x], shown[f"ratio_{name}"], marker=marks[name], **looks[name], **dots)
        panel.axhline(1, **style.CLOSED_FORM)
        panel.axhline(2, **UNPROVED)
        panel.set_ylabel("critical step η* / bound")
    gated_length.set_title(f"gated, 1 − J = {rate:.2g}")
    gated_rate.set_title(f"gated, T = {length:g}")
    counted.set_title(f"counting, T = {longest:g}")
    gated_length.set_xlabel("response length T (tokens)")
    gated_rate.set_xlabel("failure rate 1 − J")
    counted.set_xlabel("failure rate 1 − J")
    for mark, panel in zip("abcd", axes.flat, strict=True):
        style.letter(panel, mark)
    handles = [style.legend_entry(NAMES[name], marker=marks[name], **looks[name]) for name in names]
    handles += [
        style.legend_entry("a: 10–90 %, median", color="0.4", linewidth=3.2),
        style.legend_entry("a: down to the least", color="0.4", linewidth=1.0),
        style.legend_entry("a: least found by search", markersize=4.2, **SEARCHED),
        style.legend_entry("bound wrong below", **style.CLOSED_FORM),
        style.legend_entry("proof wrong below", **UNPROVED),
    ]
    figure.legend(handles=handles, loc="outside right center")
    return figure
