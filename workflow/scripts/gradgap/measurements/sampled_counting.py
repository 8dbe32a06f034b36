"""Critical learning rates of sampled dynamics on `counting`, for studies whose other sweeps have more families."""

from . import Axes, Progress, Settings, sampled_thresholds

VARIABLES = sampled_thresholds.VARIABLES
SETTINGS = sampled_thresholds.SETTINGS
SPLIT = ()
RANDOM = True
FAMILIES = ("counting",)
cost = sampled_thresholds.cost


def check(axes: Axes, settings: Settings) -> None:
    """Every instance exists, and every rule has a sampled form."""
    sampled_thresholds.check({"family": FAMILIES, **axes}, settings)


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over length × rule × group size."""
    found = sampled_thresholds.simulate({"family": FAMILIES, **axes}, settings, progress)
    return {name: values[0] for name, values in found.items()}
