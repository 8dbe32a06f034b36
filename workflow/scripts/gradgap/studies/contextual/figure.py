"""Success and prompts lost against the step; thresholds; learning curves; a decaying step."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

STEP = "effective_learning_rate"
STEP_LABEL = "effective learning rate α / divisor"
LABELS = {"success": "final success rate J", "lost": "share of prompts lost"}
START = {"color": "0.6", "linewidth": 0.8, "linestyle": (0, (1, 1)), "zorder": 1}
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
#: How far from its last mark the slope of a rule is written, in points: rules that agree do not overlap.
_NOTE = {"REINFORCE": 4, "RLOO": -4, "GRPO": -7, "DAPO": 1, "Dr. GRPO": 2}


def _table(panels, name, *values):
    """A table whose values and their ends are columns, even where nothing is known of them."""
    ends = [f"{value}{end}" for value in values for end in ("", "_low", "_high")]
    table = panels[name]
    return table.reindex(columns=table.columns.union(ends, sort=False))


def _line(panel, table, name, colour, **look):
    """Means against the step, with a band where there is one."""
    table = table.sort_values(STEP)
    panel.plot(table[STEP], table[name], color=colour, markersize=2.5, **look)
    panel.fill_between(
        table[STEP], table[f"{name}_low"], table[f"{name}_high"], color=colour, alpha=0.2, linewidth=0
    )


def parts(panels):
    """What both figures of the study show: tables at one success rate, and the choices made from them.

    Parameters
    ----------
    panels : dict of DataFrame

    Returns
    -------
    dict
    """
    sampled, exact = (_table(panels, name, "success", "lost") for name in ("sampled", "exact"))
    curves = panels["curves"]
    names = list(dict.fromkeys(sampled.rule))
    lengths, sizes = sorted(sampled.length.unique()), sorted(sampled.group_size.unique())
    size = curves.group_size.iloc[0]
    start = sampled.success_rate.iloc[0]
    sampled, exact, curves = (table[table.success_rate == start] for table in (sampled, exact, curves))
    return {
        "sampled": sampled,
        "exact": exact,
        "curves": curves,
        "names": names,
        "colours": dict(zip(names, style.palette(len(names)), strict=True)),
        "marks": dict(zip(names, style.MARKERS, strict=False)),
        "lengths": lengths,
        "sizes": sizes,
        "schedules": list(dict.fromkeys(sampled.schedule)),
        "length": lengths[(len(lengths) - 1) // 2],
        "size": size if size in sizes else sizes[len(sizes) // 2],
        "one": "GRPO" if "GRPO" in names else names[0],
        "start": start,
    }


def finish(panel, start, value, logarithmic=True):
    """Scale and labels of a panel of success (with the start) or of prompts lost."""
    panel.set_ylim(-0.03, 1.03)
    panel.set_xscale("log")
    if logarithmic:
        panel.set_xlabel(STEP_LABEL)
    if value == "success":
        panel.axhline(start, **START)
    panel.set_ylabel(LABELS[value])


def draw(panels, scaling, look):
    """Five rules: success, prompts lost, thresholds against length; learning curves of one of them."""
    of = parts(panels)
    names, colours, marks = of["names"], of["colours"], of["marks"]
    figure, axes = plt.subplots(2, 2, figsize=(look.page_width, look.page_width * 0.68))
    (success, lost), (critical, curves) = axes
    fixed = of["sampled"][of["sampled"].schedule == of["schedules"][0]]
    here = fixed[(fixed.length == of["length"]) & (fixed.group_size == of["size"])]
    for panel, value in ((success, "success"), (lost, "lost")):
        drawn = []
        for name in names:
            line = here[here.rule == name].sort_values(STEP)
            shape = {"marker": marks[name], "markeredgecolor": "white", "markeredgewidth": 0.3}
            if any(np.array_equal(line[value], other) for other in drawn):  # the one below shows in the gaps
                shape |= {"linestyle": (0, (3, 3)), "markevery": (1, 2)}
            _line(panel, line, value, colours[name], **shape)
            drawn.append(line[value])
        finish(panel, of["start"], value)
        panel.set_title(f"T = {of['length']:g}, n = {of['size']:g}")
    _thresholds(critical, panels, scaling, names, colours, marks, of["size"], of["start"])
    own = of["curves"]
    _curves(curves, own[(own.rule == of["one"]) & (own.length == of["length"])])
    curves.set_title(f"{of['one']}, T = {of['length']:g}, n = {own.group_size.iloc[0]:g}")
    finish(curves, of["start"], "success", logarithmic=False)
    curves.set_ylabel("success rate J")
    for panel, mark in zip(axes.flat, "abcd", strict=True):
        style.letter(panel, mark)
    handles = [style.legend_entry(name, marker=marks[name], color=colours[name]) for name in names]
    handles += [
        style.legend_entry("exact dynamics", **style.CLOSED_FORM),
        style.legend_entry("predicted slope", **style.PREDICTED),
        style.legend_entry("start", **START),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _thresholds(panel, panels, scaling, names, colours, marks, size, start):
    """Half-kept learning rate against length: marks sampled, lines exact, dashed the predicted slope."""
    slopes = scaling.set_index(["advantage", "aggregation"]) if len(scaling) else None
    sampled, exact = (
        _table(panels, name, "half_kept_learning_rate").dropna(subset=["half_kept_learning_rate"])
        for name in ("thresholds", "exact_thresholds")
    )
    sampled, exact = (
        table[(table.success_rate == start) & (table.schedule == "constant")] for table in (sampled, exact)
    )
    sampled = sampled[sampled.group_size == size]
    panel.set_xscale("log")
    panel.set_yscale("log")
    for k, name in enumerate(names):
        line = sampled[sampled.rule == name].sort_values("length")
        whole = exact[exact.rule == name].sort_values("length")
        panel.loglog(whole.length, whole.half_kept_learning_rate, **style.CLOSED_FORM)
        if line.empty:
            continue
        spread = np.abs(
            line[["half_kept_learning_rate_low", "half_kept_learning_rate_high"]].to_numpy().T
            - line.half_kept_learning_rate.to_numpy()
        )
        aside = line.length * 1.06 ** (k - (len(names) - 1) / 2)  # rules that agree stand side by side
        panel.errorbar(
            aside,
            line.half_kept_learning_rate,
            spread,
            fmt=marks[name],
            color=colours[name],
            elinewidth=0.7,
            capsize=1.2,
        )
        rule = tuple(line[["advantage", "aggregation"]].iloc[0])
        found = None if slopes is None or rule not in slopes.index else slopes.loc[rule]
        if found is not None:
            base = whole if len(whole) else line
            law = (
                base.half_kept_learning_rate.iloc[0] * (base.length / base.length.iloc[0]) ** found.predicted
            )
            panel.plot(base.length, law, **style.PREDICTED)
            panel.annotate(
                style.signed(found.measured, 2),
                (line.length.iloc[-1], line.half_kept_learning_rate.iloc[-1]),
                xytext=(8, _NOTE.get(name, 0)),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALLEST,
                color=colours[name],
            )
    panel.set_xlim(panels["sampled"].length.min() / 1.5, panels["sampled"].length.max() * 5)
    panel.set_xlabel("response length T (tokens)")
    panel.set_ylabel("half-kept learning rate α½")
    panel.set_title(f"n = {size:g}")


def _curves(panel, curves):
    """Learning curves, one a step, with bands over replicates."""
    steps = sorted(curves.curve_learning_rate.unique())
    shades = plt.get_cmap("viridis")(np.linspace(0.1, 0.85, len(steps)))
    for shade, dash, step in zip(shades, DASHES * len(steps), steps, strict=False):
        line = curves[curves.curve_learning_rate == step].sort_values("iteration")
        panel.plot(line.iteration, line.success, color=shade, linestyle=dash, label=f"{step:.3g}")
        panel.fill_between(line.iteration, line.low, line.high, color=shade, alpha=0.2, linewidth=0)
    panel.set_xlabel("iteration k")
    panel.legend(title=STEP_LABEL, loc="upper left")
