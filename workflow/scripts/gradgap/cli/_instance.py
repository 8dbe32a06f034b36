"""Arguments that name one bandit, shared by commands."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Family, response length, success rate, the family's own settings, and the rule."""
    parser.add_argument("family", metavar="FAMILY", help="bandit family, such as counting or gated")
    parser.add_argument(
        "--length", type=int, required=True, metavar="T", help="mean response length in tokens"
    )
    parser.add_argument(
        "--success-rate", required=True, metavar="J", help="success rate at the start, a decimal such as 0.99"
    )
    parser.add_argument(
        "--window", type=float, help="half-width of the window, in standard deviations (default 1)"
    )
    parser.add_argument(
        "--start-failure-rate",
        type=float,
        help="failure rate of a long response at the start (gated; default 0.8)",
    )
    parser.add_argument("--advantage", default="grpo", metavar="A", help="advantage (default: grpo)")
    parser.add_argument(
        "--aggregation",
        default="seq-mean-token-sum",
        metavar="G",
        help="aggregation (default: seq-mean-token-sum)",
    )


def instance(arguments: argparse.Namespace):
    """The bandit that the arguments name, after checking the rule.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is not allowed.
    """
    from decimal import Decimal, InvalidOperation

    from ..bandits import FAMILIES
    from ..errors import ConfigError
    from ..training.rules import ADVANTAGES, AGGREGATIONS
    from ..values import canonical, failure_rate

    try:
        text = canonical(format(Decimal(arguments.success_rate), "f"))
    except InvalidOperation:
        raise ConfigError(f"--success-rate: {arguments.success_rate!r} is not a number") from None
    family = FAMILIES.find(arguments.family)
    ADVANTAGES.find(arguments.advantage)
    AGGREGATIONS.find(arguments.aggregation)
    given = {"window": arguments.window, "start_failure_rate": arguments.start_failure_rate}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if name not in family.settings:
            raise ConfigError(
                f"--{name.replace('_', '-')}: the family {arguments.family} has no such setting"
            )
    return family.instance(arguments.length, float(text), failure_rate(text), **options)
