"""Where the `unit` rule with a fixed step ends, in closed form."""

from ..theory import closed_forms
from ..values import number
from . import FAMILY_SETTINGS, Axes, Progress, Settings, Variable, empty, instance_at, product

VARIABLES = {
    "plateau_closed_form": Variable(
        "failure rate of the plateau, closed form",
        "1",
        "Mean 1 − J over the two-cycle x, x − η with x = |θ₀| mod η; nan where no closed form is known.",
        undefined=True,
    )
}
SETTINGS = FAMILY_SETTINGS
SPLIT = ()


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """The plateau over instance × step size."""
    out = empty(axes, VARIABLES)
    for index, point in product(axes, tuple(axes)):
        instance = instance_at(point, settings)
        out["plateau_closed_form"][index] = closed_forms.plateau_closed_form(
            instance, number(point["step_size"])
        )
    progress(1, 1)
    return out
