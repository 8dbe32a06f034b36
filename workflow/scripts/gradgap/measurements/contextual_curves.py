"""Learning curves of sampled runs on prompts that share parameters, at a few updates along each run."""

from ..errors import ConfigError
from ..training import prompts
from ..values import canonical, number
from . import Axes, Progress, Settings, Variable, contextual_sampled, empty, locator, product
from . import prompts as contextual
from .contextual_sampled import INSTANCE
from .prompts import instance_at, run_at

VARIABLES = {
    "curve_success_rate": Variable("success rate", "1", "Mean J over prompts after that many updates."),
    "curve_lost_share": Variable(
        "share of prompts lost", "1", "Share of prompts whose J_q is below 0.01 after that many updates."
    ),
}
SETTINGS = (*contextual.SETTINGS, "curve_group_size")
SPLIT = ()
TOGETHER = ("iteration",)
RANDOM = True
cost = contextual_sampled.cost


def check(axes: Axes, settings: Settings) -> None:
    """Refuse updates after the end of a run, beside instances that do not exist."""
    contextual.check(axes, settings)
    last = max(int(number(value)) for value in axes["iteration"])
    if last > settings["iterations"]:
        raise ConfigError(
            f"iteration: {last} is not allowed; a run has iterations = {settings['iterations']} updates"
        )


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over length × success rate × rule × curve step × replicate × iteration.

    The runs are those of the sampled sweep at the same step, the group size being the setting
    curve_group_size.
    """
    out = empty(axes, VARIABLES)
    names = [name for name in axes if name != "iteration"]
    inner = [name for name in names if name not in INSTANCE]
    at = [int(number(value)) for value in axes["iteration"]]
    instances = list(product(axes, INSTANCE))
    index_of = locator(axes, names)
    for done, (_, outer_point) in enumerate(instances):
        instance = instance_at(outer_point, settings)
        for _, inner_point in product(axes, inner):
            point = outer_point | inner_point
            same = point | {
                "group_size": canonical(settings["curve_group_size"]),
                "effective_step_size": point["curve_step_size"],
            }
            result = run_at(same, instance, settings, sampled=True)
            index = index_of(point)
            out["curve_success_rate"][index] = result.success_rate[at]
            out["curve_lost_share"][index] = (result.prompt_success_rate[at] < prompts.LOST).mean(axis=1)
        progress(done + 1, len(instances))
    return out
