"""What to do with several steps a batch: divide the learning rate, scale the clip, know where no clip protects."""

import matplotlib.pyplot as plt
import pandas as pd

from ...report import style

#: Columns drawn, so that a panel without rows has them too.
PANELS = {
    "steps": ["ratio", "steps_per_batch", "factor", "predicted"],
    "clipped_steps": ["ratio", "steps_per_batch", "factor"],
    "sampled_steps": ["ratio", "steps_per_batch", "factor", "factor_low", "factor_high"],
    "minibatches": ["optimizer", "minibatches", "factor", "factor_low", "factor_high", "predicted"],
    "clips": ["ratio", "length", "largest", "best_kept", "moved_back", "steps"],
    "small_steps": ["length", "pull_back", "largest", "best_kept", "moved_back"],
    "clip_curves": ["ratio", "length", "largest"],
}
#: Name of each ratio in the legend, marker and place in the palette.
LOOKS = {"token": ("token", "o", 0), "gspo": ("GSPO", "^", 1), "sequence": ("whole response", "s", 2)}
#: A clip that most trainers take.
USUAL = 0.2
#: Steps as small as this are drawn among the clips that protect.
SMALL = 0.25


def _look(ratio):
    name, marker, place = LOOKS.get(ratio, (ratio, "P", 3))
    return name, {"marker": marker, "color": style.palette(4)[place]}


def _minibatches(panel, points):
    """Adam's half-kept learning rate against steps on different parts of a batch; its legend entry."""
    look = {"marker": "D", "markersize": 3, "color": style.palette(4)[3], "markerfacecolor": "none"}
    here = points[points.optimizer == "adam"].sort_values("minibatches")
    spread = [(here.factor - here.factor_low).clip(lower=0), (here.factor_high - here.factor).clip(lower=0)]
    panel.plot(here.minibatches, here.predicted, **style.PREDICTED)
    panel.errorbar(here.minibatches, here.factor, yerr=spread, linestyle="none", elinewidth=0.6, **look)
    return style.legend_entry("Adam, minibatches", linestyle="none", **look)


def _steps(panel, exact, clipped, sampled, parted):
    """Half-kept learning rate against steps a batch, in units of that of one step."""
    handles = []
    for ratio in dict.fromkeys(exact.ratio):
        name, look = _look(ratio)
        here = exact[exact.ratio == ratio].sort_values("steps_per_batch")
        panel.plot(here.steps_per_batch, here.predicted, **style.PREDICTED)
        panel.plot(here.steps_per_batch, here.factor, linestyle="none", **look)
        handles.append(style.legend_entry(name, linestyle="none", **look))
        there = sampled[sampled.ratio == ratio].sort_values("steps_per_batch")
        spread = [there.factor - there.factor_low, there.factor_high - there.factor]
        panel.errorbar(
            there.steps_per_batch * 1.12,
            there.factor,
            yerr=[part.clip(lower=0) for part in spread],
            linestyle="none",
            elinewidth=0.6,
            markerfacecolor="none",
            **look,
        )
    panel.plot(clipped.steps_per_batch, clipped.factor, linestyle="none", marker="x", color="0.35", zorder=4)
    handles += [
        _minibatches(panel, parted),
        style.legend_entry("in groups", marker="o", markerfacecolor="none", linestyle="none", color="0.35"),
        style.legend_entry("token, clip 0.2/0.28", marker="x", linestyle="none", color="0.35"),
        style.legend_entry("predicted", **style.PREDICTED),
    ]
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    ticks = sorted(exact.steps_per_batch.unique())
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_title("divide the learning rate by the steps")
    panel.set_xlabel("steps a batch μ, or minibatches m")
    panel.set_ylabel("half-kept learning rate, one step = 1")
    panel.legend(handles=handles, loc="lower left")
    style.letter(panel, "a")


