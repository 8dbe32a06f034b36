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
        # runs at the same step over the bound, a quarter of a decade wide
        steps = 10 ** (np.round(np.log10(here.step_over_bound) * 4) / 4)
        ratios = here.worst_ratio.clip(lower=-0.45).groupby(steps)
        middle.semilogx(
            ratios.min().index,
            ratios.min(),
            marker=marks[angle],
            color=colours[angle],
            linewidth=0.8,
            markersize=2.8,
        )
    middle.axhline(0.5, **style.PREDICTED)
    middle.axvline(1, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    middle.set_ylim(-0.55, 1.15)
    middle.set_yticks([-0.45, 0, 0.5, 1], labels=["below", "0", "½", "1"])
    middle.set_xlabel("step / bound of Proposition 1")
    middle.set_ylabel("gain of the log-odds / M")

    # the largest step that is admissible at an angle of 0, and one that is not: what the angle alone does
    own = runs[(runs.bound == runs.bound.iloc[-1]) & (runs.length == runs.length.min())]
    fractions = np.array(sorted(own.bound_fraction.unique()))
    chosen = dict.fromkeys(
        fractions[[np.abs(np.log(fractions)).argmin(), max(len(fractions) - 2, 0)]].tolist()
    )
    for k, fraction in enumerate(chosen):
        here = own[own.bound_fraction == fraction].groupby("angle").gained
        right.plot(
            here.median().index,
            np.sign(here.median()) * np.log10(1 + 100 * here.median().abs()),
            style.MARKERS[k] + "-",
            color=style.palette(2)[k],
            linewidth=0.8,
            label=f"{fraction:g} times the bound",
        )
    ticks = np.array([-100, -1, 0, 1, 100])
    right.set_yticks(
        np.sign(ticks) * np.log10(1 + 100 * np.abs(ticks)),
        labels=["−100", "−1", "0", "1", "100"],
    )
    right.axhspan(0, right.get_ylim()[1], color="0.93", zorder=0)
    right.axhline(0, color="0.6", linewidth=0.6, zorder=1)
    right.axvline(90, color="0.6", linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    right.set_xticks([0, 30, 60, 90, 120])
    right.set_xlabel("angle to the gradient gap (degrees)")
    right.set_ylabel("log-odds gained ℓ(K) − ℓ(0)")
    right.legend(loc="lower left", handletextpad=0.3)

    titles = ("every run", "worst run at a step", "median run, by direction")
    for panel, mark, title in zip((left, middle, right), "abc", titles, strict=True):
        style.head(panel, mark, title)
    handles = [
        style.legend_entry(f"{angle:g}°", marker=marks[angle], color=colours[angle], linestyle="none")
        for angle in angles
    ]
    handles += [
        style.legend_entry("within the bound", marker="o", color="0.4", linestyle="none"),
        style.legend_entry("beyond", marker="o", color="0.4", markerfacecolor="none", linestyle="none"),
        style.legend_entry("gain = M", **style.CLOSED_FORM),
        style.legend_entry("guaranteed, M/2", **style.PREDICTED),
    ]
    if len(fell):
        handles.append(style.legend_entry("lost", marker="_", color="0.3", linestyle="none"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
