"""Half-kept learning rates under optimizers, clips, schedules and several steps a batch, exact and in sampled groups.

Several sweeps of a study measure the same along different axes, and their variables need different names in the
dataset. So there is one measurement for each of `SWEEPS`, and they differ only in the names of their variables.
"""

import functools
import itertools
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, product
from ..thresholds import sampled
from ..thresholds.exact import Search
from ..training import rules
from ..training.optimizers import OPTIMIZERS
from ..training.run import check_minibatches
from ..values import number
from . import FAMILY_SETTINGS, check_instances, instance_at

#: Axes that are settings of the optimizer.
OF_OPTIMIZER = ("momentum", "beta1", "beta2")
#: Axes that are arguments of `training.run.train` with the same name: real numbers, and whole numbers.
NUMBERS = ("clip_norm", "clip_range", "clip_range_high", "kl_coef")
WHOLE = ("steps_per_batch", "minibatches", "delay")
#: Values of the axis `dynamic_sampling`: groups that make an update.
GROUPS = ("all", "mixed")
#: For each measurement `optimizer_NAME`: the end of the labels of its variables, whether groups are sampled, and
#: about how many times as long a point takes as one of a single step a batch, over failure rates.
SWEEPS = {
    "lengths": ("against response length", False, 1),
    "failure_rates": ("against the failure rate", False, 1.5),
    "momenta": ("against momentum", False, 1),
    "clips": ("against the largest norm of an update", False, 1),
    "groups": ("against group size and failure rate", True, 1),
    "sampled_lengths": ("against response length", True, 1),
    "mixed_groups": ("with dynamic sampling", True, 2),
    "steps": ("against steps a batch", False, 16),
    "clipped_steps": ("against steps a batch, ratios clipped", False, 12),
    "sampled_steps": ("against steps a batch", True, 2.5),
    "minibatches": ("against minibatches of different responses", True, 2),
    "step_lengths": ("of several steps a batch, against response length", True, 2.5),
    "plain_rules": ("of each rule", True, 0.5),
    "adam_rules": ("of each rule", True, 0.5),
}


def options_at(point: Point) -> dict[str, Any]:
    """Arguments of `training.run.train` at a point: optimizer, its settings, clips, schedule, and use of a batch.

    Parameters
    ----------
    point : mapping
        Canonical coordinates. For those that are missing, the defaults of `train` hold.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        If the point has a setting that its optimizer lacks.

    Examples
    --------
    >>> options_at({"optimizer": "adam", "beta2": "0.95"})
    {'optimizer': 'adam', 'optimizer_settings': {'beta2': 0.95}}
    """
    name = point.get("optimizer", "sgd")
    given = {axis: number(point[axis]) for axis in OF_OPTIMIZER if axis in point}
    try:
        OPTIMIZERS.find(name).complete(given)
    except ConfigError as error:
        raise ConfigError(f"optimizer {name!r}: {error}") from None
    found: dict[str, Any] = {"optimizer": name, "optimizer_settings": given}
    found |= {name: number(point[name]) for name in NUMBERS if name in point}
    found |= {name: int(number(point[name])) for name in WHOLE if name in point}
    found |= {name: point[name] for name in ("schedule", "ratio") if name in point}
    if "dynamic_sampling" in point:
        found["dynamic_sampling"] = point["dynamic_sampling"] == GROUPS[1]
    return found


def check_optimizers(axes: Axes, in_groups: bool) -> None:
    """Check that every optimizer has its settings, and that rules have sampled forms where they need them."""
    names = ("optimizer", *OF_OPTIMIZER)
    for _, point in product(axes, [name for name in axes if name in names]):
        options_at(point)
    if in_groups:
        for _, point in product(
            axes, [name for name in ("rule", "advantage", "aggregation") if name in axes]
        ):
            rules.sampled(*rules.of_point(point))


