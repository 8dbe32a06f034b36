"""Exact runs at given learning rates, or at multiples of the critical one: learning curve, end and outcome."""

import math
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..sweep.measurement import (
    MEASUREMENTS,
    Axes,
    Measurement,
    Point,
    Settings,
    Variable,
    empty,
    product,
    rows,
)
from ..theory import closed_forms
from ..training import rules
from ..training.outcome import Outcome
from ..training.run import train
from ..values import number
from . import FAMILY_SETTINGS, RULE, instance_at

_END = ("iteration",)
VARIABLES = {
    "final_success_rate": Variable(
        "final success rate", "1", "Mean J over the last tenth of the iterations.", drop=_END
    ),
    "final_failure_rate": Variable(
        "final failure rate", "1", "Mean 1 − J over the last tenth, computed directly.", drop=_END
    ),
    "outcome": Variable("outcome", "1", "What became of the run.", codes=Outcome, drop=_END),
    "curve_failure_rate": Variable(
        "failure rate along the run", "1", "1 − J after this many updates, computed directly."
    ),
}


def cost(settings: Settings) -> float:
    """Seconds for a run, at most: about 0.5 µs for each update."""
    return 5e-7 * settings["iterations"]


def check(axes: Axes, settings: Settings) -> None:
    """Check that every instance exists, has a closed form if one is needed, and that runs are long enough."""
    for iteration in axes["iteration"]:
        if number(iteration) > settings["iterations"]:
            raise ConfigError(
                f"iteration: {iteration} is above the {settings['iterations']} iterations of a run"
            )
    for _, point in product(
        axes, [name for name in axes if name not in ("iteration", "learning_rate", "learning_rate_ratio")]
    ):
        instance = instance_at(point, settings)
        if "learning_rate_ratio" in axes and math.isnan(
            closed_forms.critical_closed_form(instance, *rules.of_point(point))
        ):
            raise ConfigError(f"learning_rate_ratio: no threshold in closed form is known at {dict(point)}")


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one instance, over its runs and the recorded iterations."""
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    kept = [int(number(value)) for value in inner["iteration"]]
    # one call makes the runs of all learning rates of a rule and schedule
    batches: dict[tuple[str, str, str], list[tuple[Any, Any, float]]] = {}
    for index, curve, here in rows(inner, "iteration"):
        at = {**point, **here}
        rule = rules.of_point(at)
        if "learning_rate_ratio" in at:
            rate = number(at["learning_rate_ratio"]) * closed_forms.critical_closed_form(instance, *rule)
        else:
            rate = number(at["learning_rate"])
        batches.setdefault((*rule, at.get("schedule", "constant")), []).append((index, curve, rate))
    order = np.argsort(kept, kind="stable")
    for (advantage, aggregation, schedule), members in batches.items():
        results = train(
            instance,
            advantage,
            aggregation,
            [rate for *_, rate in members],
            iterations=settings["iterations"],
            tolerance=settings["tolerance"],
            schedule=schedule,
            record=np.array(kept)[order],
        )
        for (index, curve, _), result in zip(members, results, strict=True):
            out["final_success_rate"][index] = result.final_success_rate
            out["final_failure_rate"][index] = result.final_failure_rate
            out["outcome"][index] = result.outcome
            out["curve_failure_rate"][curve][order] = result.failure_rate
    return out


MEASUREMENTS.add("exact_runs")(
    Measurement(
        VARIABLES,
        compute,
        inner=(*RULE, "schedule", "learning_rate", "learning_rate_ratio", "iteration"),
        together=("iteration",),
        settings=(*FAMILY_SETTINGS, "iterations", "tolerance"),
        split=("family",),
        cost=cost,
        check=check,
    )
)
