"""Thresholds of one bandit: measured, in closed form where it is known, and every bound on the step.

gradgap threshold counting --length 1024 --success-rate 0.2 --advantage grpo
gradgap threshold gated --length 64 --success-rate 0.99 --rule DAPO --json
gradgap threshold gated --length 64 --success-rate 0.99 --group-size 16 --optimizer adam
                       --optimizer-setting beta2=0.95
gradgap threshold counting --length 256 --success-rate 0.2 --advantage dr_grpo --steps-per-batch 4 --clip-range 0.2
gradgap threshold contextual --length 32 --success-rate 0.3 --optimizer adam --group-size 16

contextual is measured on one bandit, that of `gradgap run`; the study takes a mean over bandits of other features.
"""

from . import _instance

HELP = "thresholds of one bandit, and every bound on the step"


def add_arguments(parser):
    """Arguments of the command."""
    _instance.add_arguments(parser)
    parser.add_argument("--iterations", default="2000", metavar="K", help="updates a run (default 2000)")
    _instance.add_training_arguments(parser)
    parser.add_argument(
        "--group-size",
        metavar="n",
        help="sampled responses an update, for half_kept; expected updates if left out",
    )
    parser.add_argument("--replicates", default="64", help="sampled runs at a learning rate (default 64)")
    parser.add_argument("--seed", default="0", help="of the random streams of sampled runs (default 0)")


def main(arguments):
    """Measure the thresholds.

    Returns
    -------
    dict
        ``one_step`` : the one-step critical step η*.
        ``critical`` : the critical learning rate α* of the rule with expected updates; null if there is none,
        because no fixed point loses stability.
        ``search`` : how the search for α* ended, or null; ``reason`` : why there was no search, or null.
        ``half_kept`` : the half-kept learning rate α½, of sampled groups if a group size is given; then
        ``half_kept_interval`` has the ends of its interval.
        ``closed_form`` : ``one_step`` and ``critical`` in closed form, if known; ``reach``, which is ``global`` if
        the closed form of α* holds for this start, and ``local`` if it holds only close to the best θ; and ``safe``,
        the learning rate below which every update comes nearer to the best θ.
        ``bounds`` : every bound on the step.
        ``success_rate``, ``failure_rate``, ``gap_norm``, ``theta0`` (a list if there are many parameters) and
        ``response_length`` : the bandit at its start.
    """
    import math
    from dataclasses import asdict

    from ..theory import bounds, closed_forms, optimizers
    from ..thresholds import exact
    from ..training.optimizers import OPTIMIZERS
    from ..training.rules import AGGREGATIONS

    instance = _instance.instance(arguments)
    options, coordinates = _instance.training(arguments)
    success, failure, _ = instance.at(instance.start)
    iterations = _instance.value(arguments, "iterations", minimum=1)
    rule = arguments.advantage, arguments.aggregation
    divisor = AGGREGATIONS.find(arguments.aggregation).divisor(instance)
    settings = options.get("optimizer_settings")
    # in expected updates a minibatch is the whole batch
    steps = options.get("steps_per_batch", 1) * options.get("minibatches", 1)
    excess = 0.0 if instance.length == instance.max_length else math.nan
    of_steps = optimizers.epochs_factor(steps, arguments.ratio, instance.max_length, excess)
    plain = OPTIMIZERS.find(arguments.optimizer).plain
    if "schedule" in options or (steps > 1 and not plain):
        of_steps = math.nan  # not derived, or not together
    plain = plain and steps == 1 and "schedule" not in options
    critical = search = reason = None
    if instance.best is None:
        reason = "the success rate only tends to its best value as θ grows"
    elif OPTIMIZERS.find(arguments.optimizer).stability is None:
        reason = f"the steps of {arguments.optimizer} do not vanish with the update"
    else:
        # an aggregation divides updates, so the clip that binds on token sums is as much larger
        exactly = {name: value for name, value in options.items() if name != "dynamic_sampling"}
        if "clip_norm" in exactly:
            exactly["clip_norm"] *= divisor
        found = exact.critical(instance, arguments.advantage, iterations=iterations, **exactly).divided(
            divisor
        )
        critical, search = found.learning_rate, found.search.name
    word = None if critical is None or "schedule" in options else "local"
    reach = closed_forms.critical_reach(instance, *rule)
    closed = closed_forms.critical_closed_form(instance, *rule)
    return {
        "one_step": exact.one_step(instance),
        "critical": critical,
        "search": search,
        "reason": reason,
        **_half_kept(arguments, instance, iterations, options, coordinates),
        "closed_form": {
            "one_step": closed_forms.one_step_closed_form(instance),
            "critical": closed * optimizers.stability_factor(arguments.optimizer, settings) * of_steps,
            # a step with memory can go farther than it should although each is short
            "reach": reach.word if plain else word,
            "safe": reach.safe if plain else math.nan,
        },
        "bounds": asdict(bounds.instance_bounds(instance)),
        "success_rate": success,
        "failure_rate": failure,
        "gap_norm": instance.gap_norm,
        "theta0": instance.theta0 if len(instance.start) == 1 else instance.start.tolist(),
        "response_length": instance.length,
    }


