"""Half-kept learning rates of networks against length, what happens around them, rules side by side, and 1 − J."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ...report import style

NAMES = {"sgd": "SGD", "adam": "Adam"}
HALF_KEPT = ["half_kept_learning_rate", "half_kept_learning_rate_low", "half_kept_learning_rate_high"]
#: Columns drawn, so that a panel without rows, which the numbers leave out, has them too.
PANELS = {
    "thresholds": ["task", "network", "length", "optimizer", *HALF_KEPT],
    "transformers": ["task", "network", "length", "optimizer", *HALF_KEPT],
    "failures": ["failure_rate", "optimizer", *HALF_KEPT],
    "around": ["task", "network", "length", "optimizer", "learning_rate", "success_around"],
    "rules": ["task", "optimizer", "rule", *HALF_KEPT],
    "exponents": ["task", "network", "optimizer", "axis", "predicted"],
}


def _marks(panel, x, here, **look):
    """Thresholds with their intervals."""
    y, low, high = (here[name].to_numpy(float) for name in HALF_KEPT)
    low, high = (np.where(np.isfinite(end), end, y) for end in (low, high))  # an open end is not drawn
    panel.errorbar(x, y, yerr=[np.maximum(y - low, 0), np.maximum(high - y, 0)], elinewidth=0.6, **look)


def _law(panel, x, here, exponents, axis, optimizer):
    """The bandits' power law through the geometric mean of the marks."""
    found = exponents[(exponents.axis == axis) & (exponents.optimizer == optimizer)]
    if here.half_kept_learning_rate.notna().any() and len(found) and np.isfinite(found.predicted.iloc[0]):
        power, logs = found.predicted.iloc[0], np.log(x)
        known = here.half_kept_learning_rate.notna().to_numpy()
        middle = np.log(here.half_kept_learning_rate[known]).mean() - power * logs[known].mean()
        panel.plot(x, np.exp(middle + power * logs), **style.PREDICTED)


def draw(panels, scaling, look):
    """Above: thresholds against length, a panel a task; then success around them; below: rules, and 1 − J."""
    points, others, failures, around, by_rule, exponents = (
        panels.get(name, pd.DataFrame()).reindex(columns=columns) for name, columns in PANELS.items()
    )
    tasks = list(dict.fromkeys(points.task))
    optimizers = list(dict.fromkeys(points.optimizer))
    both = pd.concat([points, others], ignore_index=True).drop_duplicates(
        ["task", "network", "length", "optimizer"]
    )
    networks = list(dict.fromkeys(both.network))
    colours = dict(zip(optimizers, style.palette(len(optimizers)), strict=True))
    letters = iter(style.LETTERS)
    figure = plt.figure(figsize=(look.page_width, look.page_width * 1.0), layout="constrained")
    top, middle, bottom = figure.subfigures(3, 1)

    lengths = sorted(points.length.unique())
    row = top.subplots(1, len(tasks), squeeze=False, sharex=True)[0]
    for panel, task in zip(row, tasks, strict=True):
        for optimizer in optimizers:
            for k, network in enumerate(networks):
                here = both[
                    (both.task == task) & (both.optimizer == optimizer) & (both.network == network)
                ].sort_values("length")
                marker = {"fmt": style.MARKERS[k], "color": colours[optimizer], "markersize": 3.5}
                if k:  # another kind of network is hollow
                    marker |= {"markerfacecolor": "white", "markersize": 4.5}
                _marks(panel, here.length, here, **marker)
                own = exponents[(exponents.task == task) & (exponents.network == network)]
                _law(panel, here.length.to_numpy(float), here, own, "length", optimizer)
        panel.set_xscale("log", base=2)
        panel.set_xticks(lengths, [f"{length:g}" for length in lengths])
        panel.set_yscale("log")
        panel.set_title(task)
        panel.set_xlabel("mean response length T (tokens)")
        style.letter(panel, next(letters))
    row[0].set_ylabel("half-kept learning rate α½")
    handles = [
        style.legend_entry(NAMES.get(name, name), marker="o", color=colours[name], ls="none")
        for name in optimizers
    ]
    if len(networks) > 1:
        handles += [
            style.legend_entry(
                name, marker=style.MARKERS[k], color="0.4", ls="none", mfc="white" if k else "0.4"
            )
            for k, name in enumerate(networks)
        ]
    handles.append(style.legend_entry("bandits' law", **style.PREDICTED))
    top.legend(handles=handles, loc="outside upper center", ncols=len(handles))

    row = middle.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    shades = dict(zip(lengths, np.linspace(0.35, 1, len(lengths)), strict=True))
    for panel, task in zip(row, tasks, strict=True):
        here = around[(around.task == task) & (around.network == networks[0])].sort_values("learning_rate")
        for (optimizer, length), group in here.groupby(["optimizer", "length"]):
            panel.plot(
                group.learning_rate,
                group.success_around,
                marker="o",
                markersize=2,
                linewidth=0.8,
                color=colours[optimizer],
                alpha=shades[length],
            )
        panel.set_xscale("log")
        panel.set_xlabel("learning rate (darker: longer)")
        style.letter(panel, next(letters))
    row[0].set_ylabel("success rate at the end")

    *rules_panels, failure_panel = bottom.subplots(1, len(optimizers) + 1)
    names = list(dict.fromkeys(by_rule.rule))
    for panel, optimizer in zip(rules_panels, optimizers, strict=True):
        for j, task in enumerate(tasks):
            here = by_rule[(by_rule.task == task) & (by_rule.optimizer == optimizer)]
            place = np.array([names.index(name) for name in here.rule]) + 0.2 * (j - (len(tasks) - 1) / 2)
            _marks(
                panel, place, here, fmt=style.MARKERS[j], color=colours[optimizer], markersize=3.5, ls="none"
            )
        panel.set_yscale("log")
        panel.set_xticks(range(len(names)), names, rotation=30, ha="right")
        panel.set_title(f"rules under {NAMES.get(optimizer, optimizer)}")
    if len(by_rule):  # the same decades, so that the spreads of the optimizers can be compared
        ends = np.log10(
            [min(p.get_ylim()[0] for p in rules_panels), max(p.get_ylim()[1] for p in rules_panels)]
        )
        for panel in rules_panels:
            panel.set_ylim(*10**ends)
    rules_panels[0].set_ylabel("half-kept learning rate α½")
    rules_panels[-1].legend(
        handles=[
            style.legend_entry(task, marker=style.MARKERS[j], color="0.4", ls="none")
            for j, task in enumerate(tasks)
        ],
        loc="upper left",
    )
    for optimizer in optimizers:
        here = failures[failures.optimizer == optimizer].sort_values("failure_rate")
        _marks(failure_panel, here.failure_rate, here, fmt="o", color=colours[optimizer], markersize=3)
        _law(failure_panel, here.failure_rate.to_numpy(float), here, exponents, "failure_rate", optimizer)
    failure_panel.set_xscale("log")
    failure_panel.set_yscale("log")
    failure_panel.set_xlabel("failure rate 1 − J at the start")
    failure_panel.set_ylabel("half-kept learning rate α½")
    failure_panel.set_title("gated")
    for panel in (*rules_panels, failure_panel):
        style.letter(panel, next(letters))
    return figure
