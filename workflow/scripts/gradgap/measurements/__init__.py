"""Measurements: what is computed at the points of a sweep.

Each file of this package, or of a plugin folder, registers a `Measurement` in `MEASUREMENTS`
(`gradgap.sweep.measurement`). The axes are registered in `measurements.axes`. This file has what several share.
"""

import functools
from typing import Any

from ..bandits import FAMILIES, Family, Instance, of_one_parameter
from ..errors import ConfigError
from ..sweep.measurement import Axes, Point, Settings, product
from ..values import Rate, number

#: Setting that an instance needs in addition to those of its family.
FAMILY_SETTINGS = ("success_rate",)
#: Axes that together name an instance.
INSTANCE = ("family", "length", "success_rate")
#: Axes that name an update rule: either `rule`, or the other two together.
RULE = ("rule", "advantage", "aggregation")


def instance_at(point: Point, settings: Settings) -> Instance:
    """The bandit at a point of the grid.

    Parameters
    ----------
    point : mapping
        Canonical coordinates, ``family`` and ``length``, and ``success_rate`` unless the settings have one for the
        family.
    settings : mapping
        Settings of the study.

    Returns
    -------
    Instance

    Raises
    ------
    ConfigError
        If the family has no such instance.

    Examples
    --------
    >>> instance_at({"family": "counting", "length": "64"}, {"success_rate": {"counting": 0.2}}).length
    64.0
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


@functools.lru_cache(256)  # the sweeps of a study and their checks need the same instances several times
def _made(family: Family, length: int, rate: Rate, options: tuple[tuple[str, Any], ...]) -> Any:
    return family.instance(length, rate.success, rate.failure, **dict(options))


def check_instances(axes: Axes, settings: Settings) -> None:
    """Check that every instance exists.

    Raises
    ------
    ConfigError
        If the family has no instance at a point of the axes.
    """
    for _, point in product(axes, [name for name in INSTANCE if name in axes]):
        instance_at(point, settings)
