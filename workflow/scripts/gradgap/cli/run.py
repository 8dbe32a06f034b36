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
    parser.add_argument("--step-size", type=float, required=True, metavar="α", help="learning rate")
    parser.add_argument(
        "--iterations", type=int, default=1000, metavar="K", help="number of updates (default 1000)"
    )
    parser.add_argument(
        "--schedule", default="constant", help="schedule of the learning rate (default: constant)"
    )
    parser.add_argument(
        "--group-size", type=int, metavar="n", help="sampled responses an update; exact dynamics if left out"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the random stream of a sampled run (default 0)"
    )


def main(arguments):
    """Run the exact dynamics, or with a group size the sampled ones.

    Returns
    -------
    dict
        ``outcome``, ``final_success_rate``, ``final_failure_rate`` and ``success_rate``, the list along the run.
    """
    from ..bandits.shared_prompts import VectorInstance
    from ..errors import ConfigError
    from ..numerics import streams
    from ..training import prompts, sampled
    from ..training import run as dynamics
    from ..values import canonical

    if not arguments.step_size > 0:
        raise ConfigError(f"--step-size: {arguments.step_size:g} is not allowed; it must be above 0")
    if arguments.iterations < 1:
        raise ConfigError(f"--iterations: {arguments.iterations} is not allowed; it must be 1 or more")
    if arguments.group_size is not None and arguments.group_size < 2:
        raise ConfigError(f"--group-size: {arguments.group_size} is not allowed; it must be 2 or more")
    instance = _instance.instance(arguments)
    how = {"iterations": arguments.iterations, "schedule": arguments.schedule}
    if arguments.group_size is not None:
        names = ("family", "length", "advantage", "aggregation", "schedule", "step_size", "group_size")
        point = {name: canonical(getattr(arguments, name)) for name in names}
        point["success_rate"] = arguments.success_rate
        how |= {"group_size": arguments.group_size, "state": streams.state(arguments.seed, point)}
    if isinstance(instance, VectorInstance):
        run = prompts.run
    else:
        run = dynamics.run if arguments.group_size is None else sampled.run
        how["path"] = True
    result = run(instance, arguments.advantage, arguments.aggregation, arguments.step_size, **how)
    return {
        "outcome": result.outcome.name,
        "final_success_rate": result.final_success_rate,
        "final_failure_rate": result.final_failure_rate,
        "success_rate": result.success_rate.tolist(),
    }
