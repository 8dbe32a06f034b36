"""Instances at their start: rates, gradient gap, one-step critical step, and bounds."""

from dataclasses import asdict

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..theory import bounds, closed_forms
from ..thresholds import exact
from . import FAMILY_SETTINGS, check_instances, instance_at

VARIABLES = {
    "response_length": Variable(
        "true mean response length", "tokens", "E|o|, which the even long length rounds."
    ),
    "max_length": Variable(
        "largest response length", "tokens", "Tokens of the longest response.", integer=True
    ),
    "theta0": Variable("start", "1", "Parameter θ₀ at the start."),
    "gap": Variable(
        "norm of the gradient gap", "1", "‖g‖ at the start; the gap alignment of a step along g."
    ),
    "best_failure_rate": Variable("least failure rate", "1", "1 − J_max, the failure rate at the best θ."),
    "one_step_critical_step": Variable(
        "one-step critical step", "1", "Smallest step η along the gradient gap that lowers the success rate."
    ),
    "one_step_critical_step_closed_form": Variable(
        "one-step critical step, closed form",
        "1",
        "2|θ₀|; nan where no closed form is known.",
        undefined=True,
    ),
    "bound_paper": Variable("bound of the paper", "1", "η ≤ Δμ/(2(L_o + 8G_o²)), response level."),
    "bound_prop1": Variable("bound of Proposition 1", "1", "η ≤ Δμ/(2L_o + G_o²), response level."),
    "bound_prop2": Variable("bound of Proposition 2", "1", "η ≤ J(1−J)Δμ/(T(G_p² + L_p)), mean length."),
    "bound_prop3": Variable(
        "bound of Proposition 3",
        "1",
        "η ≤ JΔμ/(T(L_p + 4G_p² log(√2/(1−J)))), largest length; nan where 1−J > ½, outside its condition.",
        undefined=True,
    ),
    "bound_prop4": Variable("bound of Proposition 4", "1", "η ≤ J(1−J)Δμ/(T L_p), mean length."),
    "bound_prop5": Variable(
        "bound of Proposition 5",
        "1",
        "η ≤ JΔμ/(T(L_p + min(G_p², L_p) v(1−J))), largest length; nan where 1−J > ½, outside its condition.",
        undefined=True,
    ),
}


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one instance."""
    instance = instance_at(point, settings)
    guaranteed = asdict(bounds.instance_bounds(instance))
    return {
        "response_length": instance.length,
        "max_length": instance.max_length,
        "theta0": instance.theta0,
        "gap": abs(instance.at(instance.theta0)[2]),
        "best_failure_rate": instance.at(instance.best_theta)[1],
        "one_step_critical_step": exact.one_step(instance),
        "one_step_critical_step_closed_form": closed_forms.one_step_closed_form(instance),
        **{f"bound_{name}": value for name, value in guaranteed.items()},
    }


MEASUREMENTS.add("starts")(
    Measurement(
        VARIABLES, compute, settings=FAMILY_SETTINGS, cost=lambda settings: 1e-3, check=check_instances
    )
)
