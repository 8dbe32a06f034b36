"""Critical learning rates of the exact dynamics, measured and in closed form."""

from ..theory import closed_forms
from ..thresholds import exact
from ..training import rules
from . import FAMILY_SETTINGS, Axes, Progress, Settings, Variable, empty, instance_at, locator, product

VARIABLES = {
    "critical": Variable(
        "critical learning rate",
        "1",
        "Largest learning rate below which the exact dynamics converge; nan where the search found none.",
        undefined=True,
    ),
    "critical_low": Variable(
        "bracket, converged end",
        "1",
        "Largest learning rate seen to converge below the critical one.",
        undefined=True,
    ),
    "critical_high": Variable(
        "bracket, other end", "1", "Smallest learning rate seen not to converge above it.", undefined=True
    ),
    "search": Variable("end of the search", "1", "How the threshold search ended.", codes=exact.Search),
    "critical_closed_form": Variable(
        "critical learning rate, closed form",
        "1",
        "Where the best θ loses stability; nan where no closed form is known.",
        undefined=True,
    ),
}
SETTINGS = (*FAMILY_SETTINGS, "iterations", "tolerance", "scan_per_decade")
SPLIT = ("family",)


def cost(settings: Settings) -> float:
    """Seconds a point at the most: some 40 runs of about 1 µs an iteration, none of them cut short."""
    return 4e-5 * settings["iterations"]


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over instance × rule; the rule is the axes advantage and aggregation, or the axis rule."""
    out = empty(axes, VARIABLES)
    names = tuple(axes)
    rule_axes = [name for name in names if name in ("rule", "advantage", "aggregation")]
    outer = [name for name in names if name not in rule_axes]
    instances = list(product(axes, outer))
    index_of = locator(axes, names)
    for done, (_, outer_point) in enumerate(instances):
        instance = instance_at(outer_point, settings)
        token_sums: dict[object, exact.Critical] = {}
        for _, rule_point in product(axes, rule_axes):
            point = outer_point | rule_point
            advantage, aggregation = rules.of_point(point)
            # reinforce, rloo and dr_grpo are one in expectation; an aggregation only rescales the learning rate
            coefficient = rules.ADVANTAGES.find(advantage).coefficient
            if coefficient not in token_sums:
                token_sums[coefficient] = exact.critical(
                    instance,
                    advantage,
                    iterations=settings["iterations"],
                    tolerance=settings["tolerance"],
                    per_decade=settings["scan_per_decade"],
                )
            found = token_sums[coefficient].divided(rules.AGGREGATIONS.find(aggregation).divisor(instance))
            index = index_of(point)
            out["critical"][index] = found.learning_rate
            out["critical_low"][index] = found.low
            out["critical_high"][index] = found.high
            out["search"][index] = found.search
            out["critical_closed_form"][index] = closed_forms.critical_closed_form(
                instance, advantage, aggregation
            )
        progress(done + 1, len(instances))
    return out
