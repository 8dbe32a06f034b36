"""One run of an update rule on one bandit, and what became of it.

gradgap run counting --length 256 --success-rate 0.2 --advantage reinforce --step-size 0.05
gradgap run gated --length 64 --success-rate 0.99 --advantage grpo --step-size 0.02 --iterations 500 --json
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


def main(arguments):
    """Run the exact dynamics.

    Returns
    -------
    dict
        ``outcome``, ``final_success_rate``, ``final_failure_rate`` and ``success_rate``, the list along the run.
    """
    from ..dynamics import run
    from ..errors import ConfigError

    if not arguments.step_size > 0:
        raise ConfigError(f"--step-size: {arguments.step_size:g} is not allowed; it must be above 0")
    if arguments.iterations < 1:
        raise ConfigError(f"--iterations: {arguments.iterations} is not allowed; it must be 1 or more")
    result = run(
        _instance.instance(arguments),
        arguments.advantage,
        arguments.aggregation,
        arguments.step_size,
        iterations=arguments.iterations,
        schedule=arguments.schedule,
        path=True,
    )
    return {
        "outcome": result.outcome.name,
        "final_success_rate": result.final_success_rate,
        "final_failure_rate": result.final_failure_rate,
        "success_rate": result.success_rate.tolist(),
    }
