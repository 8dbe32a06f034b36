"""How much larger could a step be? From rewards and log-probabilities of ordinary responses.

gradgap probe responses.jsonl
gradgap probe responses.npz --figure headroom.svg --json

The file has a row for each response: reward (0 or 1), prompt (optional), and logp@T, the log-probability of the
whole response under the policy θ + T u, for each trial step T along the update u. logp@0 is the policy that drew
the responses. They must not have built u. docs/probe.md reads an example line by line.
"""

HELP = "how much larger could a step be, from rewards and log-probabilities of responses"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="responses: .jsonl, .csv, .parquet or .npz")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default 0)")
    parser.add_argument(
        "--in-sample",
        action="store_true",
        help="the responses built the update: refused, for scripts that cannot know beforehand",
    )
    parser.add_argument(
        "--figure", metavar="SVG", help="draw the log-odds gained along the step (.svg, .pdf, .png)"
    )


def main(arguments):
    """Measure the headroom.

    Returns
    -------
    dict
        ``gain``, ``headroom``, ``headroom_interval`` (90 %), ``reach``, ``effective_right``, ``effective_wrong``,
        ``status``; beside them the cross-checks ``quadratic``, ``mean_weight`` and its error, and ``responses``.
    """
    from pathlib import Path

    from .. import probe
    from ..errors import ConfigError

    kinds = ("svg", "pdf", "png")
    if arguments.figure and Path(arguments.figure).suffix.lstrip(".") not in kinds:
        raise ConfigError(f"--figure: {arguments.figure}: allowed: a name that ends in .svg, .pdf or .png")
    table = probe.read(arguments.file)
    found = probe.probe(
        table.rewards,
        table.logps,
        table.steps,
        prompts=table.prompts,
        seed=arguments.seed,
        in_sample=arguments.in_sample,
    )
    if arguments.figure:
        draw(found, arguments.figure)
    return found.as_dict()


def show(result):
    """The three numbers and the word, as text."""

    def number(value):
        return "unknown" if value is None else f"{value:.4g}"

    low, high = result["headroom_interval"]
    beyond = result["status"] == "beyond reach"
    void = result["status"] == "void"
    upper = "no upper end" if high is None else number(high)
    headroom = (
        "unknown"
        if void
        else f"above {number(result['headroom'])}"
        if beyond
        else f"{number(result['headroom'])}, 90 % interval {number(low)} to {upper}"
    )
    words = {
        "measured": "measured: log-odds fall below their start at that many times the step",
        "beyond reach": "beyond reach: no edge as far as these responses can tell",
        "void": "void: too few effective responses of an outcome to say anything",
    }
    lines = [
        f"gain      {number(result['gain'])}  (success rate after the step minus before)",
        f"headroom  {headroom}  (in units of the step)",
        f"reach     {number(result['reach'])}  (how far these responses can tell)",
        f"effective {result['effective_right']:.1f} right and {result['effective_wrong']:.1f} wrong of "
        f"{result['responses']} responses",
        words[result["status"]],
    ]
    mean, error = result["mean_weight"], result["mean_weight_error"]
    if mean is not None and error is not None and abs(mean - 1) > 5 * error:
        lines.append(
            f"caution: the mean weight at the smallest trial step is {mean:.4g} ± {error:.2g}, not 1; "
            f"were the responses drawn from the policy of logp@0?"
        )
    return "\n".join(lines)


def draw(found, path):
    """Draw the log-odds gained along the step: band, reach, and the crossing.

    Parameters
    ----------
    found : gradgap.probe.Headroom
    path : str or Path
        Its suffix says the format.
    """
    from pathlib import Path

    import matplotlib.pyplot as plt
    import numpy as np

    from ..probe import Status
    from ..report import style

    with style.Look(3.5, 7.0, 8, 300).applied():
        figure, axes = plt.subplots(figsize=(3.5, 2.6))
        curve = found.curve
        colour = style.palette(2)[0]
        finite = np.isfinite(curve.log_odds)
        axes.axhline(0, color="0.15", linewidth=0.6)
        if found.reach > 0:
            axes.axvspan(
                0, found.reach, facecolor="0.92", edgecolor="0.6", linewidth=0.3, label="within reach"
            )
        shown = curve.log_odds[finite & (curve.step <= max(found.reach, curve.step[1]))]
        height = max(float(np.abs(shown).max()), 0.05) * 2.5
        low, high = np.clip(curve.low, -2 * height, 2 * height), np.clip(curve.high, -2 * height, 2 * height)
        axes.fill_between(curve.step, low, high, color=colour, alpha=0.25, linewidth=0, label="90 % band")
        axes.plot(curve.step[finite], curve.log_odds[finite], color=colour, label="estimate")
        axes.axvline(1, **style.PREDICTED)
        axes.annotate(
            "the step",
            (1, 1),
            (2, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
        )
        if found.status is Status.measured:
            ends = np.array(found.headroom_interval)
            error = np.abs(np.minimum(ends, curve.step[-1]) - found.headroom)[:, None]
            axes.errorbar(
                [found.headroom],
                [0],
                xerr=error,
                fmt="o",
                color="0.1",
                capsize=2,
                label=f"headroom {found.headroom:.3g}",
            )
        axes.set_xlim(0, curve.step[-1])
        axes.set_ylim(-height, height)
        axes.set_xlabel("trial step $t$, in units of the step")
        axes.set_ylabel("log-odds of success gained")
        axes.set_title(str(found.status), loc="right")
        axes.legend(loc="lower left", frameon=True, facecolor="white", framealpha=1, edgecolor="none")
        style.save(figure, {Path(path).suffix.lstrip("."): path}, "gradgap probe")
