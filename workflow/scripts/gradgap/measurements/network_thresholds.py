"""Half-kept learning rates of networks against length, and success rates around them.

The tasks, networks and settings of networks are described here, where no JAX is needed, so that documentation and
every other study do without it. Whatever trains a network imports `gradgap.networks` when it is called.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..plugins import Registry
from ..settings import SETTINGS, Setting
from ..sweep.axes import AXES, Axis
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, product
from ..thresholds.exact import Search
from ..training import rules
from ..training.rules import AGGREGATIONS
from ..values import canonical, failure_rate, number

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskName:
    """What a configuration needs to know of a task of `gradgap.networks.tasks`.

    Attributes
    ----------
    usual : mapping of str to float
        Defaults of settings that are given by task.
    """

    usual: Mapping[str, float]


#: Tasks of networks by name.
TASKS: Registry[TaskName] = Registry("task")
TASKS.add("window")(TaskName({"start_success_rate": 0.2}))
TASKS.add("sum")(TaskName({"start_success_rate": 0.5}))
TASKS.add("gated")(TaskName({"start_success_rate": 0.8}))

AXES.add("task")(
    Axis("label", "task", "1", "What a network is asked for, and what is right.", components=TASKS)
)
AXES.add("network")(
    Axis("label", "network", "1", "Kind of network that is the policy.", choices=("recurrent", "transformer"))
)

SETTINGS.add("start_success_rate")(
    Setting(
        description="Success rate of networks at the start over all responses, for each task.",
        above=0,
        below=1,
        by="task",
    )
)
SETTINGS.add("width")(
    Setting(
        kind="integer",
        description="Width of the recurrent network, 0 for the task's own; other networks are as large.",
        minimum=0,
        maximum=65536,
        default=0,
    )
)
SETTINGS.add("groups")(
    Setting(
        kind="integer",
        description="Groups in a batch of networks, each with a prompt of its own.",
        minimum=1,
        maximum=2**20,
        default=16,
    )
)
SETTINGS.add("responses_a_group")(
    Setting(
        kind="integer",
        description="Sampled responses n in a group of a batch of networks.",
        minimum=2,
        maximum=2**20,
        default=8,
    )
)
SETTINGS.add("network_clip")(
    Setting(
        description="Largest norm of an update of a network; longer ones are scaled down. 0 for none.",
        minimum=0,
        maximum=1e100,
        default=0,
    )
)
SETTINGS.add("judge")(
    Setting(
        kind="integer",
        description="Fresh responses by which the end of a network's run is judged.",
        minimum=1,
        maximum=2**20,
        default=512,
    )
)
SETTINGS.add("length_rule")(
    Setting(
        kind="label",
        description="Update rule of networks where length or success rate varies.",
        default="grpo/seq-mean-token-sum",
    )
)
SETTINGS.add("rule_length")(
    Setting(
        kind="integer",
        description="Mean length at which update rules of networks are set side by side, in tokens.",
        minimum=2,
        maximum=2**20,
        multiple=2,
        default=16,
    )
)
SETTINGS.add("failure_length")(
    Setting(
        kind="integer",
        description="Mean length at which the success rate of networks on gated varies, in tokens.",
        minimum=2,
        maximum=2**20,
        multiple=2,
        default=8,
    )
)

HALF_KEPT = {
    "half_kept_learning_rate": Variable(
        "half-kept learning rate",
        "1",
        "Where the mean over replicates of the success rate of what the network writes falls through one half at the "
        "end of a run; nan where no learning rate in reach kept half, or all did. Random numbers and sums are those "
        "of JAX: the same bits on one kind of machine, within the interval on others.",
        undefined=True,
    ),
    "half_kept_learning_rate_low": Variable(
        "half-kept learning rate, lower end",
        "1",
        "Of the 95 % bootstrap interval over replicates.",
        undefined=True,
    ),
    "half_kept_learning_rate_high": Variable(
        "half-kept learning rate, upper end",
        "1",
        "Of the 95 % bootstrap interval over replicates.",
        undefined=True,
    ),
    "search": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    "runs": Variable("runs", "1", "Runs that the search took.", integer=True),
}
#: Of these, only the last depends on a place around the threshold.
VARIABLES = {
    **{name: replace(variable, drop=("learning_rate_ratio",)) for name, variable in HALF_KEPT.items()},
    "success_around": Variable(
        "success rate around the threshold",
        "1",
        "Mean over replicates of the success rate at the end of runs at the rung of the ladder of learning rates "
        "next to learning_rate_ratio times the half-kept one; nan where that is not known.",
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
    "network_clip",
    "judge",
)


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

    names = [name for name in axes if name not in ("learning_rate_ratio",)]
    for _, free in product(axes, names):
        point = {**fixed, **free}
        task, _ = task_at(point, settings)
        policies.network(point["network"], task.vocabulary, task.symbols, settings["width"] or task.width)
        training.Setup(optimizer=point["optimizer"])
        rules.sampled(*rules.rule(point["rule"]))


def check(axes: Axes, settings: Settings) -> None:
    """Every task, network and optimizer exists."""
    check_points(axes, settings, {"rule": settings["length_rule"]})


def setup_at(point: Mapping[str, str], settings: Settings, **others):
    """What all runs at a point share."""
    from ..networks.training import Setup

    clip = settings["network_clip"]
    return Setup(
        optimizer=point["optimizer"],
        iterations=settings["iterations"],
        groups=settings["groups"],
        group_size=settings["responses_a_group"],
        clip=clip or math.inf,
        judge=settings["judge"],
        **others,
    )


def instance_at(point: Mapping[str, str], settings: Settings, replicate: str):
    """The network that a replicate starts from; the same for all optimizers and rules."""
    from ..networks import cache
    from ..networks.instance import instance

    cache.keep_compiled()
    return instance(
        point["task"],
        int(number(point["length"])),
        failure_rate(rate_at(point, settings)),
        kind=point["network"],
        width=settings["width"] or None,
        seed=settings["seed"],
        replicate=replicate,
    )


def first_rung(point: Mapping[str, str], task) -> int:
    """A rung near most thresholds found so far; a search may start anywhere."""
    from ..thresholds.sampled import RUNGS

    divisor = AGGREGATIONS.find(rules.rule(point["rule"])[1]).divisor(task)
    guess = 0.06 if point["optimizer"] == "adam" else 8.0 / task.length * divisor
    return round(math.log10(guess) * RUNGS)


def threshold_at(point: Mapping[str, str], settings: Settings):
    """Half-kept learning rate at a point, and the function that runs and remembers.

    Parameters
    ----------
    point : mapping
        Canonical ``task``, ``network``, ``length``, ``optimizer``, ``rule``, and ``success_rate`` where it is not
        the task's.
    settings : mapping

    Returns
    -------
    NetworkHalfKept
    callable
        ``success(rung, replicate)``.
    """
    from ..networks import half_kept, instance, training
    from ..numerics import streams
    from ..thresholds.sampled import rung_text

    started = time.process_time()
    instances = [instance_at(point, settings, str(i)) for i in range(settings["replicates"])]
    prepared = time.process_time()
    setup = setup_at(point, settings)
    known: dict[tuple[int, int], float] = {}

    def success(rung: int, replicate: int) -> float:
        if (rung, replicate) not in known:
            own = {"learning_rate": rung_text(rung), "replicate": str(replicate)}
            curve = training.run(
                instances[replicate],
                *rules.rule(point["rule"]),
                float(own["learning_rate"]),
                instance.key(settings["seed"], {**point, **own}),
                setup,
            )
            known[rung, replicate] = int(curve.right) / setup.judge
        return known[rung, replicate]

    bits = streams.state(settings["seed"], {**point, "draws": "bootstrap"})
    found = half_kept.half_kept(success, first_rung(point, instances[0].task), settings["replicates"], bits)
    log.info(
        "%s: half-kept %.4g (%.4g to %.4g), %d runs of %d iterations, %.1f s after %.1f s of preparation",
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


def values(found, prefix: str = "") -> dict:
    """What was found, by the names of `HALF_KEPT` with that prefix."""
    return {
        f"{prefix}half_kept_learning_rate": found.learning_rate,
        f"{prefix}half_kept_learning_rate_low": found.low,
        f"{prefix}half_kept_learning_rate_high": found.high,
        f"{prefix}search": found.search,
        f"{prefix}runs": found.runs,
    }


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables at a task, network, length and optimizer, and success over learning_rate_ratio beside them."""
    from ..thresholds.sampled import RUNGS

    found, success = threshold_at({**point, "rule": settings["length_rule"]}, settings)
    around = np.full(len(inner["learning_rate_ratio"]), math.nan)
    if found.search is Search.found:
        for i, ratio in enumerate(map(number, inner["learning_rate_ratio"])):
            rung = round(math.log10(found.learning_rate * ratio) * RUNGS)
            around[i] = sum(success(rung, j) for j in range(settings["replicates"])) / settings["replicates"]
    return {**values(found), "success_around": around}


MEASUREMENTS.add("network_thresholds")(
    Measurement(
        VARIABLES,
        compute,
        inner=("learning_rate_ratio",),
        together=("learning_rate_ratio",),
        settings=(*NETWORK_SETTINGS, "length_rule"),
        split=("task", "network"),
        random=True,
        cost=cost,
        check=check,
        environment="networks",
    )
)
