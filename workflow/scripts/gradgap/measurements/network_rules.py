"""Half-kept learning rates of networks under different update rules, at one length."""

from collections.abc import Mapping

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings
from ..values import canonical
from . import network_thresholds
from .network_thresholds import HALF_KEPT, NETWORK_SETTINGS


def _fixed(settings: Settings) -> Mapping[str, str]:
    return {"length": canonical(settings["rule_length"])}


def check(axes: Axes, settings: Settings) -> None:
    """Check that every task, optimizer and rule exists."""
    network_thresholds.check_points(axes, settings, _fixed(settings))


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables at a task, network, optimizer and rule."""
    found, _ = network_thresholds.threshold_at({**_fixed(settings), **point}, settings)
    return network_thresholds.values(found, "rule_")


MEASUREMENTS.add("network_rules")(
    Measurement(
        {f"rule_{name}": variable for name, variable in HALF_KEPT.items()},
        compute,
        settings=(*NETWORK_SETTINGS, "rule_length"),
        split=("task",),
        random=True,
        cost=network_thresholds.cost,
        check=check,
        environment="networks",
    )
)
