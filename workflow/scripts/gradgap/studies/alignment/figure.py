"""Log-odds gained against the cumulative gap alignment, and against step and angle."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style


def draw(panels, scaling, look):
    """Gained against M(K) with the line M/2; least ratio against the step; gained by angle."""
    runs = panels["runs"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(look.page_width, look.page_width * 0.36))

    aligned = runs[runs.cumulative_alignment > 0]
    angles = sorted(aligned.angle.unique())
    colours = dict(zip(angles, style.palette(len(angles)), strict=True))
    marks = dict(zip(angles, style.MARKERS, strict=False))
    gained = aligned[aligned.gained > 0]
    for angle, here in gained.groupby("angle"):
        for admissible, some in here.groupby("admissible"):
            left.loglog(
                some.cumulative_alignment,
                some.gained,
                marks[angle],
                color=colours[angle],
                markerfacecolor=colours[angle] if admissible else "none",
                markersize=2.2,
                markeredgewidth=0.4,
                rasterized=True,
            )
    fell = aligned[aligned.gained <= 0]
    floor = gained.gained.min() / 2
    left.loglog(fell.cumulative_alignment, np.full(len(fell), floor), "_", color="0.3", markersize=3)
    ends = np.array([gained.cumulative_alignment.min(), aligned.cumulative_alignment.max()])
    left.loglog(ends, ends, **style.CLOSED_FORM)
    left.loglog(ends, ends / 2, **style.PREDICTED)
    left.set_xlabel("cumulative gap alignment M(K)")
    left.set_ylabel("log-odds gained ℓ(K) − ℓ(0)")

    for angle, here in aligned.groupby("angle"):
        middle.semilogx(
            here.step_over_bound,
            here.worst_ratio.clip(lower=-0.45),
            marks[angle],
            color=colours[angle],
            markerfacecolor="none",
            markersize=2.2,
            markeredgewidth=0.4,
            rasterized=True,
        )
    middle.axhline(0.5, **style.PREDICTED)
    middle.axvline(1, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    middle.set_ylim(-0.55, 1.15)
    middle.set_yticks([-0.45, 0, 0.5, 1], labels=["below", "0", "½", "1"])
    middle.set_xlabel("step over the bound of Proposition 1")
    middle.set_ylabel("least (ℓ(k) − ℓ(0)) / M(k) of the run")

    own = runs[(runs.bound == runs.bound.iloc[-1]) & (runs.length == runs.length.min())]
    fractions = sorted(own.bound_fraction.unique())
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(fractions)))
    for fraction, shade, mark in zip(fractions, shades, style.MARKERS, strict=False):
        here = own[own.bound_fraction == fraction].groupby("angle").gained
        middle_value = here.median()
        spread = np.abs(here.quantile([0.1, 0.9]).unstack().to_numpy().T - middle_value.to_numpy())
        right.errorbar(
            middle_value.index,
            middle_value,
            spread,
            fmt=mark + "-",
            color=shade,
            elinewidth=0.6,
            linewidth=0.6,
            label=f"{fraction:g}",
        )
    right.set_yscale("symlog", linthresh=0.01, linscale=0.6)
    right.set_yticks(
        [-100, -1, -0.01, 0, 0.01, 1, 100], labels=["−100", "−1", "−0.01", "0", "0.01", "1", "100"]
    )
    right.axhline(0, color="0.6", linewidth=0.6, zorder=1)
    right.axvline(90, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    right.set_xticks(sorted(own.angle.unique()))
    right.tick_params(axis="x", labelrotation=45)
    right.set_xlabel("angle to the gradient gap (degrees)")
    right.set_ylabel("log-odds gained ℓ(K) − ℓ(0)")
    title = f"step over\n{own.bound.iloc[0]} bound\nat 0°"
    right.legend(title=title, loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.3)

    for panel, mark in zip((left, middle, right), "abc", strict=True):
        style.letter(panel, mark)
    handles = [
        style.legend_entry(f"{angle:g}°", marker=marks[angle], color=colours[angle], linestyle="none")
        for angle in angles
    ]
    handles += [
        style.legend_entry("admissible", marker="o", color="0.4", linestyle="none"),
        style.legend_entry("not", marker="o", color="0.4", markerfacecolor="none", linestyle="none"),
        style.legend_entry("first order, M", **style.CLOSED_FORM),
        style.legend_entry("bound, M/2", **style.PREDICTED),
    ]
    if len(fell):
        handles.append(style.legend_entry("log-odds lost", marker="_", color="0.3", linestyle="none"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
