"""Half-kept learning rates of networks against length, and success rates around them.

Tasks, networks and settings are declared here without JAX, so that other studies and the documentation do not need
it. The functions that train a network import `gradgap.networks` when they are called.
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
    """What a configuration needs to know about a task of `gradgap.networks.tasks`, without importing JAX.

    Attributes
    ----------
    usual : mapping of str to float
        Defaults of the settings that each task has its own value for.
    """

    usual: Mapping[str, float]


#: Tasks of networks by name.
TASKS: Registry[TaskName] = Registry("task")
TASKS.add("window")(TaskName({"start_success_rate": 0.2}))
TASKS.add("sum")(TaskName({"start_success_rate": 0.5}))
TASKS.add("gated")(TaskName({"start_success_rate": 0.8}))

AXES.add("task")(
    Axis("label", "task", "1", "What a network is asked, and which responses are right.", components=TASKS)
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
        description="Width of the recurrent network, 0 for the default of the task; other networks are as large.",
        minimum=0,
        maximum=65536,
        default=0,
    )
)
SETTINGS.add("groups")(
    Setting(
        kind="integer",
        description="Groups in a batch of networks, each with its own prompt.",
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
        description="Mean length at which update rules of networks are compared, in tokens.",
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
        "Where the success rate at the end of a run, of what the network writes and as a mean over replicates, falls "
        "through one half; nan if no learning rate within reach kept half, or all did. Random numbers and sums are "
        "those of JAX: the same bits on one kind of machine, within the interval on others.",
        undefined=True,
    ),
    "half_kept_learning_rate_low": Variable(
        "half-kept learning rate, lower end",
        "1",
        "Lower end of the 95 % bootstrap interval over replicates.",
        undefined=True,
    ),
    "half_kept_learning_rate_high": Variable(
        "half-kept learning rate, upper end",
        "1",
        "Upper end of the 95 % bootstrap interval over replicates.",
        undefined=True,
    ),
    "search": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    "runs": Variable("runs", "1", "Runs that the search took.", integer=True),
}
#: Only `success_around` has values around the threshold, so all other variables drop that axis.
VARIABLES = {
    **{name: replace(variable, drop=("learning_rate_ratio",)) for name, variable in HALF_KEPT.items()},
    "success_around": Variable(
        "success rate around the threshold",
        "1",
        "Success rate at the end of runs, as a mean over replicates, at the rung of the ladder that is next to "
        "learning_rate_ratio times the half-kept learning rate; nan if that is not known.",
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
    """Seconds for a point: about 50 runs, at 6 ms for each iteration with the default lengths."""
    return 50 * 6e-3 * settings["iterations"] * settings["replicates"] / 4 + 5


def task_at(point: Mapping[str, str], settings: Settings):
    """The task at a point, and the success rate at which its network starts. Nothing is pre-trained."""
    from ..networks import tasks

    return tasks.task(point["task"], int(number(point["length"])), failure_rate(rate_at(point, settings)))


def rate_at(point: Mapping[str, str], settings: Settings) -> str:
    """Success rate to start from, as text: that of the point, or else the setting for the task."""
    return (
        point["success_rate"]
        if "success_rate" in point
        else canonical(settings["start_success_rate"][point["task"]])
    )


def check_points(axes: Axes, settings: Settings, fixed: Mapping[str, str]) -> None:
    """Check that every task, network, optimizer and rule exists.

    Parameters
    ----------
    axes : mapping
    settings : mapping
    fixed : mapping
        Coordinates that are not on an axis.

    Raises
    ------
    ConfigError
        If one does not exist.
    """
    from ..networks import policies, training

    names = [name for name in axes if name not in ("learning_rate_ratio",)]
    for _, free in product(axes, names):
        point = {**fixed, **free}
        task, _ = task_at(point, settings)
        policies.network(point["network"], task.vocabulary, task.symbols, settings["width"] or task.width)
        training.Setup(optimizer=point["optimizer"])
        rules.sampled(*rules.rule(point["rule"]))


def check(axes: Axes, settings: Settings) -> None:
    """Check that every task, network and optimizer exists."""
    check_points(axes, settings, {"rule": settings["length_rule"]})


def setup_at(point: Mapping[str, str], settings: Settings, **others):
    """The settings that all runs at a point share, as a `gradgap.networks.training.Setup`."""
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
    """The network from which a replicate starts. All optimizers and rules have the same one."""
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
    """A rung to start a search from. It is near most thresholds found so far, but any other gives the same result."""
    from ..thresholds.sampled import RUNGS

    divisor = AGGREGATIONS.find(rules.rule(point["rule"])[1]).divisor(task)
    guess = 0.06 if point["optimizer"] == "adam" else 8.0 / task.length * divisor
    return round(math.log10(guess) * RUNGS)


def threshold_at(point: Mapping[str, str], settings: Settings):
    """Find the half-kept learning rate at a point.

    Parameters
    ----------
    point : mapping
        Canonical ``task``, ``network``, ``length``, ``optimizer`` and ``rule``, and ``success_rate`` if it is not the
        setting for the task.
    settings : mapping

    Returns
    -------
    NetworkHalfKept
    callable
        ``success(rung, replicate)`` returns the success rate at the end of a run. It remembers the runs of the
        search.
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
    """A half-kept learning rate as the variables of `HALF_KEPT`, with a prefix before their names."""
    return {
        f"{prefix}half_kept_learning_rate": found.learning_rate,
        f"{prefix}half_kept_learning_rate_low": found.low,
        f"{prefix}half_kept_learning_rate_high": found.high,
        f"{prefix}search": found.search,
        f"{prefix}runs": found.runs,
    }


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables at a task, network, length and optimizer, and the success rates around the threshold."""
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
