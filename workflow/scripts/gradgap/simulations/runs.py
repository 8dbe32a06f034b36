"""Exact runs at given step sizes: where they end, and what became of them."""

from .. import dynamics, rules
from ..axes import number
from . import FAMILY_SETTINGS, Axes, Progress, Settings, Variable, empty, instance_at, product

VARIABLES = {
    "final_success_rate": Variable(
        "final success rate", "1", "Mean J over the last tenth of the iterations."
    ),
    "final_failure_rate": Variable(
        "final failure rate", "1", "Mean 1 − J over the last tenth, computed directly."
    ),
    "outcome": Variable("outcome", "1", "What became of the run.", codes=dynamics.Outcome),
}
SETTINGS = (*FAMILY_SETTINGS, "iterations", "tolerance")
SPLIT = ("family", "length")
INNER = ("rule", "advantage", "aggregation", "schedule", "step_size")


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over instance × rule × schedule × step size; the schedule is constant where not an axis."""
    out = empty(axes, VARIABLES)
    names = tuple(axes)
    inner = [name for name in names if name in INNER]
    instances = list(product(axes, [name for name in names if name not in inner]))
    for done, (_, outer_point) in enumerate(instances):
        instance = instance_at(outer_point, settings)
        for _, inner_point in product(axes, inner):
            point = outer_point | inner_point
            advantage, aggregation = rules.of_point(point)
            result = dynamics.run(
                instance,
                advantage,
                aggregation,
                number(point["step_size"]),
                iterations=settings["iterations"],
                tolerance=settings["tolerance"],
                schedule=point.get("schedule", "constant"),
            )
            index = tuple(axes[name].index(point[name]) for name in names)
            out["final_success_rate"][index] = result.final_success_rate
            out["final_failure_rate"][index] = result.final_failure_rate
            out["outcome"][index] = result.outcome
        progress(done + 1, len(instances))
    return out
