"""Sampled runs on prompts that share parameters: where they end, and how many prompts they lose."""

from . import Axes, Progress, Settings, Variable, empty, locator, product, prompts
from .prompts import instance_at, run_at

VARIABLES = {
    "final_success_rate": Variable(
        "final success rate", "1", "Mean J over prompts and the last tenth of a run."
    ),
    "final_failure_rate": Variable("final failure rate", "1", "Mean 1 − J, likewise, computed directly."),
    "lost_share": Variable("share of prompts lost", "1", "Share of prompts whose J_q ends below 0.01."),
}
SETTINGS = prompts.SETTINGS
SPLIT = ()
RANDOM = True
check = prompts.check
INSTANCE = ("length", "success_rate", "replicate")


def cost(settings: Settings) -> float:
    """Seconds a run: about 10 ns a feature, in groups of hundreds."""
    return 1e-8 * prompts.size(settings)


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over length × success rate × schedule × rule × group size × step × replicate."""
    out = empty(axes, VARIABLES)
    names = tuple(axes)
    inner = [name for name in names if name not in INSTANCE]
    instances = list(product(axes, INSTANCE))
    index_of = locator(axes, names)
    for done, (_, outer_point) in enumerate(instances):
        instance = instance_at(outer_point, settings)
        for _, inner_point in product(axes, inner):
            point = outer_point | inner_point
            result = run_at(point, instance, settings, sampled=True)
            index = index_of(point)
            out["final_success_rate"][index] = result.final_success_rate
            out["final_failure_rate"][index] = result.final_failure_rate
            out["lost_share"][index] = result.lost_share
        progress(done + 1, len(instances))
    return out
