"""Exact runs, at given step sizes or at multiples of the predicted threshold: how they went and where they end."""

import math

from ..errors import ConfigError
from ..theory import closed_forms
from ..training import rules, run
from ..values import number
from . import FAMILY_SETTINGS, Axes, Progress, Settings, Variable, empty, instance_at, locator, product

_END = ("iteration",)
VARIABLES = {
    "final_success_rate": Variable(
        "final success rate", "1", "Mean J over the last tenth of the iterations.", drop=_END
    ),
    "final_failure_rate": Variable(
        "final failure rate", "1", "Mean 1 − J over the last tenth, computed directly.", drop=_END
    ),
    "outcome": Variable("outcome", "1", "What became of the run.", codes=run.Outcome, drop=_END),
    "curve_failure_rate": Variable(
        "failure rate along the run", "1", "1 − J after so many updates, computed directly."
    ),
}
SETTINGS = (*FAMILY_SETTINGS, "iterations", "tolerance")
SPLIT = ("family",)
TOGETHER = ("iteration",)
INNER = ("rule", "advantage", "aggregation", "schedule", "step_size", "step_ratio")


def cost(settings: Settings) -> float:
    """Seconds a run at the most: about 1 µs an update."""
    return 1e-6 * settings["iterations"]


def check(axes: Axes, settings: Settings) -> None:
    """Every instance exists, has a closed form where step sizes are multiples of it, and runs are long enough."""
    for iteration in axes["iteration"]:
        if number(iteration) > settings["iterations"]:
            raise ConfigError(
                f"iteration: {iteration} is above the {settings['iterations']} iterations of a run"
            )
    for _, point in product(
        axes, [name for name in axes if name not in ("iteration", "step_size", "step_ratio")]
    ):
        instance = instance_at(point, settings)
        if "step_ratio" in axes and math.isnan(
            closed_forms.critical_closed_form(instance, *rules.of_point(point))
        ):
            raise ConfigError(f"step_ratio: no threshold in closed form is known at {dict(point)}")


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over instance × rule × step size, or step ratio, × iteration; the iteration comes last."""
    out = empty(axes, VARIABLES)
    names = tuple(name for name in axes if name != "iteration")
    kept = [int(number(value)) for value in axes["iteration"]]
    inner = [name for name in names if name in INNER]
    instances = list(product(axes, [name for name in names if name not in inner]))
    index_of = locator(axes, names)
    for done, (_, outer_point) in enumerate(instances):
        instance = instance_at(outer_point, settings)
        for _, inner_point in product(axes, inner):
            point = outer_point | inner_point
            advantage, aggregation = rules.of_point(point)
            if "step_ratio" in point:
                threshold = closed_forms.critical_closed_form(instance, advantage, aggregation)
                learning_rate = number(point["step_ratio"]) * threshold
            else:
                learning_rate = number(point["step_size"])
            result = run.run(
                instance,
                advantage,
                aggregation,
                learning_rate,
                iterations=settings["iterations"],
                tolerance=settings["tolerance"],
                schedule=point.get("schedule", "constant"),
                path=True,
            )
            index = index_of(point)
            out["final_success_rate"][index] = result.final_success_rate
            out["final_failure_rate"][index] = result.final_failure_rate
            out["outcome"][index] = result.outcome
            out["curve_failure_rate"][index] = result.failure_rate[kept]
        progress(done + 1, len(instances))
    return out
