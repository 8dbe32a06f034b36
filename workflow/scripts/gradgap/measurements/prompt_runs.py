"""Runs on prompts that share parameters (family `contextual`): exact runs, sampled runs, and their learning curves.

The axes hold effective learning rates: the learning rate α over the divisor of the aggregation.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from ..bandits import FAMILIES, Instance
from ..bandits.shared_prompts import SharedPrompts
from ..errors import ConfigError
from ..numerics import streams
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
from ..training import rules
from ..training.outcome import LOST, Run
from ..training.run import train
from ..values import Rate, canonical, number

#: Settings that make the prompts, and those of runs.
FEATURES = ("prompts", "contexts", "candidates", "dimension", "margin")
SETTINGS = (*FEATURES, "iterations")
#: The axes that set the learning rate over the divisor of the aggregation, of runs and of curves.
LEARNING_RATE, CURVE = "effective_learning_rate", "curve_learning_rate"
#: Axes whose values share an instance.
INNER = ("schedule", "rule", "group_size", "effective_learning_rate", "curve_learning_rate", "iteration")
#: The aggregation that divides by nothing: with it the learning rate is the effective one.
UNDIVIDED = "seq-mean-token-sum"
#: Coordinates that key the random stream of a run; the rule is the first preset with its advantage, see `runs_at`.
#: The features have a stream of their own.
KEYS = (
    "family",
    "length",
    "success_rate",
    "schedule",
    "rule",
    "group_size",
    "effective_learning_rate",
    "replicate",
)

EXACT = {
    "exact_success_rate": Variable(
        "final success rate, exact", "1", "Mean J over prompts and the last tenth of an exact run."
    ),
    "exact_failure_rate": Variable(
        "final failure rate, exact", "1", "Mean 1 − J, likewise, computed directly."
    ),
    "exact_lost_share": Variable(
        "share of prompts lost, exact", "1", "Share of prompts whose J_q ends below 0.01."
    ),
}
SAMPLED = {
    "final_success_rate": Variable(
        "final success rate", "1", "Mean J over prompts and the last tenth of a run."
    ),
    "final_failure_rate": Variable("final failure rate", "1", "Mean 1 − J, likewise, computed directly."),
    "lost_share": Variable("share of prompts lost", "1", "Share of prompts whose J_q ends below 0.01."),
}
CURVES = {
    "curve_success_rate": Variable("success rate", "1", "Mean J over prompts after that many updates."),
    "curve_lost_share": Variable(
        "share of prompts lost", "1", "Share of prompts whose J_q is below 0.01 after that many updates."
    ),
}


def instance_at(point: Point, settings: Settings) -> SharedPrompts:
    """The prompts at a point of the grid. If the point has no replicate, it is the first one.

    Examples
    --------
    >>> instance_at({"length": "16", "success_rate": "0.3"}, {"prompts": 8}).kernels.prompts
    8
    """
    family = FAMILIES.find("contextual")
    options = {name: settings[name] for name in (*FEATURES, "seed") if name in settings}
    rate = Rate(point["success_rate"])
    replicate = int(number(point.get("replicate", "0")))
    instance = family.instance(
        int(number(point["length"])), rate.success, rate.failure, replicate=replicate, **options
    )
    return cast(SharedPrompts, instance)


def runs_at(
    points: Iterable[tuple[Any, Point]],
    instance: Instance,
    settings: Settings,
    *,
    sampled: bool,
    record: Sequence[int] | np.ndarray = (),
) -> Iterator[tuple[Any, Run]]:
    """Make the runs at several points of the grid: each run once, and all runs of one kind in one call.

    All responses have the same length here, so an aggregation only divides by that length. Rules with the same
    advantage are then the same run at the same effective learning rate. With expected updates this also holds for
    advantages with the same coefficient, because a baseline changes nothing but the noise.

    Parameters
    ----------
    points : iterable of (label, point)
        A point without a schedule has a constant learning rate.
    instance : Instance
    settings : mapping
    sampled : bool
        Whether groups are sampled; otherwise updates are expected ones.
    record : sequence of int
        Iterations at which rates are recorded.

    Yields
    ------
    label, Run
    """
    alike: dict[Any, str] = {}
    batches: dict[tuple, dict[tuple, list]] = {}
    for label, point in points:
        advantage, _ = rules.of_point(point)
        if not sampled:
            advantage = alike.setdefault(rules.ADVANTAGES.find(advantage).coefficient, advantage)
        own = {"family": "contextual", "schedule": "constant", **point, "rule": rules.label(advantage)}
        kind = advantage, own["schedule"], int(number(own["group_size"])) if sampled else None
        run = tuple((name, own[name]) for name in KEYS if name in own)
        batches.setdefault(kind, {}).setdefault(run, []).append(label)
    for (advantage, schedule, size), labels in batches.items():
        runs = [dict(run) for run in labels]
        results = train(
            instance,
            advantage,
            UNDIVIDED,
            [number(run[LEARNING_RATE]) for run in runs],
            iterations=settings["iterations"],
            schedule=schedule,
            group_size=size,
            states=[streams.state(settings["seed"], run) for run in runs] if sampled else None,
            record=record,
            outcome=False,
        )
        for shared, result in zip(labels.values(), results, strict=True):
            for label in shared:
                yield label, result


def features(settings: Settings) -> float:
    """How many features a run reads; its time is proportional to this."""
    return math.prod(
        settings[name] for name in ("iterations", "prompts", "contexts", "candidates", "dimension")
    )


def exact_cost(settings: Settings) -> float:
    """Seconds for a run: about 2 ns for each feature."""
    return 2e-9 * features(settings)


def sampled_cost(settings: Settings) -> float:
    """Seconds for a run: about 5 ns for each feature, in groups of hundreds."""
    return 5e-9 * features(settings)


def check_instances(axes: Axes, settings: Settings) -> None:
    """Check that every instance exists.

    Raises
    ------
    ConfigError
        If there is no instance at a point of the axes.
    """
    for _, point in product(axes, ("length", "success_rate")):
        instance_at(point, settings)


def check(axes: Axes, settings: Settings) -> None:
    """Check that rules have sampled forms, and that every instance exists."""
    for name in axes.get("rule", ()):
        rules.sampled(*rules.rule(name))
    check_instances(axes, settings)


def check_curves(axes: Axes, settings: Settings) -> None:
    """Check that instances exist, and that no iteration lies after the end of a run."""
    check(axes, settings)
    last = max(int(number(value)) for value in axes["iteration"])
    if last > settings["iterations"]:
        raise ConfigError(
            f"iteration: {last} is not allowed; a run has iterations = {settings['iterations']} updates"
        )


def compute_exact(point: Point, inner: Axes, settings: Settings) -> dict:
    """The ends of exact runs of one instance, which have expected updates instead of sampled groups."""
    out = empty(inner, EXACT)
    instance = instance_at(point, settings)
    points = ((index, {**point, **here}) for index, here in product(inner))
    for index, result in runs_at(points, instance, settings, sampled=False):
        out["exact_success_rate"][index] = result.final_success_rate
        out["exact_failure_rate"][index] = result.final_failure_rate
        out["exact_lost_share"][index] = result.lost_share
    return out


def compute_sampled(point: Point, inner: Axes, settings: Settings) -> dict:
    """The ends of sampled runs of one instance, and how many prompts they lose."""
    out = empty(inner, SAMPLED)
    instance = instance_at(point, settings)
    points = ((index, {**point, **here}) for index, here in product(inner))
    for index, result in runs_at(points, instance, settings, sampled=True):
        out["final_success_rate"][index] = result.final_success_rate
        out["final_failure_rate"][index] = result.final_failure_rate
        out["lost_share"][index] = result.lost_share
    return out


def compute_curves(point: Point, inner: Axes, settings: Settings) -> dict:
    """Learning curves of sampled runs of one instance, at a few iterations.

    These are the same runs as those of `compute_sampled` at the same learning rate. The group size is the setting
    curve_group_size.
    """
    out = empty(inner, CURVES)
    instance = instance_at(point, settings)
    kept = np.array([int(number(value)) for value in inner["iteration"]])
    order = np.argsort(kept, kind="stable")
    size = {"group_size": canonical(settings["curve_group_size"])}
    points = (
        (curve, {**point, **here, **size, LEARNING_RATE: here[CURVE]})
        for _, curve, here in rows(inner, "iteration")
    )
    for curve, result in runs_at(points, instance, settings, sampled=True, record=kept[order]):
        out["curve_success_rate"][curve][order] = result.success_rate
        out["curve_lost_share"][curve][order] = (result.prompt_success_rate < LOST).mean(axis=1)
    return out


# the features of the prompts are random, so exact runs are random too
MEASUREMENTS.add("exact_prompt_runs")(
    Measurement(
        EXACT, compute_exact, inner=INNER, settings=SETTINGS, random=True, cost=exact_cost, check=check
    )
)
MEASUREMENTS.add("sampled_prompt_runs")(
    Measurement(
        SAMPLED, compute_sampled, inner=INNER, settings=SETTINGS, random=True, cost=sampled_cost, check=check
    )
)
MEASUREMENTS.add("prompt_curves")(
    Measurement(
        CURVES,
        compute_curves,
        inner=INNER,
        together=("iteration",),
        settings=(*SETTINGS, "curve_group_size"),
        random=True,
        cost=sampled_cost,
        check=check_curves,
    )
)
