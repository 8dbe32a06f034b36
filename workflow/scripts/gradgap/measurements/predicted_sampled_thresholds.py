"""Predicted half-kept learning rates of sampled groups on `gated`, and the exact critical learning rate."""

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, empty, product
from ..theory import closed_forms, sampled_groups
from ..thresholds import sampled
from ..training import rules
from ..values import number
from . import FAMILY_SETTINGS, check_instances, instance_at

VARIABLES = {
    "half_kept_learning_rate_predicted": Variable(
        "half-kept learning rate, predicted",
        "1",
        "From the thresholds of lone failures and of the exact dynamics, combined by mean-square stability; nan "
        "where the weight of a response depends on the lengths of the others.",
        undefined=True,
    ),
    "crossover_predicted": Variable(
        "crossover, predicted",
        "responses",
        "Failing responses n(1 − J) in a group at the start, at which the exponent in 1 − J is midway between that "
        "of lone failures and that of the exact dynamics.",
        drop=("group_size",),
        undefined=True,
    ),
    "critical_learning_rate_closed_form": Variable(
        "critical learning rate, closed form",
        "1",
        "Where the best θ loses stability under the exact dynamics.",
        drop=("group_size",),
        undefined=True,
    ),
}


def cost(settings: Settings) -> float:
    """Seconds for a point, mostly for sums over the failures of large groups."""
    return 0.015


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one instance and rule over group sizes."""
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    rule = rules.of_point(point)
    limit = sampled.half_kept_exact(instance, *rule, iterations=settings["sampled_iterations"])
    out["crossover_predicted"][()] = sampled_groups.crossing(instance, *rule, limit)
    out["critical_learning_rate_closed_form"][()] = closed_forms.critical_closed_form(instance, *rule)
    for index, here in product(inner):
        size = int(number({**point, **here}["group_size"]))
        out["half_kept_learning_rate_predicted"][index] = sampled_groups.half_kept(
            instance, *rule, size, limit
        )
    return out


MEASUREMENTS.add("predicted_sampled_thresholds")(
    Measurement(
        VARIABLES,
        compute,
        inner=("group_size",),
        settings=(*FAMILY_SETTINGS, "sampled_iterations"),
        cost=cost,
        check=check_instances,
    )
)
