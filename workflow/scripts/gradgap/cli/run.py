"""Run one update rule on one bandit, and tell how the run ended.

gradgap run counting --length 256 --success-rate 0.2 --advantage reinforce --learning-rate 0.05
gradgap run gated --length 64 --success-rate 0.99 --rule GRPO --learning-rate 0.02 --iterations 500 --json
gradgap run gated --length 64 --success-rate 0.99 --advantage rloo --learning-rate 0.02 --group-size 64 --seed 7
gradgap run gated --length 64 --success-rate 0.99 --learning-rate 0.01 --group-size 16 --optimizer adam
                 --optimizer-setting beta2=0.95 --clip-norm 1
gradgap run counting --length 256 --success-rate 0.2 --advantage dr_grpo --learning-rate 0.01
                 --steps-per-batch 4 --ratio gspo --clip-range 0.005
gradgap run contextual --length 32 --success-rate 0.3 --advantage grpo --learning-rate 5 --group-size 16
"""

import argparse

from . import _instance

HELP = "one run of an update rule, and its outcome"


def add_arguments(parser):
    """Arguments of the command."""
    _instance.add_arguments(parser)
    parser.add_argument("--learning-rate", metavar="α", help="learning rate (required)")
    parser.add_argument("--step-size", metavar="α", help=argparse.SUPPRESS)  # its former name
    parser.add_argument("--iterations", default="1000", metavar="K", help="number of updates (default 1000)")
    parser.add_argument(
        "--group-size", metavar="n", help="sampled responses an update; exact dynamics if left out"
    )
    _instance.add_training_arguments(parser)
    parser.add_argument("--seed", default="0", help="of the random stream of a sampled run (default 0)")


def main(arguments):
    """Run the exact dynamics, or with a group size the sampled ones.

    Returns
    -------
    dict
        ``outcome``, ``final_success_rate``, ``final_failure_rate`` and ``success_rate``, the list along the run.
    """
    from ..errors import ConfigError
    from ..numerics import streams
    from ..training.run import run
    from ..values import canonical

    if arguments.step_size is not None:
        raise ConfigError("--step-size: is now called --learning-rate; η = α‖u‖ is the step size")
    if arguments.learning_rate is None:
        raise ConfigError("--learning-rate: must be given")
    learning_rate = _instance.value(arguments, "learning_rate")
    iterations = _instance.value(arguments, "iterations", minimum=1)
    seed = _instance.value(arguments, "seed")
    group_size = None if arguments.group_size is None else _instance.value(arguments, "group_size")
    instance = _instance.instance(arguments)
    options, coordinates = _instance.training(arguments)
    how = {"iterations": iterations, **options}
    if group_size is not None:
        point = {
            name: getattr(arguments, name) for name in ("family", "advantage", "aggregation", "schedule")
        }
        point |= {
            "length": canonical(_instance.value(arguments, "length")),
            "learning_rate": canonical(learning_rate),
            "group_size": canonical(group_size),
            "success_rate": _instance.success_rate(arguments).text,
            **coordinates,
        }
        how |= {"group_size": group_size, "state": streams.state(seed, point)}
    result = run(instance, arguments.advantage, arguments.aggregation, learning_rate, path=True, **how)
    return {
        "outcome": result.outcome.name,
        "final_success_rate": result.final_success_rate,
        "final_failure_rate": result.final_failure_rate,
        "success_rate": result.success_rate.tolist(),
    }


_OUTCOMES = {
    "converged": "within the tolerance of the best success rate",
    "slow": "not there, but it never fell and still rises",
    "stagnated": "neither there nor below the start, and no longer rising steadily",
    "collapsed": "below where it started",
}


def show(result):
    """Each number with its meaning and symbol."""
    from ._words import shown, table

    path = result["success_rate"]
    return table(
        {
            f"Outcome {result['outcome']}: {_OUTCOMES[result['outcome']]}": [
                ("success rate, mean of the last tenth", "J", shown(result["final_success_rate"])),
                ("failure rate, likewise", "1 − J", shown(result["final_failure_rate"])),
                ("success rate at the start", "J₀", shown(path[0])),
                ("least and largest along the run", "", f"{min(path):.6g} and {max(path):.6g}"),
                ("updates", "K", f"{len(path) - 1} (--json lists J after each)"),
            ]
        }
    )
