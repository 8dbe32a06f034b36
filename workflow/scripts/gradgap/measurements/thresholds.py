"""Critical learning rates of the exact dynamics, measured and in closed form."""

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, empty, product
from ..theory import closed_forms
from ..thresholds import exact
from ..training import rules
from . import FAMILY_SETTINGS, RULE, check_instances, instance_at

VARIABLES = {
    "critical_learning_rate": Variable(
        "critical learning rate",
        "1",
        "Largest learning rate below which the exact dynamics converge; nan where the search found none.",
        undefined=True,
    ),
    "critical_learning_rate_low": Variable(
        "bracket, converged end",
        "1",
        "Largest learning rate below the critical one at which a run converged.",
        undefined=True,
    ),
    "critical_learning_rate_high": Variable(
        "bracket, other end",
        "1",
        "Smallest learning rate above the critical one at which a run did not converge.",
        undefined=True,
    ),
    "search": Variable("end of the search", "1", "How the threshold search ended.", codes=exact.Search),
    "critical_learning_rate_closed_form": Variable(
        "critical learning rate, closed form",
        "1",
        "Where the best θ loses stability; nan where no closed form is known.",
        undefined=True,
    ),
}


def cost(settings: Settings) -> float:
    """Seconds for a point, at most: some 40 runs at 0.4 µs an iteration."""
    return 1.5e-5 * settings["iterations"]


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one instance, over the axes advantage and aggregation, or the axis rule."""
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    token_sums: dict[object, exact.Critical] = {}
    for index, of_rule in product(inner):
        advantage, aggregation = rules.of_point({**point, **of_rule})
        # in expectation reinforce, rloo and dr_grpo are the same, and an aggregation only rescales the learning rate
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
        out["critical_learning_rate"][index] = found.learning_rate
        out["critical_learning_rate_low"][index] = found.low
        out["critical_learning_rate_high"][index] = found.high
        out["search"][index] = found.search
        out["critical_learning_rate_closed_form"][index] = closed_forms.critical_closed_form(
            instance, advantage, aggregation
        )
    return out


MEASUREMENTS.add("thresholds")(
    Measurement(
        VARIABLES,
        compute,
        inner=RULE,
        settings=(*FAMILY_SETTINGS, "iterations", "tolerance", "scan_per_decade"),
        split=("family",),
        cost=cost,
        check=check_instances,
    )
)
