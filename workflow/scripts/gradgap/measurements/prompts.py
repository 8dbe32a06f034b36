"""What the simulations of the family `contextual` share: the instance and the run at a point."""

import math
from collections.abc import Mapping
from typing import Any

from ..bandits import FAMILIES
from ..bandits.shared_prompts import VectorInstance
from ..numerics import streams
from ..training import prompts, rules
from ..training.rules import AGGREGATIONS
from ..values import failure_rate, number
from . import Axes, Settings, product

SETTINGS = ("prompts", "contexts", "candidates", "dimension", "margin", "iterations")
#: Coordinates that key the random stream of a run. The features have a stream of their own.
KEYS = ("length", "success_rate", "schedule", "rule", "group_size", "effective_step_size", "replicate")


def instance_at(point: Mapping[str, str], settings: Settings) -> VectorInstance:
    """The prompts at a point of the grid; a point without a replicate has the first."""
    family = FAMILIES.find("contextual")
    options = {name: settings[name] for name in (*SETTINGS[:-1], "seed") if name in settings}
    rate = point["success_rate"]
    replicate = int(number(point.get("replicate", "0")))
    return family.instance(
        int(number(point["length"])), number(rate), failure_rate(rate), replicate=replicate, **options
    )


def run_at(
    point: Mapping[str, str], instance: VectorInstance, settings: Settings, *, sampled: bool
) -> prompts.PromptRun:
    """The run at a point of the grid, the schedule being constant where it is no coordinate.

    The learning rate is what makes the factor of the summed score the one asked: α = effective step ×
    divisor.
    """
    point = {"schedule": "constant", **point}
    advantage, aggregation = rules.of_point(point)
    learning_rate = number(point["effective_step_size"]) * AGGREGATIONS.find(aggregation).divisor(instance)
    draws: dict[str, Any] = {}
    if sampled:
        key = {"family": "contextual", **{name: point[name] for name in KEYS}}
        draws = {
            "group_size": int(number(point["group_size"])),
            "state": streams.state(settings["seed"], key),
        }
    return prompts.run(
        instance,
        advantage,
        aggregation,
        learning_rate,
        iterations=settings["iterations"],
        schedule=point["schedule"],
        **draws,
    )


def size(settings: Settings) -> float:
    """Features that a run reads: what its time is in proportion to."""
    return math.prod(
        settings[name] for name in ("iterations", "prompts", "contexts", "candidates", "dimension")
    )


def check(axes: Axes, settings: Settings) -> None:
    """Refuse rules without a sampled form, and lengths and success rates of which there is no instance."""
    for name in axes.get("rule", ()):
        rules.sampled(*rules.rule(name))
    for _, point in product(axes, ("length", "success_rate")):
        instance_at(point, settings)
