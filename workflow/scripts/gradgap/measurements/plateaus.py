"""The plateau of the `unit` rule with a fixed step, in closed form."""

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..theory import closed_forms
from ..values import number
from . import FAMILY_SETTINGS, check_instances, instance_at

VARIABLES = {
    "plateau_closed_form": Variable(
        "failure rate of the plateau, closed form",
        "1",
        "Mean 1 − J over the two-cycle x, x − η with x = |θ₀| mod η; nan where no closed form is known.",
        undefined=True,
    )
}


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """The plateau of one instance at one step size."""
    instance = instance_at(point, settings)
    return {"plateau_closed_form": closed_forms.plateau_closed_form(instance, number(point["learning_rate"]))}


MEASUREMENTS.add("plateaus")(
    Measurement(
        VARIABLES, compute, settings=FAMILY_SETTINGS, cost=lambda settings: 2e-5, check=check_instances
    )
)
