"""Largest clip ranges of importance ratios that keep half, at learning rates that lose more without a clip.

The learning rate α depends on the number μ of steps on each batch: μα is `batch_rate_ratio` times the critical
learning rate of one step a batch. So without a clip every batch moves too far. Two sweeps differ in what sets μ.
"""

import functools
import math
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, product
from ..theory import closed_forms, optimizers
from ..thresholds.clips import largest_clip
from ..thresholds.exact import Search
from ..training import rules
from ..values import number
from . import FAMILY_SETTINGS, check_instances, instance_at

#: The sweeps, and the axis of each that sets how small the steps are.
SWEEPS = {"batches": "steps_per_batch", "small_steps": "pull_back"}


def steps_at(point: Point, settings: Settings) -> tuple[float, int]:
    """Learning rate and steps on each batch at a point, which has ``steps_per_batch`` or ``pull_back``.

    Returns
    -------
    learning_rate : float
    steps : int

    Raises
    ------
    ConfigError
        If the family has no closed form of the critical learning rate.
    """
    instance, rule = instance_at(point, settings), rules.of_point(point)
    critical = closed_forms.critical_closed_form(instance, *rule)
    if math.isnan(critical):
        raise ConfigError(
            f"family: {point['family']} is not allowed here; its critical learning rate is not known in closed form"
        )
    whole = settings["batch_rate_ratio"] * critical
    if "steps_per_batch" in point:
        steps = int(number(point["steps_per_batch"]))
    else:
        of_one = optimizers.token_pull_back(1.0, instance.max_length, instance.at(instance.best_theta)[0])
        steps = max(math.ceil(whole * of_one / number(point["pull_back"])), 1)
    return whole / steps, steps


def compute(sweep: str, point: Point, inner: Axes, settings: Settings) -> dict[str, Any]:
    """The largest clip at one point."""
    instance = instance_at(point, settings)
    rate, steps = steps_at(point, settings)
    found = largest_clip(
        instance,
        *rules.of_point(point),
        rate,
        iterations=settings["iterations"],
        steps_per_batch=steps,
        ratio=point["ratio"],
    )
    best = instance.at(instance.best_theta)[0]
    return {
        f"largest_clip_{sweep}": found.largest,
        f"best_kept_{sweep}": found.best_kept,
        f"search_{sweep}": np.int8(found.search),
        f"steps_{sweep}": steps,
        f"pull_back_{sweep}": optimizers.token_pull_back(rate, instance.max_length, best),
    }


def variables(sweep: str) -> dict[str, Variable]:
    """The variables of the measurement of a sweep."""
    return {
        f"largest_clip_{sweep}": Variable(
            "largest clip range that keeps half",
            "1",
            "Where the share kept, as a mean over starts, falls through ½ as the clip range grows; nan where no clip "
            "keeps half, or none is needed.",
            undefined=True,
        ),
        f"best_kept_{sweep}": Variable(
            "best share kept", "1", "Largest mean over starts of the share kept, at any clip range."
        ),
        f"search_{sweep}": Variable(
            "end of the search",
            "1",
            "How the search for a clip ended: never_converged, no clip keeps half; always_converged, none is needed.",
            codes=Search,
        ),
        f"steps_{sweep}": Variable("steps a batch", "updates", "Updates μ from each batch.", integer=True),
        f"pull_back_{sweep}": Variable(
            "pull back",
            "standard deviations",
            "αJ(1 − J)N^1.5/4 at the best θ: how far a step goes back where all token ratios are clipped.",
        ),
    }


def check(axes: Axes, settings: Settings) -> None:
    """Check that every instance exists and has a closed form of its critical learning rate."""
    check_instances(axes, settings)
    ties = [name for name in axes if name in ("family", "length", "success_rate", *SWEEPS.values())]
    names = [*ties, *(name for name in ("rule", "advantage", "aggregation") if name in axes)]
    for _, point in product(axes, names):
        steps_at(point, settings)


def cost(settings: Settings) -> float:
    """Seconds for a point: 8 runs at each of about 40 clip ranges, with 16 or more steps a batch at 0.6 µs each."""
    return 40 * 8 * 16 * 0.6e-6 * settings["iterations"]


for _name in SWEEPS:
    MEASUREMENTS.add(f"clip_ranges_{_name}")(
        Measurement(
            variables(_name),
            functools.partial(compute, _name),
            settings=(*FAMILY_SETTINGS, "iterations", "batch_rate_ratio"),
            cost=cost,
            check=check,
        )
    )
