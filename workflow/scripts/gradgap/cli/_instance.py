"""Arguments that describe one bandit and its training, shared by several commands."""

import argparse

#: The rule where none is asked for.
ADVANTAGE, AGGREGATION = "grpo", "seq-mean-token-sum"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for family, response length, success rate, settings of the family, and rule."""
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
    parser.add_argument("--advantage", metavar="A", help=f"advantage (default: {ADVANTAGE})")
    parser.add_argument("--aggregation", metavar="G", help=f"aggregation (default: {AGGREGATION})")
    parser.add_argument("--rule", metavar="R", help="both at once: REINFORCE, RLOO, GRPO, 'Dr. GRPO' or DAPO")


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for optimizer, its settings, schedule, clipping by norm, use of a batch, dynamic sampling."""
    parser.add_argument("--optimizer", default="sgd", metavar="O", help="optimizer (default: sgd)")
    parser.add_argument(
        "--optimizer-setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the optimizer, such as beta2=0.95; may be repeated",
    )
    parser.add_argument(
        "--schedule",
        default="constant",
        metavar="S",
        help="schedule of the learning rate (default: constant)",
    )
    parser.add_argument("--clip-norm", metavar="C", help="largest norm of an update (default: no limit)")
    parser.add_argument(
        "--steps-per-batch", metavar="μ", help="steps on each batch, the first of them on-policy (default 1)"
    )
    parser.add_argument(
        "--minibatches",
        metavar="m",
        help="equal parts of different responses that a batch is dealt to, with μ steps on each (default 1)",
    )
    parser.add_argument(
        "--ratio",
        default="token",
        metavar="R",
        help="importance ratio: token, sequence or gspo (default: token)",
    )
    parser.add_argument("--clip-range", metavar="c", help="ratios stay above 1 − c (default: no clip)")
    parser.add_argument("--clip-range-high", metavar="c", help="and below 1 + c (default: as --clip-range)")
    parser.add_argument(
        "--dynamic-sampling",
        action="store_true",
        help="groups all right or all wrong are drawn again; needs --group-size",
    )


def training(arguments: argparse.Namespace) -> tuple[dict, dict[str, str]]:
    """The options for `training.run.train`, and the coordinates that they add to the key of a random stream.

    An argument at its default adds nothing to either, so that runs without an optimizer keep their streams.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is not allowed.
    """
    from ..errors import ConfigError
    from ..training.optimizers import OPTIMIZERS
    from ..training.ratios import RATIOS
    from ..training.run import check_minibatches
    from ..training.schedules import SCHEDULES
    from ..values import canonical, read_number

    options: dict = {}
    coordinates: dict[str, str] = {}
    given: dict[str, float] = {}
    for pair in arguments.optimizer_setting:
        name, equals, written = (part.strip() for part in pair.partition("="))
        if not equals or not name or not written:
            raise ConfigError(f"--optimizer-setting: {pair!r} is not of the form name=value")
        if name in given:
            raise ConfigError(f"--optimizer-setting: {name} is given twice")
        try:
            given[name] = float(read_number(written))
        except ValueError as error:
            raise ConfigError(f"--optimizer-setting: {name}: {error}") from None
        coordinates[name] = canonical(given[name])
    optimizer = OPTIMIZERS.find(arguments.optimizer)
    try:
        optimizer.complete(given)
    except ConfigError as error:
        raise ConfigError(f"--optimizer {arguments.optimizer}: {error}") from None
    if arguments.optimizer != "sgd" or given:
        options |= {"optimizer": arguments.optimizer, "optimizer_settings": given}
        coordinates["optimizer"] = arguments.optimizer
    SCHEDULES.find(arguments.schedule)
    if arguments.schedule != "constant":
        options["schedule"] = coordinates["schedule"] = arguments.schedule
    if arguments.clip_norm is not None:
        options["clip_norm"] = value(arguments, "clip_norm")
        coordinates["clip_norm"] = canonical(options["clip_norm"])
    RATIOS.find(arguments.ratio)
    for name in ("steps_per_batch", "minibatches", "clip_range", "clip_range_high"):
        if getattr(arguments, name) is not None:
            options[name] = value(arguments, name)
            coordinates[name] = canonical(options[name])
    if arguments.group_size is not None:
        check_minibatches(options.get("minibatches", 1), value(arguments, "group_size"))
    if options.get("steps_per_batch", 1) * options.get("minibatches", 1) > 1:
        options["ratio"] = coordinates["ratio"] = arguments.ratio
    elif arguments.ratio != "token" or "clip_range" in options or "clip_range_high" in options:
        raise ConfigError(
            "--ratio, --clip-range: all ratios are 1 with one step a batch; give --steps-per-batch or --minibatches"
        )
    if "clip_range_high" in options and "clip_range" not in options:
        raise ConfigError("--clip-range-high: give --clip-range as well")
    if arguments.dynamic_sampling:
        if arguments.group_size is None:
            raise ConfigError("--dynamic-sampling: needs sampled groups; give --group-size")
        options["dynamic_sampling"] = True
        coordinates["dynamic_sampling"] = "mixed"
    return options, coordinates


def instance(arguments: argparse.Namespace):
    """The bandit that the arguments describe. The rule is checked too, and written into the arguments.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is not allowed.
    """
    from ..bandits import FAMILIES
    from ..errors import ConfigError
    from ..sweep.config import one_number
    from ..training.rules import ADVANTAGES, AGGREGATIONS, rule

    if arguments.rule is not None:
        if arguments.advantage is not None or arguments.aggregation is not None:
            raise ConfigError(
                "--rule: stands for an advantage and an aggregation; give it or these, not both"
            )
        arguments.advantage, arguments.aggregation = rule(arguments.rule)
    arguments.advantage = arguments.advantage or ADVANTAGE
    arguments.aggregation = arguments.aggregation or AGGREGATION
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
    """The value of an argument, checked by the same rules as in a configuration.

    Parameters
    ----------
    arguments : Namespace
    name : str
        The argument, with ``_`` for ``-``.
    **instead
        Limits that differ from those of the axis or setting of this name in a configuration.

    Raises
    ------
    ConfigError
        If a configuration would not allow it either.
    """
    from ..sweep.config import one_value

    return one_value(name, getattr(arguments, name), f"--{name.replace('_', '-')}", **instead)


def success_rate(arguments: argparse.Namespace):
    """The success rate at the start, as a `Rate` that keeps all digits of 1 − J."""
    from ..values import Rate

    value(arguments, "success_rate")
    return Rate.of_success(arguments.success_rate.strip())
