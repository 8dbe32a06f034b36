"""Arguments that name one bandit, shared by commands."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Family, response length, success rate, the family's own settings, and the rule."""
    parser.add_argument("family", metavar="FAMILY", help="bandit family, such as counting or gated")
    parser.add_argument("--length", required=True, metavar="T", help="mean response length in tokens, even")
    parser.add_argument(
        "--success-rate", required=True, metavar="J", help="success rate at the start, a decimal such as 0.99"
    )
    parser.add_argument("--window", help="half-width of the window, in standard deviations (default 1)")
    parser.add_argument(
        "--start-failure-rate",
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
    from ..bandits import FAMILIES
    from ..errors import ConfigError
    from ..sweep.config import one_number
    from ..training.rules import ADVANTAGES, AGGREGATIONS

    length, rate = value(arguments, "length"), success_rate(arguments)
    family = FAMILIES.find(arguments.family)
    ADVANTAGES.find(arguments.advantage)
    AGGREGATIONS.find(arguments.aggregation)
    options = {}
    for name in ("window", "start_failure_rate"):
        written, option = getattr(arguments, name), f"--{name.replace('_', '-')}"
        if written is not None and name not in family.settings:
            raise ConfigError(f"{option}: the family {arguments.family} has no such setting")
        if written is not None:
            options[name] = one_number(family.settings[name], written, option)
    return family.instance(length, rate.success, rate.failure, **options)


def value(arguments: argparse.Namespace, name: str, **instead):
    """The number given for an argument, under the rule of the configuration.

    Parameters
    ----------
    arguments : Namespace
    name : str
        The argument, with ``_`` for ``-``.
    **instead
        Limits that differ from those of the configuration's axis or setting of that name.

    Raises
    ------
    ConfigError
        If the configuration would not allow it either.
    """
    from ..sweep.config import one_value

    return one_value(name, getattr(arguments, name), f"--{name.replace('_', '-')}", **instead)


def success_rate(arguments: argparse.Namespace):
    """The success rate of the start, as a `Rate` that knows 1 − J to the last digit as it was written."""
    from ..values import Rate

    value(arguments, "success_rate")
    return Rate.of_success(arguments.success_rate.strip())
