"""Critical steps of one bandit: measured, in closed form where it is known, and every bound.

gradgap threshold counting --length 1024 --success-rate 0.2 --advantage grpo
gradgap threshold gated --length 64 --success-rate 0.99 --aggregation token-mean --json
"""

from . import _instance

HELP = "critical steps of one bandit, and every bound on them"


def add_arguments(parser):
    """Arguments of the command."""
    _instance.add_arguments(parser)
    parser.add_argument("--iterations", default="2000", metavar="K", help="updates a run (default 2000)")


def main(arguments):
    """Measure the thresholds.

    Returns
    -------
    dict
        ``one_step``: smallest harmful step along the gap; ``critical``: critical learning rate of the rule;
        ``closed_form``: both, where known, with ``reach``, the word that belongs to the critical one (``global``: it
        holds for this start; ``local``: only for starts close to the best θ), and ``safe``, below which every update
        comes nearer to the best θ; ``bounds``; and the instance at its start: ``success_rate``,
        ``failure_rate``, ``gap_norm``, ``theta0``.
    """
    from dataclasses import asdict

    from ..bandits import of_one_parameter
    from ..theory import closed_forms
    from ..thresholds import exact
    from ..training.rules import AGGREGATIONS

    instance = of_one_parameter(_instance.instance(arguments))
    success, failure, gap = instance.at(instance.theta0)
    found = exact.critical(
        instance, arguments.advantage, iterations=_instance.value(arguments, "iterations", minimum=1)
    )
    reach = closed_forms.critical_reach(instance, arguments.advantage, arguments.aggregation)
    found = found.divided(AGGREGATIONS.find(arguments.aggregation).divisor(instance))
    return {
        "one_step": exact.one_step(instance),
        "critical": found.learning_rate,
        "search": found.search.name,
        "closed_form": {
            "one_step": closed_forms.one_step_closed_form(instance),
            "critical": closed_forms.critical_closed_form(
                instance, arguments.advantage, arguments.aggregation
            ),
            "reach": reach.word,
            "safe": reach.safe,
        },
        "bounds": asdict(closed_forms.instance_bounds(instance)),
        "success_rate": success,
        "failure_rate": failure,
        "gap_norm": abs(gap),
        "theta0": instance.theta0,
        "response_length": instance.length,
    }