def _clips(panel, clips, small, curves):
    """The largest clip that keeps half against the length."""
    for ratio, curve in curves.groupby("ratio", sort=False):
        panel.plot(curve.length, curve.largest, **style.PREDICTED)
        at = curve.iloc[len(curve) // 2]
        law = {"token": "2.8/√T", "gspo": "5.9/T"}.get(ratio, "")
        panel.annotate(law, (at.length, at.largest), (3, 3), textcoords="offset points")
    panel.axhline(USUAL, color="0.55", linewidth=0.7, zorder=0)
    handles = []
    for ratio in ("token", "gspo"):
        name, look = _look(ratio)
        here = clips[clips.ratio == ratio]
        panel.plot(here.length, here.largest, linestyle="none", **look)
        steps = "" if here.empty else f", {here.steps.iloc[0]:.0f} steps"
        handles.append(style.legend_entry(f"{name}{steps}", linestyle="none", **look))
    name, look = _look("token")
    few = small[small.pull_back <= SMALL]
    panel.plot(few.length, few.largest, linestyle="none", markerfacecolor="none", **look)
    handles.insert(
        1, style.legend_entry(f"{name}, small steps", linestyle="none", markerfacecolor="none", **look)
    )
    none = clips[(clips.ratio == "token") & clips.largest.isna()]
    panel.set_xscale("log")
    panel.set_yscale("log")
    if len(none):
        top = [1.0] * len(none)
        panel.plot(none.length, top, linestyle="none", marker="x", color=look["color"])
        handles.insert(
            1,
            style.legend_entry("token: no clip protects", marker="x", linestyle="none", color=look["color"]),
        )
    if len(curves):
        panel.annotate(
            "usual 0.2",
            (curves.length.max(), USUAL),
            (0, 2),
            textcoords="offset points",
            ha="right",
            color="0.4",
        )
    panel.set_title("clip less, the longer the response")
    panel.set_xlabel("response length T (tokens)")
    panel.set_ylabel("largest clip range that keeps half")
    panel.legend(handles=handles, loc="lower left")
    style.letter(panel, "b")


def _protection(panel, clips, small):
    """What the best clip keeps, against how far one clipped step goes back."""
    lengths = sorted(small.length.unique())
    handles = []
    shades = style.shades(max(len(lengths), 1))
    for length, colour in zip(lengths, shades, strict=False):
        here = small[small.length == length].sort_values("moved_back")
        look = {"marker": "o", "color": colour, "linewidth": 0.7}
        panel.plot(here.moved_back, here.best_kept, **look)
        if length in (lengths[0], lengths[len(lengths) // 2], lengths[-1]):
            handles.append(style.legend_entry(f"token, T = {length:g}", **look))
    name, look = _look("gspo")
    here = clips[clips.ratio == "gspo"].sort_values("moved_back")
    panel.plot(here.moved_back, here.best_kept, linestyle="none", markerfacecolor="none", **look)
    handles.append(style.legend_entry(name, linestyle="none", markerfacecolor="none", **look))
    panel.axhline(0.5, color="0.55", linewidth=0.7, zorder=0)
    panel.axvline(1.0, 0.35, **style.PREDICTED)
    panel.set_xscale("log", base=2)
    ticks = sorted(small.pull_back.unique())
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_ylim(0, 1.05)
    panel.set_title("token clips need small steps")
    panel.set_xlabel("αJ(1 − J)T√T/4 (standard deviations)")
    panel.set_ylabel("share kept with the best clip")
    panel.legend(handles=handles, loc="lower left")
    style.letter(panel, "c")


def draw(panels, scaling, look):
    """Learning rates against steps a batch, clips against length, and where a token clip protects at all."""
    tables = {
        name: panels.get(name, pd.DataFrame()).reindex(columns=columns) for name, columns in PANELS.items()
    }
    figure, axes = plt.subplots(1, 3, figsize=(look.page_width, look.page_width * 0.36))
    _steps(axes[0], tables["steps"], tables["clipped_steps"], tables["sampled_steps"], tables["minibatches"])
    _clips(axes[1], tables["clips"], tables["small_steps"], tables["clip_curves"])
    _protection(axes[2], tables["clips"], tables["small_steps"])
    return figure
