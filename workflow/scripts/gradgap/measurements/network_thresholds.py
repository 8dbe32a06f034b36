"""Critical learning rates of networks against length, and success rates around them."""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import replace

from ..thresholds.exact import Search
from ..training import rules
from ..training.rules import AGGREGATIONS
from ..values import canonical, failure_rate, number
from . import Axes, Progress, Settings, Variable, empty, product

log = logging.getLogger(__name__)

CRITICAL = {
    "critical": Variable(
        "critical learning rate",
        "1",
        "Where the mean over replicates of the success rate of what the network writes falls through one half at the "
        "end of a run; nan where no learning rate in reach kept half, or all did. Random numbers and sums are those "
        "of JAX: the same bits on one kind of machine, within the interval on others.",
        undefined=True,
    ),
    "critical_low": Variable(
        "critical learning rate, lower end",
        "1",
        "Of the 95 % bootstrap interval over replicates.",
        undefined=True,
    ),
    "critical_high": Variable(
        "critical learning rate, upper end",
        "1",
        "Of the 95 % bootstrap interval over replicates.",
        undefined=True,
    ),
    "search": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    "runs": Variable("runs", "1", "Runs that the search took.", integer=True),
}
#: Variables that do not depend on a place around the threshold.
VARIABLES = {
    **{name: replace(variable, drop=("step_ratio",)) for name, variable in CRITICAL.items()},
    "success_around": Variable(
        "success rate around the threshold",
        "1",
        "Mean over replicates of the success rate at the end of runs at the rung of the ladder of learning rates "
        "next to step_ratio times the critical one; nan where that is not known.",
        undefined=True,
    ),
}
NETWORK_SETTINGS = (
    "start_success_rate",
    "width",
    "groups",
    "responses_a_group",
    "iterations",
    "replicates",
    "clip",
    "judge",
)
SETTINGS = (*NETWORK_SETTINGS, "length_rule")
SPLIT = ("task", "network")
TOGETHER = ("step_ratio",)
RANDOM = True
#: Conda environment of its jobs.
ENVIRONMENT = "networks"


def cost(settings: Settings) -> float:
    """Seconds a point: some 50 runs, an iteration being some 6 ms at the lengths of the default."""
    return 50 * 6e-3 * settings["iterations"] * settings["replicates"] / 4 + 5


def task_at(point: Mapping[str, str], settings: Settings):
    """Task at a point and the success rate its network starts with, without pre-training it."""
    from ..networks import tasks

    return tasks.task(point["task"], int(number(point["length"])), failure_rate(rate_at(point, settings)))


def rate_at(point: Mapping[str, str], settings: Settings) -> str:
    """Asked success rate at the start, as text: the point's own, or the one set for its task."""
    return (
        point["success_rate"]
        if "success_rate" in point
        else canonical(settings["start_success_rate"][point["task"]])
    )


def check_points(axes: Axes, settings: Settings, fixed: Mapping[str, str]) -> None:
    """Every task, network, optimizer and rule exists."""
    from ..networks import policies, training

    names = [name for name in axes if name not in ("step_ratio", "replicate", "iteration")]
    for _, free in product(axes, names):
        point = {**fixed, **free}
        task, _ = task_at(point, settings)
        policies.network(point["network"], task.vocabulary, task.symbols, settings["width"] or task.width)
        training.Setup(optimizer=point["optimizer"])
        rules.sampled(*rules.rule(point["rule"]))


def check(axes: Axes, settings: Settings) -> None:
    check_points(axes, settings, {"rule": settings["length_rule"]})


def setup_at(point: Mapping[str, str], settings: Settings, **others):
    """What all runs at a point share."""
    from ..networks.training import Setup

    clip = settings["clip"]
    return Setup(
        optimizer=point["optimizer"],
        iterations=settings["iterations"],
        groups=settings["groups"],
        group_size=settings["responses_a_group"],
        clip=clip or math.inf,
        judge=settings["judge"],
        **others,
    )


def instances_at(point: Mapping[str, str], settings: Settings) -> list:
    """The network that each replicate starts from; the same for all optimizers and rules."""
    from ..networks import cache
    from ..networks.instance import instance

    cache.keep_compiled()
    return [
        instance(
            point["task"],
            int(number(point["length"])),
            failure_rate(rate_at(point, settings)),
            kind=point["network"],
            width=settings["width"] or None,
            seed=settings["seed"],
            replicate=str(replicate),
        )
        for replicate in range(settings["replicates"])
    ]


