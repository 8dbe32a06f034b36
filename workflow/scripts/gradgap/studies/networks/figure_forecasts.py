"""What the instrument forecasts along safe runs of networks, and where they collapse when the rate is raised."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ...report import style
from .figure import HALF_KEPT, NAMES

#: Columns drawn, so that a panel without rows, which the numbers leave out, has them too.
PANELS = {
    "along": ["task", "optimizer", "replicate", "iteration", "forecast", *HALF_KEPT],
    "forecasts": ["task", "optimizer", "safe_learning_rate", *HALF_KEPT],
}


def draw(panels, scaling, look):
    """A panel a task: learning rate × headroom along the run, the collapse that was measured, and the safe rate."""
    along, forecasts = (
        panels.get(name, pd.DataFrame()).reindex(columns=columns) for name, columns in PANELS.items()
    )
    tasks, optimizers = (list(dict.fromkeys(forecasts[name])) for name in ("task", "optimizer"))
    colours = dict(zip(optimizers, style.palette(len(optimizers)), strict=True))
    figure, row = plt.subplots(
        1,
        max(len(tasks), 1),
        squeeze=False,
        sharex=True,
        figsize=(look.page_width, look.page_width * 0.42),
    )
    for panel, task, letter in zip(row[0], tasks, "abc", strict=False):
        last = along.iteration.max()
        for mark, optimizer in zip(style.MARKERS, optimizers, strict=False):
            colour = colours[optimizer]
            here = along[(along.task == task) & (along.optimizer == optimizer)]
            known = here[np.isfinite(here.forecast)]
            shown = known[known.forecast > 0]
            panel.plot(
                shown.iteration,
                shown.forecast,
                marker=mark,
                color=colour,
                alpha=0.45,
                markersize=2.5,
                markeredgewidth=0,
                ls="none",
            )
            middle = known.groupby("iteration").forecast.median()
            middle = middle[middle > 0]
            panel.plot(middle.index, middle, marker=mark, color=colour, markersize=4, linewidth=0.9)
            own = forecasts[(forecasts.task == task) & (forecasts.optimizer == optimizer)].iloc[0]
            at, low, high = (own[name] for name in HALF_KEPT)
            if np.isfinite(at):
                panel.axhline(at, color=colour, linewidth=1.2, linestyle=(0, (4, 2)))
                panel.plot(last * 1.05, at, marker=mark, markersize=4, color=colour, clip_on=False)
                if np.isfinite([low, high]).all():
                    panel.axhspan(low, high, color=colour, alpha=0.15, linewidth=0)
            panel.axhline(own.safe_learning_rate, color=colour, linewidth=0.9, linestyle=(0, (1, 1.5)))
        panel.set_yscale("log")
        panel.set_xlim(0, last * 1.05)
        panel.set_xticks([0, *sorted(along.iteration.unique())])
        panel.set_xlabel("iteration k of the safe run")
        panel.set_title(task)
        style.letter(panel, letter)
    row[0, 0].set_ylabel("learning rate")
    handles = [
        style.legend_entry(
            f"{NAMES.get(name, name)}: learning rate × headroom",
            marker=mark,
            markersize=4,
            color=colours[name],
            linewidth=0.9,
        )
        for name, mark in zip(optimizers, style.MARKERS, strict=False)
    ]
    handles += [
        style.legend_entry("half-kept α½, measured", color="0.4", linewidth=1.2, linestyle=(0, (4, 2))),
        style.legend_entry(
            "learning rate of the safe run", color="0.4", linewidth=0.9, linestyle=(0, (1, 1.5))
        ),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure
