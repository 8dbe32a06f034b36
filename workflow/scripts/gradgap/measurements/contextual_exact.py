"""Exact runs on prompts that share parameters: the expected update in place of sampled groups."""

from . import Axes, Progress, Settings, Variable, empty, locator, product, prompts
from .contextual_sampled import INSTANCE
from .prompts import instance_at, run_at

VARIABLES = {
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
SETTINGS = prompts.SETTINGS
SPLIT = ()
RANDOM = True  # the features are
check = prompts.check


def cost(settings: Settings) -> float:
    """Seconds a run: about 2 ns a feature."""
    return 2e-9 * prompts.size(settings)


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over length × success rate × schedule × rule × step × replicate."""
    out = empty(axes, VARIABLES)
    names = tuple(axes)
    inner = [name for name in names if name not in INSTANCE]
    instances = list(product(axes, INSTANCE))
    index_of = locator(axes, names)
    for done, (_, outer_point) in enumerate(instances):
        instance = instance_at(outer_point, settings)
        for _, inner_point in product(axes, inner):
            point = outer_point | inner_point
            result = run_at(point, instance, settings, sampled=False)
            index = index_of(point)
            out["exact_success_rate"][index] = result.final_success_rate
            out["exact_failure_rate"][index] = result.final_failure_rate
            out["exact_lost_share"][index] = result.lost_share
        progress(done + 1, len(instances))
    return out
