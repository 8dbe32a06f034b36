"""Success rate along runs that fall, on a logarithmic axis all the way down; the three thresholds against length."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style

NAMES = {
    "gap 0.9 convergence": "gap, 0.9 α*",
    "gap 1.3 convergence": "gap, 1.3 α*",
    "gap 1.05 fold": "gap, 1.05 of the fold",
    "reinforce 10 convergence": "REINFORCE, 10 α*",
    "grpo 10 convergence": "GRPO scores, 10 α*",
    "steps 0.9": "η = 0.9 · 2|θ|",
    "steps 1.1": "η = 1.1 · 2|θ|",
    "linear 0.9": "linear, 0.9 · ½",
    "linear 1.1": "linear, 1.1 · ½",
}
PANELS = (
    ("counting, fixed learning rate", ("gap", "reinforce", "grpo")),
    ("relative steps; linear bandit", ("steps", "linear")),
)
KINDS = {
    "convergence": "loss of convergence",
    "below_start": "fall below J₀",
    "strict": "fall at every iteration",
}
#: Success rates below this leave the page.
_LOWEST = -60.0


def draw(panels, scaling, look):
    """Two panels of curves at one length, and the thresholds."""
    curves, thresholds = panels["curves"], panels["thresholds"].sort_values("length")
    lengths = np.sort(curves.length.unique())
    # the shortest that has a fold: its floor is above the lower edge of the page
    folded = thresholds.length[thresholds.collapse_strict.notna()]
    shown = folded.min() if len(folded) else lengths[-1]
    size = (look.page_width, look.page_width * 0.38)
    figure, axes = plt.subplots(1, 3, figsize=size)
    for mark, panel, (title, rules) in zip("ab", axes, PANELS, strict=False):
        names = [name for name in dict.fromkeys(curves.dynamics) if name.split()[0] in rules]
        colours = style.palette(len(names))
        for k, name in enumerate(names):
            run = curves[(curves.length == shown) & (curves.dynamics == name)].sort_values("iteration")
            panel.plot(
                1 + run.iteration,
                np.maximum(run.collapse_log_success_rate, 2 * _LOWEST),
                color=colours[k],
                marker=style.MARKERS[k],
                markersize=5.0 - 0.7 * k,  # so that runs on top of each other can all be seen
                markeredgecolor="white",
                markeredgewidth=0.3,
                linewidth=0.8,
                label=NAMES.get(name, name),
            )
        panel.set_xscale("log")
        panel.set_ylim(_LOWEST, 2)
        panel.set_xlabel("iteration k + 1")
        panel.set_ylabel("log₁₀ success rate")
        panel.legend(loc="lower left", fontsize=style.SMALLEST, frameon=False)
        style.head(panel, mark, title if mark == "b" else f"{title}, T = {shown:g}")
    panel = axes[2]
    for k, (kind, name) in enumerate(KINDS.items()):
        colour = style.palette(len(KINDS))[k]
        predicted = thresholds[[f"collapse_{kind}_predicted", "length", "collapse_strict"]]
        if kind == "strict":
            predicted = predicted[predicted.collapse_strict.notna()]
        panel.loglog(
            predicted.length,
            predicted[f"collapse_{kind}_predicted"] * predicted.length,
            color=colour,
            linewidth=0.9,
            zorder=1,
        )
        panel.loglog(
            thresholds.length,
            thresholds[f"collapse_{kind}"] * thresholds.length,
            label=name,
            **style.MARK | {"color": colour, "marker": style.MARKERS[k], "markersize": 3},
        )
    panel.set_xlabel("response length T (tokens)")
    panel.set_ylabel("learning rate of gap × T (tokens)")
    panel.set_ylim(1.5, 40)
    panel.legend(loc="upper right", fontsize=style.SMALLEST, frameon=False)
    style.head(panel, "c", "lines: closed form")
    return figure