def _half_kept(arguments, instance, iterations, options, coordinates):
    """``half_kept``, and with a group size ``half_kept_interval``."""
    from ..thresholds import sampled
    from ..training import rules
    from ..values import canonical

    rule = arguments.advantage, arguments.aggregation
    if arguments.group_size is None:
        return {"half_kept": sampled.half_kept_exact(instance, *rule, iterations=iterations, **options)}
    rules.sampled(*rule)  # says in a sentence what cannot be sampled
    size = _instance.value(arguments, "group_size")
    found = sampled.half_kept(
        instance,
        *rule,
        group_size=size,
        iterations=iterations,
        replicates=_instance.value(arguments, "replicates"),
        seed=_instance.value(arguments, "seed"),
        coordinates={
            "family": arguments.family,
            "advantage": arguments.advantage,
            "aggregation": arguments.aggregation,
            "length": canonical(_instance.value(arguments, "length")),
            "success_rate": _instance.success_rate(arguments).text,
            "group_size": canonical(size),
            **coordinates,
        },
        **options,
    )
    return {
        "half_kept": found.learning_rate,
        "half_kept_interval": {"low": found.low, "high": found.high},
    }


#: Of each bound, where it is proved.
_BOUNDS = {
    "paper": "the paper's, response level",
    "prop1": "Proposition 1, response level",
    "prop2": "Proposition 2, mean length",
    "prop3": "Proposition 3, largest length",
    "prop4": "Proposition 4, mean length",
    "prop5": "Proposition 5, largest length",
}
_REACH = {"global": "holds for this start", "local": "holds only close to the best θ"}
_NO_FORM = "no closed form is known"


def show(result):
    """Each number with its meaning, symbol and unit."""
    import math

    from ._words import shown, table

    closed = result["closed_form"]
    reach = _REACH.get(closed["reach"], "")
    no_rate = f"the search: {result['search']}"
    if result["search"] is None:
        no_rate = f"none: no fixed point gives one, because {result['reason']}"
    interval = result.get("half_kept_interval")
    kept = shown(result["half_kept"], unknown="not found on the grid")
    if interval:
        low, high = (shown(interval[end], unknown="open") for end in ("low", "high"))
        kept += f"  (95 % interval {low} to {high})"
    thresholds = [
        (
            "one-step critical step, the smallest along the gap that lowers J",
            "η*",
            shown(result["one_step"], unknown="no step does"),
        ),
        ("  the same in closed form", "", shown(closed["one_step"], unknown=_NO_FORM)),
        (
            "critical learning rate, where runs stop converging",
            "α*",
            shown(result["critical"], unknown=no_rate),
        ),
        (
            "  the same in closed form",
            "",
            " ".join(
                filter(
                    None,
                    (shown(closed["critical"], unknown=_NO_FORM), reach and f"({closed['reach']}: {reach})"),
                )
            ),
        ),
        (
            "  below this every update comes nearer to the best θ",
            "",
            shown(closed["safe"], unknown="not known"),
        ),
        ("half-kept learning rate, where half of what can be lost is kept", "α½", kept),
    ]
    theta0 = result["theta0"]
    if isinstance(theta0, list):
        start = ("parameters", "‖θ₀‖", f"{shown(math.hypot(*theta0))}, of {len(theta0)} parameters")
    else:
        start = ("parameter", "θ₀", shown(theta0))
    unlikely = result["failure_rate"] > 0.5
    missing = "does not apply: 1 − J > ½" if unlikely else "does not apply"
    return table(
        {
            "The bandit at its start": [
                ("success rate", "J", shown(result["success_rate"])),
                ("failure rate", "1 − J", shown(result["failure_rate"])),
                ("mean response length", "T", shown(result["response_length"], "tokens")),
                start,
                ("norm of the gradient gap", "‖g‖", shown(result["gap_norm"], "a unit of θ")),
            ],
            "Measured, and predicted (η in units of θ; α multiplies the update)": thresholds,
            "Bounds: J surely rises for steps η up to": [
                (words, "", shown(result["bounds"][name], unknown=missing)) for name, words in _BOUNDS.items()
            ],
        }
    )
