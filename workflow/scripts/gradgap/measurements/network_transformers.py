"""Half-kept learning rates of transformers, to be compared with recurrent networks of the same size, at one
length."""

from collections.abc import Mapping

from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings
from ..values import canonical
from . import network_thresholds
from .network_thresholds import HALF_KEPT, NETWORK_SETTINGS


def _fixed(settings: Settings) -> Mapping[str, str]:
    return {"length": canonical(settings["rule_length"]), "rule": settings["length_rule"]}


def check(axes: Axes, settings: Settings) -> None:
    """Check that every task and optimizer exists."""
    network_thresholds.check_points(axes, settings, _fixed(settings))


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables at a task and optimizer."""
    found, _ = network_thresholds.threshold_at({**_fixed(settings), **point}, settings)
    return network_thresholds.values(found, "transformer_")


MEASUREMENTS.add("network_transformers")(
    Measurement(
        {f"transformer_{name}": variable for name, variable in HALF_KEPT.items()},
        compute,
        settings=(*NETWORK_SETTINGS, "rule_length", "length_rule"),
        split=("task",),
        random=True,
        cost=network_thresholds.cost,
        check=check,
        environment="networks",
    )
)
