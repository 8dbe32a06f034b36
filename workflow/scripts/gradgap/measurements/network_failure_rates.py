"""Half-kept learning rates of networks on `gated`, for several failure rates at the start and one mean length."""

from collections.abc import Mapping

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings
from ..values import canonical
from . import network_thresholds
from .network_thresholds import HALF_KEPT, NETWORK_SETTINGS


def _fixed(settings: Settings) -> Mapping[str, str]:
    return {"length": canonical(settings["failure_length"]), "rule": settings["length_rule"]}


def check(axes: Axes, settings: Settings) -> None:
    """Check that every instance and optimizer exists."""
    network_thresholds.check_points(axes, settings, _fixed(settings))


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables at a task, network, success rate and optimizer."""
    found, _ = network_thresholds.threshold_at({**_fixed(settings), **point}, settings)
    return network_thresholds.values(found, "failure_")


MEASUREMENTS.add("network_failure_rates")(
    Measurement(
        {f"failure_{name}": variable for name, variable in HALF_KEPT.items()},
        compute,
        settings=(*NETWORK_SETTINGS, "failure_length", "length_rule"),
        random=True,
        cost=network_thresholds.cost,
        check=check,
        environment="networks",
    )
)
