"""Critical learning rates of networks on `gated` against the failure rate at the start, at one mean length."""

from collections.abc import Mapping

from ..values import canonical
from . import Axes, Progress, Settings, network_thresholds
from .network_thresholds import CRITICAL, NETWORK_SETTINGS

VARIABLES = {f"failure_{name}": variable for name, variable in CRITICAL.items()}
SETTINGS = (*NETWORK_SETTINGS, "failure_length", "length_rule")
SPLIT = ()
RANDOM = True
ENVIRONMENT = network_thresholds.ENVIRONMENT
cost = network_thresholds.cost


def _fixed(settings: Settings) -> Mapping[str, str]:
    return {
        "task": "gated",
        "network": "recurrent",
        "length": canonical(settings["failure_length"]),
        "rule": settings["length_rule"],
    }


def check(axes: Axes, settings: Settings) -> None:
    """Every instance and optimizer exists."""
    network_thresholds.check_points(axes, settings, _fixed(settings))


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over success rate × optimizer."""
    return network_thresholds.simulate_critical(axes, settings, progress, _fixed(settings), "failure_")
