"""Half-kept learning rates under different optimizers, for prompts that share parameters (family `contextual`).

The features of an instance are random, so results are means over instances. Exact runs have as many updates as runs
in groups. There is one measurement for each of `SWEEPS`, which differ only in the names of their variables.
"""

import functools
from typing import Any

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..thresholds import sampled
from ..training import rules
from ..values import number
from . import prompt_runs
from .optimizer_thresholds import check_optimizers, half_kept_values, half_kept_variables, options_at

#: For each measurement `prompt_NAME`: the end of the labels of its variables, and whether groups are sampled.
SWEEPS = {
    "optimizers": ("with shared parameters", False),
    "plain_rules": ("of each rule, with shared parameters", True),
    "adam_rules": ("of each rule, with shared parameters", True),
}


def compute(sweep: str, in_groups: bool, point: Point, inner: Axes, settings: Settings) -> dict[str, Any]:
    """The half-kept learning rate at one point."""
    count = min(settings["replicates"], sampled.STARTS) if not in_groups else settings["replicates"]
    half = sampled.half_kept_of_prompts(
        [prompt_runs.instance_at({**point, "replicate": str(i)}, settings) for i in range(count)],
        *rules.of_point(point),
        group_size=int(number(point["group_size"])) if in_groups else None,
        iterations=settings["sampled_iterations"],
        seed=settings["seed"],
        coordinates=point,
        **options_at(point),
    )
    return half_kept_values(f"prompt_{sweep}", half)


def variables(sweep: str, about: str) -> dict[str, Variable]:
    """The variables of the measurement of a sweep."""
    return half_kept_variables(
        f"prompt_{sweep}",
        f"half-kept learning rate {about}",
        "Where the mean final J over instances falls through halfway between 1 and that of random answers; nan where "
        "there is no such learning rate.",
        "Of the 95 % bootstrap interval over instances.",
    )


def check(in_groups: bool, axes: Axes, settings: Settings) -> None:
    """Check that every instance exists, every optimizer has its settings, and rules have sampled forms."""
    prompt_runs.check_instances(axes, settings)
    check_optimizers(axes, in_groups)


def cost(in_groups: bool, settings: Settings) -> float:
    """Seconds for a point: 8 instances at 20 learning rates, and all at about 8."""
    of_run = prompt_runs.sampled_cost if in_groups else prompt_runs.exact_cost
    runs = 160 + 8 * settings["replicates"]
    return runs * of_run({**settings, "iterations": settings["sampled_iterations"]})


for _name, (_about, _in_groups) in SWEEPS.items():
    MEASUREMENTS.add(f"prompt_{_name}")(
        Measurement(
            variables(_name, _about),
            functools.partial(compute, _name, _in_groups),
            settings=(*prompt_runs.FEATURES, "sampled_iterations", "replicates"),
            random=True,
            cost=functools.partial(cost, _in_groups),
            check=functools.partial(check, _in_groups),
        )
    )
