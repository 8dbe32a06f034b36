"""One run of an update rule on one bandit, and what became of it.

gradgap run counting --length 256 --success-rate 0.2 --advantage reinforce --step-size 0.05
gradgap run gated --length 64 --success-rate 0.99 --advantage grpo --step-size 0.02 --iterations 500 --json
gradgap run gated --length 64 --success-rate 0.99 --advantage rloo --step-size 0.02 --group-size 64 --seed 7
gradgap run contextual --length 32 --success-rate 0.3 --advantage grpo --step-size 5 --group-size 16
"""

from . import _instance

HELP = "one run of an update rule, and its outcome"


def add_arguments(parser):
    """Arguments of the command."""
    _instance.add_arguments(parser)
    parser.add_argument("--step-size", required=True, metavar="α", help="learning rate")
    parser.add_argument("--iterations", default="1000", metavar="K", help="number of updates (default 1000)")
    parser.add_argument(
        "--schedule", default="constant", help="schedule of the learning rate (default: constant)"
    )
    parser.add_argument(
        "--group-size", metavar="n", help="sampled responses an update; exact dynamics if left out"
    )
    parser.add_argument("--seed", default="0", help="of the random stream of a sampled run (default 0)")


def main(arguments):
    """Run the exact dynamics, or with a group size the sampled ones.

    Returns
    -------
    dict
        ``outcome``, ``final_success_rate``, ``final_failure_rate`` and ``success_rate``, the list along the run.
    """
    from ..bandits.shared_prompts import VectorInstance
    from ..numerics import streams
    from ..training import prompts, sampled
    from ..training import run as dynamics
    from ..values import canonical

    step_size = _instance.value(arguments, "step_size")
    iterations = _instance.value(arguments, "iterations", minimum=1)
    seed = _instance.value(arguments, "seed")
    group_size = None if arguments.group_size is None else _instance.value(arguments, "group_size")
    instance = _instance.instance(arguments)
    how = {"iterations": iterations, "schedule": arguments.schedule}
    if group_size is not None:
        point = {
            name: getattr(arguments, name) for name in ("family", "advantage", "aggregation", "schedule")
        }
        point |= {
            "length": canonical(_instance.value(arguments, "length")),
            "step_size": canonical(step_size),
            "group_size": canonical(group_size),
            "success_rate": _instance.success_rate(arguments).text,
        }
        how |= {"group_size": group_size, "state": streams.state(seed, point)}
    if isinstance(instance, VectorInstance):
        run = prompts.run
    else:
        run = dynamics.run if group_size is None else sampled.run
        how["path"] = True
    result = run(instance, arguments.advantage, arguments.aggregation, step_size, **how)
    return {
        "outcome": result.outcome.name,
        "final_success_rate": result.final_success_rate,
        "final_failure_rate": result.final_failure_rate,
        "success_rate": result.success_rate.tolist(),
    }
