"""Critical step over every bound: on random policies, at the worst ones found, and on the exact families."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

NAMES = {
    "paper": "paper",
    "prop1": "Proposition 1",
    "prop2": "Proposition 2",
    "prop3": "Proposition 3",
    "prop4": "Proposition 4",
    "prop5": "Proposition 5",
}
DASHES = ["-", (0, (4, 2)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (6, 1)), (0, (2, 1))]


def draw(panels, scaling, look):
    """Above: distribution, against length, against 1 − J; below: `gated` twice, `counting`."""
    names = list(NAMES)
    looks = {
        name: {"color": colour, "linestyle": dash}
        for name, colour, dash in zip(names, style.palette(len(names)), DASHES, strict=True)
    }
    marks = dict(zip(names, style.MARKERS, strict=False))
    dots = {"markeredgecolor": "white", "markeredgewidth": 0.3}
    figure, axes = plt.subplots(2, 3, figsize=(look.page_width, look.page_width * 0.66))
    (whole, by_length, by_rate), (gated_length, gated_rate, counted) = axes

    bounds = panels["bounds"].set_index("bound")
    for k, name in enumerate(names):
        line = panels["distribution"].query("bound == @name")
        whole.plot(line.ratio, line.share, **looks[name])
        whole.plot(
            bounds.least_searched[name],
            0.36 - 0.02 * k,
            marker=marks[name],
            linestyle="none",
            color=looks[name]["color"],
            markersize=5,
            markeredgecolor="black",
            markeredgewidth=0.6,
            zorder=4,
        )
        for panel, table, x in (
            (by_length, "by_length", "max_length"),
            (by_rate, "by_failure_rate", "failure_rate_near"),
        ):
            line = panels[table].query("bound == @name").sort_values(x)
            panel.plot(line[x], line.least, marker=marks[name], **looks[name], **dots)
            low = line[np.isfinite(line.low)]
            panel.plot(low[x], low.low, **looks[name] | {"linewidth": 0.5})
    whole.set_ylim(0, None)
    whole.set_xlim(0.7, 1e7)
    whole.set_xlabel("critical step / bound")
    whole.set_ylabel("share of random policies")
    by_length.set_xlabel("largest response length (tokens)")
    by_length.set_ylabel("critical step / bound")
    by_rate.set_xscale("logit")
    by_rate.set_xticks([1e-3, 1e-1, 0.9, 0.999], labels=["0.001", "0.1", "0.9", "0.999"])
    by_rate.xaxis.set_minor_formatter("")
    by_rate.set_xlabel("failure rate 1 − J")

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
    gated_length.set_title(f"gated, 1 − J = {rate:.2g}")
    gated_rate.set_title(f"gated, T = {length:g}")
    counted.set_title(f"counting, T = {longest:g}")
    gated_length.set_xlabel("response length T (tokens)")
    gated_length.set_ylabel("critical step / bound")
    gated_rate.set_xlabel("failure rate 1 − J")
    counted.set_xlabel("failure rate 1 − J")

    whole.set_xscale("log")
    whole.axvline(1, **style.CLOSED_FORM)
    whole.axvline(2, color="0.15", linewidth=0.9, linestyle=(0, (1, 1)))
    for panel in (by_length, by_rate, gated_length, gated_rate, counted):
        panel.set_yscale("log")
        panel.axhline(1, **style.CLOSED_FORM)
        panel.axhline(2, color="0.15", linewidth=0.9, linestyle=(0, (1, 1)), zorder=1)
    for mark, panel in zip("abcdef", axes.flat, strict=True):
        style.letter(panel, mark)
    handles = [style.legend_entry(NAMES[name], marker=marks[name], **looks[name]) for name in names]
    handles += [
        style.legend_entry(
            "search", marker="o", color="0.7", markeredgecolor="black", markeredgewidth=0.6, linestyle="none"
        ),
        style.legend_entry("wrong below", **style.CLOSED_FORM),
        style.legend_entry("unproved below", color="0.15", linewidth=0.9, linestyle=(0, (1, 1))),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=5)
    return figure