def first_rung(point: Mapping[str, str], task) -> int:
    """A rung near most thresholds found so far; a search may start anywhere."""
    from ..thresholds.sampled import RUNGS

    divisor = AGGREGATIONS.find(rules.rule(point["rule"])[1]).divisor(task)
    guess = 0.06 if point["optimizer"] == "adamw" else 8.0 / task.length * divisor
    return round(math.log10(guess) * RUNGS)


def threshold_at(point: Mapping[str, str], settings: Settings, instances=None):
    """Critical learning rate at a point, and the function that runs and remembers.

    Parameters
    ----------
    point : mapping
        Canonical ``task``, ``network``, ``length``, ``optimizer``, ``rule``, and ``success_rate`` where it is not
        the task's.
    settings : mapping
    instances : list of Instance, optional
        One a replicate.

    Returns
    -------
    Critical
    callable
        ``success(rung, replicate)``.
    """
    from ..networks import critical, instance, training
    from ..numerics import streams
    from ..thresholds.sampled import rung_text

    started = time.process_time()
    instances = instances or instances_at(point, settings)
    prepared = time.process_time()
    setup = setup_at(point, settings)
    known: dict[tuple[int, int], float] = {}

    def success(rung: int, replicate: int) -> float:
        if (rung, replicate) not in known:
            own = {"step_size": rung_text(rung), "replicate": str(replicate)}
            curve = training.run(
                instances[replicate],
                *rules.rule(point["rule"]),
                float(own["step_size"]),
                instance.key(settings["seed"], {**point, **own}),
                setup,
            )
            known[rung, replicate] = int(curve.right) / setup.judge
        return known[rung, replicate]

    bits = streams.state(settings["seed"], {**point, "draws": "bootstrap"})
    found = critical.critical(success, first_rung(point, instances[0].task), settings["replicates"], bits)
    log.info(
        "%s: critical %.4g (%.4g to %.4g), %d runs of %d iterations, %.1f s after %.1f s of preparation",
        " ".join(f"{name}={value}" for name, value in point.items()),
        found.learning_rate,
        found.low,
        found.high,
        found.runs,
        setup.iterations,
        time.process_time() - prepared,
        prepared - started,
    )
    return found, success


def fill(out: dict, index: tuple[int, ...], found, prefix: str = "") -> None:
    """Write what was found into the arrays of `CRITICAL`, whose names have that prefix."""
    out[f"{prefix}critical"][index] = found.learning_rate
    out[f"{prefix}critical_low"][index] = found.low
    out[f"{prefix}critical_high"][index] = found.high
    out[f"{prefix}search"][index] = found.search
    out[f"{prefix}runs"][index] = found.runs


def simulate_critical(axes: Axes, settings: Settings, progress: Progress, fixed, prefix: str) -> dict:
    """The variables of `CRITICAL` over all axes, with coordinates that are the same at every point."""
    out = empty(axes, {f"{prefix}{name}": variable for name, variable in CRITICAL.items()})
    points = list(product(axes, tuple(axes)))
    for done, (index, point) in enumerate(points):
        found, _ = threshold_at({**fixed, **point}, settings)
        fill(out, index, found, prefix)
        progress(done + 1, len(points))
    return out


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over task × network × length × optimizer, and success over step_ratio beside them."""
    from ..thresholds.sampled import RUNGS

    out = empty(axes, VARIABLES)
    names = [name for name in axes if name != "step_ratio"]
    points = list(product(axes, names))
    ratios = [number(text) for text in axes["step_ratio"]]
    for done, (index, point) in enumerate(points):
        found, success = threshold_at({**point, "rule": settings["length_rule"]}, settings)
        fill(out, index, found)
        out["success_around"][index] = math.nan
        if found.search is Search.found:
            for i, ratio in enumerate(ratios):
                rung = round(math.log10(found.learning_rate * ratio) * RUNGS)
                values = [success(rung, replicate) for replicate in range(settings["replicates"])]
                out["success_around"][(*index, i)] = sum(values) / len(values)
        progress(done + 1, len(points))
    return out
