"""Estimates over truth, coverage, climbs, forecasts from runs, the controller, and what in-sample batches say."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

ESTIMATORS = ("probe", "K₁ − K₀", "parabola")
#: Beyond these an estimate is drawn at the edge of its panel.
LOWEST, HIGHEST = 0.25, 4.0


def draw(panels, scaling, look):
    """Five panels, one for what their marks mean, and one for the controllers on each family."""
    control = dict(list(panels["control"].groupby("family", sort=False)))
    columns = max(3, len(control))
    figure, axes = plt.subplots(3, columns, figsize=(look.page_width, look.page_width))
    _estimates(axes[0, 0], panels["estimates"])
    _coverage(axes[0, 1], panels["estimates"])
    _climbs(axes[0, 2], panels["climbs"])
    _forecasts(axes[1, 0], panels["forecasts"])
    _gains(axes[1, 1], panels["gains"])
    _legend(axes[1, 2], panels["forecasts"], panels["control"])
    for panel, letter, family in zip(axes[2], "fghijklmnop", control, strict=False):
        _control(panel, control[family])
        style.head(panel, letter, f"controllers on {family}")
    for panel in (*axes[:2, 3:].flat, *axes[2, len(control) :]):
        panel.set_axis_off()
    axes[2, 0].set_ylabel("mean success rate of the run")
    return figure


def _estimates(panel, table):
    """10, 50 and 90 % of estimate over truth, by estimator, size of the batch and effective share."""
    sizes = np.sort(table.responses.unique())
    colours = dict(zip(ESTIMATORS, style.palette(len(ESTIMATORS)), strict=True))
    for k, name in enumerate(ESTIMATORS):
        here = table[table.estimator == name].sort_values(["responses", "share"], ascending=[True, False])
        batches = here.groupby("responses").share
        beside = batches.cumcount() - (batches.transform("size") - 1) / 2
        here = here.assign(x=np.searchsorted(sizes, here.responses) + beside * 0.085 + (k - 1) * 0.026)
        here = here[np.isfinite(here["median"])]
        low, high = here.low.clip(LOWEST, HIGHEST), here.high.clip(LOWEST, HIGHEST)
        panel.vlines(here.x, low, high, color=colours[name], linewidth=0.7, capstyle="round", zorder=2)
        look = {"marker": style.MARKERS[k], "color": colours[name], "markersize": 2.4}
        panel.plot(here.x, here["median"], **style.MARK | look)
    panel.set_yscale("log")
    panel.set_ylim(LOWEST, HIGHEST)
    panel.set_yticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    panel.minorticks_off()
    panel.axhline(1, **style.PREDICTED)
    panel.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
    panel.set_xlabel("responses n (effective share falling to the right)")
    panel.set_ylabel("estimate over truth")
    handles = [
        style.legend_entry(name, marker=style.MARKERS[k], color=colours[name], linewidth=0.7)
        for k, name in enumerate(ESTIMATORS)
    ]
    panel.legend(handles=handles, loc="lower right")
    style.head(panel, "a", "one batch, 10, 50 and 90 %")


def _coverage(panel, table):
    """Share of the 90 % intervals that hold the truth, all sizes of the batch together, by effective share."""
    table = table[(table.estimator == "probe") & (table.measured > 0)]
    families = list(dict.fromkeys(table.family))
    colours = dict(zip(families, style.palette(len(families)), strict=True))
    panel.axhspan(0.85, 0.95, color="0.92", linewidth=0)
    panel.axhline(0.9, **style.PREDICTED)
    for k, (family, here) in enumerate(table.groupby("family", sort=False)):
        cells = here.groupby("start_spread").agg({"share": "mean", "covered": "sum", "measured": "sum"})
        part = cells.covered / cells.measured
        # Wilson's score interval of 90 %
        z2 = 1.645**2
        middle = (part + z2 / (2 * cells.measured)) / (1 + z2 / cells.measured)
        half = np.sqrt(z2 * (part * (1 - part) / cells.measured + z2 / (4 * cells.measured**2))) / (
            1 + z2 / cells.measured
        )
        x = cells.share + (k - 1) * 0.008
        panel.vlines(x, middle - half, middle + half, color=colours[family], linewidth=0.7)
        panel.plot(x, part, **style.MARK | {"marker": style.MARKERS[k], "color": colours[family]})
    total = table.covered.sum() / table.measured.sum()
    panel.annotate(
        f"all: {total:.2f} of {table.measured.sum():g}", (0.5, 0.06), xycoords="axes fraction", ha="center"
    )
    panel.set_ylim(0.5, 1.02)
    panel.set_xlabel("effective share at the edge")
    panel.set_ylabel("90 % intervals that hold the truth")
    handles = [
        style.legend_entry(family, marker=style.MARKERS[k], color=colours[family], linestyle="none")
        for k, family in enumerate(families)
    ]
    panel.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 0.1))
    style.head(panel, "b", "coverage where measured")


def _climbs(panel, table):
    families = list(dict.fromkeys(table.family))
    colours = dict(zip(families, style.palette(len(families)), strict=True))
    panel.axhspan(0.9, 1.1, color="0.92", linewidth=0)
    panel.axhline(1, **style.PREDICTED)
    for k, (family, here) in enumerate(table.groupby("family", sort=False)):
        panel.plot(
            here.climb_responses,
            np.clip(here.climb_over_truth, 0.7, 1.3),
            **style.MARK | {"marker": style.MARKERS[k], "color": colours[family]},
        )
    panel.set_ylim(0.68, 1.32)
    panel.set_xlabel("responses drawn in all")
    panel.set_ylabel("estimate over truth")
    style.head(panel, "c", "climb, the edge 20 steps away")


def _series(table):
    """Colour of each family and marker of each optimizer."""
    families, optimizers = list(dict.fromkeys(table.family)), list(dict.fromkeys(table.optimizer))
    colours = dict(zip(families, style.palette(len(families)), strict=True))
    return families, optimizers, colours


def _forecasts(panel, table):
    """Learning rate × headroom against the learning rate, both over the half-kept one."""
    _, optimizers, colours = _series(table)
    for (family, optimizer), here in table.groupby(["family", "optimizer"], sort=False):
        # what a run says that has died is of no use to anyone
        shown = here[here.safe & np.isfinite(here["median"]) & (here["median"] > 0)].sort_values("rate")
        if shown.empty:
            continue
        mark = style.MARKERS[optimizers.index(optimizer)]
        dash = "-" if optimizer == optimizers[0] else (0, (3, 1))
        middle = shown["median"]
        panel.errorbar(
            shown.rate,
            middle,
            yerr=[middle - np.clip(shown.low, 0.1, None), np.clip(shown.high, None, 10) - middle],
            color=colours[family],
            marker=mark,
            linestyle=dash,
            linewidth=0.8,
            elinewidth=0.5,
            markeredgecolor="white",
            markeredgewidth=0.3,
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(0.1, 10)
    panel.axhline(1, **style.PREDICTED)
    panel.axvline(1, color="0.4", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    ends = np.array(panel.get_xlim())
    panel.plot(ends, ends, color="0.6", linewidth=0.8, zorder=1)
    panel.annotate("headroom 1", (0.12, 0.13), fontsize=style.SMALLEST, rotation=40)
    panel.set_xlim(ends)
    panel.set_xlabel("learning rate over half-kept α½")
    panel.set_ylabel("learning rate × headroom over α½")
    style.head(panel, "d", "forecast from a run's first steps")


#: What holds the learning rate, in words, and how it is drawn: colour of the palette, or grey.
CONTROLS = {
    "constant": ("held fixed", None),
    "headroom-2": ("controller, exact rates", 0),
    "controller": ("controller, from responses", 1),
}


def _mark(control, others):
    """How a control is drawn: as `CONTROLS` says, hollow without a colour; another schedule in the next colour."""
    known = CONTROLS[control][1] if control in CONTROLS else 2 + others.index(control)
    if known is None:
        return {"color": "0.45", "markerfacecolor": "white", "markeredgecolor": "0.45"}
    return {"color": style.palette(3 + len(others))[known], "markeredgecolor": "white"}


def _control(panel, table):
    """Mean success rate of one family against the first learning rate, fixed and controlled."""
    optimizers, others = list(dict.fromkeys(table.optimizer)), _others(table)
    for (optimizer, control), here in table.groupby(["optimizer", "control"], sort=False):
        here = here.sort_values("rate")
        panel.plot(
            here.rate,
            here["mean"],
            marker=style.MARKERS[optimizers.index(optimizer)],
            linestyle="-" if optimizer == optimizers[0] else (0, (3, 1)),
            linewidth=0.9,
            markeredgewidth=0.5,
            **_mark(control, others),
        )
    panel.set_xscale("log")
    panel.set_ylim(0, 1.02)
    panel.axvline(1, color="0.4", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    panel.set_xlabel("first learning rate over half-kept α½")


def _others(table):
    """Schedules that have no words of their own."""
    return [name for name in dict.fromkeys(table.control) if name not in CONTROLS]


def _legend(panel, forecasts, control):
    """What colours and marks of several panels mean, in the place of a panel."""
    families, optimizers, colours = _series(forecasts)
    others = _others(control)
    of_families = [style.legend_entry(family, color=colours[family]) for family in families]
    of_optimizers = [
        style.legend_entry(
            name, marker=style.MARKERS[k], color="0.3", linestyle="-" if k == 0 else (0, (3, 1))
        )
        for k, name in enumerate(optimizers)
    ]
    of_controls = [
        style.legend_entry(CONTROLS.get(name, (name,))[0], marker="o", **_mark(name, others))
        for name in dict.fromkeys(control.control)
    ]
    panel.set_axis_off()
    for handles, title, top in (
        (of_families, "b to e: family", 1.0),
        (of_optimizers, "d, f and on: optimizer", 0.62),
        (of_controls, "f and on: learning rate", 0.32),
    ):
        found = panel.legend(
            handles=handles, title=title, loc="upper left", bbox_to_anchor=(0, top), alignment="left"
        )
        panel.add_artist(found)


def _gains(panel, table):
    """Gain of a step as its own batch and as a fresh batch shows it, over the exact one."""
    families = list(dict.fromkeys(table.family))
    colours = dict(zip(families, style.palette(len(families)), strict=True))
    for k, (family, here) in enumerate(table.groupby("family", sort=False)):
        for column, dash in (("gain_in_sample", (0, (1, 1))), ("gain_fresh", "-")):
            ratio = (here[column] / here.gain_exact).to_numpy()
            panel.plot(
                here.gain_responses,
                np.clip(ratio, 0, 10),
                color=colours[family],
                marker=style.MARKERS[k],
                linestyle=dash,
                linewidth=0.8,
                markeredgecolor="white",
                markeredgewidth=0.3,
            )
    panel.set_xscale("log")
    panel.axhline(1, **style.PREDICTED)
    panel.set_ylim(-0.2, 10.2)
    sizes = np.sort(table.gain_responses.unique())
    panel.set_xticks(sizes, [f"{size:g}" for size in sizes])
    panel.minorticks_off()
    panel.set_xlabel("responses that built the step")
    panel.set_ylabel("gain as seen over exact gain")
    handles = [
        style.legend_entry("its own batch", color="0.3", linestyle=(0, (1, 1))),
        style.legend_entry("a fresh batch", color="0.3", linestyle="-"),
    ]
    panel.legend(handles=handles, loc="upper right")
    style.head(panel, "e", "how it fails: in-sample batches")