def check(in_groups: bool, axes: Axes, settings: Settings) -> None:
    """Check that every instance exists, every optimizer has its settings, and rules have sampled forms."""
    check_instances(axes, settings)
    check_optimizers(axes, in_groups)
    if in_groups and "minibatches" in axes:
        for size, parts in itertools.product(axes["group_size"], axes["minibatches"]):
            check_minibatches(int(number(parts)), int(number(size)))


def compute(sweep: str, in_groups: bool, point: Point, inner: Axes, settings: Settings) -> dict[str, Any]:
    """The half-kept learning rate at one point."""
    instance = instance_at(point, settings)
    rule, options = rules.of_point(point), options_at(point)
    found = {f"long_length_{sweep}": instance.max_length}
    if not in_groups:
        rate = sampled.half_kept_exact(instance, *rule, iterations=settings["iterations"], **options)
        return {f"half_kept_{sweep}": rate, **found}
    half = sampled.half_kept(
        instance,
        *rule,
        group_size=int(number(point["group_size"])),
        iterations=settings["sampled_iterations"],
        replicates=settings["replicates"],
        seed=settings["seed"],
        coordinates=point,
        **options,
    )
    return {**half_kept_values(sweep, half), **found}


def half_kept_values(name: str, found: sampled.HalfKept) -> dict[str, Any]:
    """A half-kept learning rate as the variables that `half_kept_variables` declares."""
    return {
        f"half_kept_{name}": found.learning_rate,
        f"half_kept_{name}_low": found.low,
        f"half_kept_{name}_high": found.high,
        f"search_{name}": np.int8(found.search),
    }


def half_kept_variables(name: str, title: str, description: str, interval: str) -> dict[str, Variable]:
    """The variables of a half-kept learning rate: estimate, interval, and how the search ended.

    Parameters
    ----------
    name : str
        End of the variables' names.
    title : str
        What is measured, for labels of figures.
    description, interval : str
        What the estimate is, and what its interval is over.
    """
    return {
        f"half_kept_{name}": Variable(title, "1", description, undefined=True),
        f"half_kept_{name}_low": Variable(f"{title}, lower end", "1", interval, undefined=True),
        f"half_kept_{name}_high": Variable(f"{title}, upper end", "1", interval, undefined=True),
        f"search_{name}": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    }


def variables(sweep: str, against: str, in_groups: bool) -> dict[str, Variable]:
    """The variables of the measurement of a sweep. Exact runs have no interval, and no record of the search."""
    how = "mean final J over replicates" if in_groups else "mean final J over starts of the exact dynamics"
    found = half_kept_variables(
        sweep,
        f"half-kept learning rate {against}",
        f"Where the {how} falls through halfway between its best and collapsed level; nan where there is no such "
        "learning rate.",
        "Of the 95 % bootstrap interval.",
    )
    length = Variable(
        "length of a long response", "tokens", "N, the length of a response that can fail.", integer=True
    )
    estimate = f"half_kept_{sweep}"
    return {**(found if in_groups else {estimate: found[estimate]}), f"long_length_{sweep}": length}


def cost(in_groups: bool, times: float, settings: Settings) -> float:
    """Seconds for a point: runs at about 15 learning rates. Small groups with rare failures take longest.

    Exact: 24 starts, 0.5 µs an iteration. Sampled: 0.03 µs a group, fifty times the least iterations.
    """
    if in_groups:
        return times * 15 * 1.5e-6 * settings["sampled_iterations"] * settings["replicates"]
    return times * 15 * 24 * 0.5e-6 * settings["iterations"]


for _name, (_against, _in_groups, _times) in SWEEPS.items():
    MEASUREMENTS.add(f"optimizer_{_name}")(
        Measurement(
            variables(_name, _against, _in_groups),
            functools.partial(compute, _name, _in_groups),
            settings=(
                *FAMILY_SETTINGS,
                *(("sampled_iterations", "replicates") if _in_groups else ("iterations",)),
            ),
            random=_in_groups,
            cost=functools.partial(cost, _in_groups, _times),
            check=functools.partial(check, _in_groups),
        )
    )
