"""Critical learning rates of networks under different update rules, at one length."""

from collections.abc import Mapping

from ..values import canonical
from . import Axes, Progress, Settings, network_thresholds
from .network_thresholds import CRITICAL, NETWORK_SETTINGS

VARIABLES = {f"rule_{name}": variable for name, variable in CRITICAL.items()}
SETTINGS = (*NETWORK_SETTINGS, "rule_length")
SPLIT = ("task",)
RANDOM = True
ENVIRONMENT = network_thresholds.ENVIRONMENT
cost = network_thresholds.cost


def _fixed(settings: Settings) -> Mapping[str, str]:
    return {"network": "recurrent", "length": canonical(settings["rule_length"])}


def check(axes: Axes, settings: Settings) -> None:
    """Every task, optimizer and rule exists."""
    network_thresholds.check_points(axes, settings, _fixed(settings))


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over task × optimizer × rule."""
    return network_thresholds.simulate_critical(axes, settings, progress, _fixed(settings), "rule_")
