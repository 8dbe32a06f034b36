"""Measurements: what is computed at the points of a sweep. Each has a file, and this one holds what they share.

A measurement is a module of this package, or a plugin, that registers a `Measurement` in `MEASUREMENTS`
(`gradgap.sweep.measurement`). The axes that measurements run over are registered in `measurements.axes`.
"""

import functools
from typing import Any

from ..bandits import FAMILIES, Family, Instance, of_one_parameter
from ..errors import ConfigError
from ..sweep.measurement import Axes, Point, Settings, product
from ..values import Rate, number

#: What a measurement reads that makes an instance, beside the settings of the instance's family.
FAMILY_SETTINGS = ("success_rate",)
#: Axes that tell an instance from another.
INSTANCE = ("family", "length", "success_rate")
#: Axes that name an update rule: the first alone, or the other two together.
RULE = ("rule", "advantage", "aggregation")


def instance_at(point: Point, settings: Settings) -> Instance:
    """The bandit at a point of the grid.

    Parameters
    ----------
    point : mapping
        Canonical coordinates. ``family`` and ``length`` are needed, and ``success_rate`` too unless the settings give
        one for the family.
    settings : mapping
        Settings of the study.

    Raises
    ------
    ConfigError
        If the family has no such instance.
    """
    family: Family = FAMILIES.find(point["family"])
    if "success_rate" in point:
        rate = Rate(point["success_rate"])
    else:
        by_family = settings["success_rate"]
        if point["family"] not in by_family:
            raise ConfigError(
                f"success_rate: no value for family {point['family']!r}; found {dict(by_family)}"
            )
        rate = Rate.of_success(by_family[point["family"]])
    options = tuple((name, settings[name]) for name in family.settings if name in settings)
    return of_one_parameter(_made(family, int(number(point["length"])), rate, options))


@functools.lru_cache(256)  # the sweeps of a study, and the checks of each, ask for the same instances
def _made(family: Family, length: int, rate: Rate, options: tuple[tuple[str, Any], ...]) -> Any:
    return family.instance(length, rate.success, rate.failure, **dict(options))


def check_instances(axes: Axes, settings: Settings) -> None:
    """Raise `ConfigError` if the family has no instance at some point of the axes."""
    for _, point in product(axes, [name for name in INSTANCE if name in axes]):
        instance_at(point, settings)
