"""The edge of a real trainer: against length and loss type, its forecast, and the controller from beyond it."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

NAMES = {"sgd": "SGD", "adam": "AdamW"}
#: Beyond these a forecast over the edge is drawn at the border of its panel.
LOWEST, HIGHEST = 0.03, 30.0


def draw(panels, scaling, look):
    """Four panels."""
    figure, axes = plt.subplots(2, 2, figsize=(look.page_width, look.page_width * 0.68))
    lengths, loss_types = panels["lengths"], panels["loss_types"]
    optimizers = list(dict.fromkeys(lengths.optimizer))
    looks = {
        name: {"color": colour, "marker": style.MARKERS[k]}
        for k, (name, colour) in enumerate(zip(optimizers, style.palette(len(optimizers)), strict=True))
    }
    laws = {row.optimizer: row.predicted for row in panels["laws"].itertuples()}
    _lengths(axes[0, 0], lengths, laws, looks)
    _loss_types(axes[0, 1], loss_types, looks)
    _forecasts(axes[1, 0], lengths, loss_types, looks)
    _control(axes[1, 1], lengths, loss_types, looks)
    handles = [style.legend_entry(NAMES[name], linestyle="none", **each) for name, each in looks.items()]
    handles.append(style.legend_entry("bandits' law", **style.PREDICTED))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _spread(group):
    """Small shifts to the side, so that equal values of several seeds are seen."""
    return (group.replicate.rank(method="dense") - 1 - (group.replicate.nunique() - 1) / 2).to_numpy()


def _lengths(panel, points, laws, looks):
    values = np.sort(points.length.unique()).astype(float)
    for optimizer, here in points.groupby("optimizer", sort=False):
        here = here.dropna(subset=["half_kept_learning_rate"])
        x = here.length * (1 + 0.03 * _spread(here))
        panel.plot(x, here.half_kept_learning_rate, **style.MARK | looks[optimizer])
        power = laws[optimizer]
        middle = np.exp(np.mean(np.log(here.half_kept_learning_rate) - power * np.log(here.length)))
        panel.plot(values, middle * values**power, **style.PREDICTED)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(values, [f"{value:g}" for value in values])
    panel.minorticks_off()
    style.decades(panel.yaxis)
    panel.set_xlabel("response length T (tokens)")
    panel.set_ylabel("half-kept learning rate α½")
    style.head(panel, "a", "length")


def _loss_types(panel, points, looks):
    names = list(dict.fromkeys(points.loss_type))
    for optimizer, here in points.groupby("optimizer", sort=False):
        here = here.dropna(subset=["half_kept_learning_rate"])
        x = np.array([names.index(name) for name in here.loss_type]) + 0.05 * _spread(here)
        panel.plot(x, here.half_kept_learning_rate, **style.MARK | looks[optimizer])
    panel.set_yscale("log")
    style.decades(panel.yaxis)
    panel.set_xlim(-0.5, len(names) - 0.5)
    panel.set_xticks(range(len(names)), names)
    panel.set_xlabel("loss type")
    panel.set_ylabel("half-kept learning rate α½")
    style.head(panel, "b", "responses that may end before")


def _places(lengths, loss_types):
    """All points with their place on an axis of lengths, then loss types, and its labels."""
    values, names = sorted(lengths.length.unique()), list(dict.fromkeys(loss_types.loss_type))
    lengths = lengths.assign(place=[values.index(value) for value in lengths.length])
    loss_types = loss_types.assign(place=[len(values) + names.index(name) for name in loss_types.loss_type])
    return (lengths, loss_types), [f"T = {value:g}" for value in values] + names


def _label(panel, labels, lengths):
    panel.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    panel.set_xlim(-0.5, len(labels) - 0.5)
    panel.axvline(lengths.length.nunique() - 0.5, color="0.8", linewidth=0.6)


def _forecasts(panel, lengths, loss_types, looks):
    tables, labels = _places(lengths, loss_types)
    for table in tables:
        for k, (optimizer, here) in enumerate(table.groupby("optimizer", sort=False)):
            here = here.dropna(subset=["half_kept_learning_rate"])
            ratio = np.clip(here.edge_forecast / here.half_kept_learning_rate, LOWEST, HIGHEST)
            panel.plot(
                here.place + 0.24 * k - 0.12 + 0.06 * _spread(here), ratio, **style.MARK | looks[optimizer]
            )
    panel.set_yscale("log")
    panel.set_ylim(LOWEST / 1.2, HIGHEST * 1.2)
    style.decades(panel.yaxis)
    panel.axhline(1, **style.PREDICTED)
    _label(panel, labels, lengths)
    panel.set_ylabel("learning rate × headroom over the edge")
    style.head(panel, "c", "forecast from a fifth of the edge")


def _control(panel, lengths, loss_types, looks):
    tables, labels = _places(lengths, loss_types)
    for table in tables:
        for k, (optimizer, here) in enumerate(table.groupby("optimizer", sort=False)):
            here = here.dropna(subset=["half_kept_learning_rate"])
            x = here.place + 0.4 * k - 0.2 + 0.1 * _spread(here)
            own = looks[optimizer]
            panel.vlines(
                x, here.edge_kept_fixed, here.edge_kept_controlled, color=own["color"], linewidth=0.7
            )
            panel.plot(x, here.edge_kept_controlled, **style.MARK | own)
            panel.plot(
                x,
                here.edge_kept_fixed,
                **style.MARK | own | {"markerfacecolor": "white", "markeredgecolor": own["color"]},
            )
    panel.set_ylim(-0.04, 1.04)
    panel.axhline(0.5, color="0.8", linewidth=0.6, zorder=0)
    _label(panel, labels, lengths)
    panel.set_ylabel("success rate at the end")
    handles = [
        style.legend_entry("controller", marker="o", color="0.3", linestyle="none"),
        style.legend_entry("fixed", marker="o", color="0.3", markerfacecolor="white", linestyle="none"),
    ]
    panel.legend(handles=handles, loc="upper right", bbox_to_anchor=(1, 1.12), ncols=2)
    style.head(panel, "d", "from five times the edge")
