"""What is predicted of sampled critical learning rates on `gated`, without sampling."""

from ..theory import closed_forms, sampled_groups
from ..thresholds import sampled
from ..training import rules
from ..values import number
from . import FAMILY_SETTINGS, Axes, Progress, Settings, Variable, empty, instance_at, product

VARIABLES = {
    "sampled_critical_predicted": Variable(
        "sampled critical learning rate, predicted",
        "1",
        "From the thresholds of lone failures and of the exact dynamics, combined by mean-square stability; nan "
        "where the weight of a response depends on the lengths of the others.",
        undefined=True,
    ),
    "crossing_predicted": Variable(
        "crossover, predicted",
        "responses",
        "Failing responses n(1 − J) in a group at the start at which noise and the expected update weigh the same.",
        drop=("group_size",),
        undefined=True,
    ),
    "critical_closed_form": Variable(
        "critical learning rate, closed form",
        "1",
        "Where the best θ loses stability under the exact dynamics.",
        drop=("group_size",),
        undefined=True,
    ),
}
SETTINGS = (*FAMILY_SETTINGS, "sampled_iterations")
SPLIT = ()


def cost(settings: Settings) -> float:
    """Seconds a point: most of it for sums over the failures of large groups."""
    return 0.01


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over instance × rule × group size."""
    out = empty(axes, VARIABLES)
    points = list(product(axes, [name for name in axes if name != "group_size"]))
    position = tuple(axes).index("group_size")
    for done, (index, point) in enumerate(points):
        instance = instance_at(point, settings)
        rule = rules.of_point(point)
        limit = sampled.exact(instance, *rule, iterations=settings["sampled_iterations"])
        out["crossing_predicted"][index] = sampled_groups.crossing(instance, *rule, limit)
        out["critical_closed_form"][index] = closed_forms.critical_closed_form(instance, *rule)
        for i, size in enumerate(axes["group_size"]):
            whole = (*index[:position], i, *index[position:])
            predicted = sampled_groups.critical(instance, *rule, int(number(size)), limit)
            out["sampled_critical_predicted"][whole] = predicted
        progress(done + 1, len(points))
    return out
