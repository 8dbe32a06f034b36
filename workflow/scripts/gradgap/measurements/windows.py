"""One-step critical steps on `counting` with a fixed start and a success rate that the window sets."""

import math

from ..bandits.counting import Counting, half_width
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..theory import bounds
from ..thresholds import exact
from ..values import number

VARIABLES = {
    "window_success_rate": Variable("success rate", "1", "J at the start, which follows from the window."),
    "window_failure_rate": Variable("failure rate", "1", "1 − J at the start, computed directly."),
    "window_gap": Variable("norm of the gradient gap", "1", "‖g‖ at the start."),
    "window_one_step_critical_step": Variable(
        "one-step critical step", "1", "Smallest step along the gap that lowers J."
    ),
    "window_bound_paper": Variable("bound of the paper", "1", "As bound_paper."),
    "window_bound_prop1": Variable("bound of Proposition 1", "1", "As bound_prop1."),
    "window_bound_prop2": Variable("bound of Proposition 2", "1", "As bound_prop2."),
    "window_bound_prop3": Variable(
        "bound of Proposition 3", "1", "As bound_prop3; nan where 1−J > ½.", undefined=True
    ),
    "window_bound_prop4": Variable("bound of Proposition 4", "1", "As bound_prop4."),
    "window_bound_prop5": Variable(
        "bound of Proposition 5", "1", "As bound_prop5; nan where 1−J > ½.", undefined=True
    ),
}


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of the instance of one length and window."""
    length = int(number(point["length"]))
    width = min(half_width(length, number(point["window"])), math.ceil(length / 2) - 1)
    instance = Counting().from_deviations(length, settings["start_deviations"], width)
    success, failure, gap = instance.at(instance.theta0)
    found = bounds.instance_bounds(instance)
    return {
        "window_success_rate": success,
        "window_failure_rate": failure,
        "window_gap": abs(gap),
        "window_one_step_critical_step": exact.one_step(instance),
        "window_bound_paper": found.paper,
        "window_bound_prop1": found.prop1,
        "window_bound_prop2": found.prop2,
        "window_bound_prop3": found.prop3,
        "window_bound_prop4": found.prop4,
        "window_bound_prop5": found.prop5,
    }


MEASUREMENTS.add("windows")(
    Measurement(VARIABLES, compute, settings=("start_deviations",), cost=lambda settings: 1e-3)
)
