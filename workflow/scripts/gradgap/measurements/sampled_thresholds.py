"""Half-kept learning rates of sampled groups, with bootstrap intervals, and their limit as groups grow."""

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, empty, product
from ..thresholds import sampled
from ..thresholds.exact import Search
from ..training import rules
from ..values import number
from . import FAMILY_SETTINGS, RULE, check_instances, instance_at

VARIABLES = {
    "half_kept_learning_rate": Variable(
        "half-kept learning rate",
        "1",
        "Where the mean final J over replicates falls through halfway between its best and collapsed level; nan "
        "where no scanned learning rate kept half, or all did.",
        undefined=True,
    ),
    "half_kept_learning_rate_low": Variable(
        "half-kept learning rate, lower end", "1", "Of the 95 % bootstrap interval.", undefined=True
    ),
    "half_kept_learning_rate_high": Variable(
        "half-kept learning rate, upper end", "1", "Of the 95 % bootstrap interval.", undefined=True
    ),
    "sampled_search": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    "half_kept_learning_rate_exact": Variable(
        "half-kept learning rate, exact",
        "1",
        "The same crossing of the exact dynamics; nan where there is none.",
        drop=("group_size",),
        undefined=True,
    ),
}


def cost(settings: Settings) -> float:
    """Seconds for a point: about 7 runs for each replicate, with 1.3 µs for each update."""
    return 9e-6 * settings["sampled_iterations"] * settings["replicates"]


def check(axes: Axes, settings: Settings) -> None:
    """Check that every instance exists, and every rule has a sampled form."""
    check_instances(axes, settings)
    for _, point in product(axes, [name for name in axes if name in RULE]):
        rules.sampled(*rules.of_point(point))


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one instance and rule over group sizes."""
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    rule = rules.of_point(point)
    for index, here in product(inner):
        at = {**point, **here}
        found = sampled.half_kept(
            instance,
            *rule,
            group_size=int(number(at["group_size"])),
            iterations=settings["sampled_iterations"],
            replicates=settings["replicates"],
            seed=settings["seed"],
            coordinates=at,
        )
        out["half_kept_learning_rate"][index] = found.learning_rate
        out["half_kept_learning_rate_low"][index] = found.low
        out["half_kept_learning_rate_high"][index] = found.high
        out["sampled_search"][index] = found.search
    out["half_kept_learning_rate_exact"][()] = sampled.half_kept_exact(
        instance, *rule, iterations=settings["sampled_iterations"]
    )
    return out


MEASUREMENTS.add("sampled_thresholds")(
    Measurement(
        VARIABLES,
        compute,
        inner=("group_size",),
        settings=(*FAMILY_SETTINGS, "sampled_iterations", "replicates"),
        split=("family",),
        random=True,
        cost=cost,
        check=check,
    )
)
