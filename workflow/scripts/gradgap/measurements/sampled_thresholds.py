"""Critical learning rates of sampled dynamics, with bootstrap intervals, and their limit as groups grow."""

import itertools

from ..thresholds import sampled
from ..thresholds.exact import Search
from ..training import rules
from ..values import number
from . import FAMILY_SETTINGS, Axes, Progress, Settings, Variable, empty, instance_at, product

VARIABLES = {
    "sampled_critical": Variable(
        "sampled critical learning rate",
        "1",
        "Where the mean final J over replicates falls through halfway between its best and collapsed level; nan "
        "where no scanned learning rate kept half, or all did.",
        undefined=True,
    ),
    "sampled_critical_low": Variable(
        "sampled critical learning rate, lower end", "1", "Of the 95 % bootstrap interval.", undefined=True
    ),
    "sampled_critical_high": Variable(
        "sampled critical learning rate, upper end", "1", "Of the 95 % bootstrap interval.", undefined=True
    ),
    "sampled_search": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    "halfway": Variable(
        "exact limit of the sampled critical learning rate",
        "1",
        "The same crossing of the exact dynamics; nan where there is none.",
        drop=("group_size",),
        undefined=True,
    ),
}
SETTINGS = (*FAMILY_SETTINGS, "sampled_iterations", "replicates")
SPLIT = ("family",)
RANDOM = True


def cost(settings: Settings) -> float:
    """Seconds a point: some 50 runs a replicate of about 0.5 µs an update."""
    return 2.5e-5 * settings["sampled_iterations"] * settings["replicates"]


def check(axes: Axes, settings: Settings) -> None:
    """Every instance exists, and every rule has a sampled form."""
    names = [name for name in axes if name not in ("group_size", "rule", "advantage", "aggregation")]
    for _, point in product(axes, names):
        instance_at(point, settings)
    for _, point in product(axes, [name for name in axes if name in ("rule", "advantage", "aggregation")]):
        rules.sampled(*rules.of_point(point))


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over instance × rule × group size; the rule is two axes, or the axis rule."""
    out = empty(axes, VARIABLES)
    points = list(product(axes, tuple(axes)))
    for done, (index, point) in enumerate(points):
        instance = instance_at(point, settings)
        rule = rules.of_point(point)
        found = sampled.critical(
            instance,
            *rule,
            group_size=int(number(point["group_size"])),
            iterations=settings["sampled_iterations"],
            replicates=settings["replicates"],
            seed=settings["seed"],
            coordinates=point,
        )
        out["sampled_critical"][index] = found.learning_rate
        out["sampled_critical_low"][index] = found.low
        out["sampled_critical_high"][index] = found.high
        out["sampled_search"][index] = found.search
        kept = tuple(itertools.compress(index, (name != "group_size" for name in axes)))
        out["halfway"][kept] = sampled.exact(instance, *rule, iterations=settings["sampled_iterations"])
        progress(done + 1, len(points))
    return out
