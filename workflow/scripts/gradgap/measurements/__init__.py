"""Simulations: what is computed at the points of a sweep.

A simulation is a module with

``simulate(axes, settings, progress) -> dict of ndarray``
    Every variable at every point of the product of `axes` (name → canonical texts); an array has the lengths of
    those axes as its shape, in their order. ``progress(done, total)`` is called now and then. The result at a
    point depends on the point and the settings only, never on what else is in the product.
``VARIABLES`` : dict of `Variable`
    What it computes.
``SETTINGS`` : tuple of str
    Settings that it reads; a change of any other setting does not rerun it.
``SPLIT`` : tuple of str
    Axes of which a shard holds one value: ``family``, where an edit of one family should leave the points of the
    others; an axis whose values differ in cost by orders of magnitude; mostly none.
``RANDOM`` : bool, optional
    It draws random numbers: ``settings["seed"]`` is then the seed, and a change of it reruns the simulation.
``cost(settings) -> float``, optional
    Seconds that one point takes on one core, to an order of magnitude and for the dearest points. How many
    points a shard holds follows from it and the configuration's ``shard_seconds``, and so does which shards
    start first.
``TOGETHER`` : tuple of str, optional
    Axes all of whose values come from one computation, the cost of which is then stated.
``FAMILIES`` : tuple of str, optional
    Bandit families that it runs on where ``family`` is not among its axes.
``check(axes, settings)``, optional
    Raise `ConfigError` where a point cannot be simulated; by default every instance is made once.
"""

import enum
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bandits import FAMILIES, Family, Instance, of_one_parameter
from ..errors import ConfigError
from ..values import failure_rate, number

Axes = Mapping[str, Sequence[str]]
Settings = Mapping[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Variable:
    """Meaning of a variable of a dataset.

    Attributes
    ----------
    long_name, units, description : str
    codes : type of IntEnum, optional
        The variable is a code of this enumeration, stored as int8 with CF flag attributes.
    drop : tuple of str
        Axes of the sweep that the variable does not depend on.
    integer : bool
        Stored as a whole number.
    undefined : bool
        nan is a value, and the description says what it means; elsewhere nan is an error.
    """

    long_name: str
    units: str
    description: str
    codes: type[enum.IntEnum] | None = None
    drop: tuple[str, ...] = ()
    integer: bool = False
    undefined: bool = False

    @property
    def dtype(self) -> np.dtype:
        """Type of the stored values."""
        if self.codes is not None:
            return np.dtype("int8")
        return np.dtype("int64" if self.integer else "float64")


def product(axes: Axes, names: Sequence[str]) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """Index and coordinates of every point of the product of some axes, last axis fastest."""
    for index in itertools.product(*(range(len(axes[name])) for name in names)):
        yield index, {name: axes[name][i] for name, i in zip(names, index, strict=True)}


def locator(axes: Axes, names: Sequence[str]) -> Callable[[Mapping[str, str]], tuple[int, ...]]:
    """Function from a point's coordinates to its index along some axes, at a cost that does not grow with these."""
    places = [(name, {value: index for index, value in enumerate(axes[name])}) for name in names]
    return lambda point: tuple(place[point[name]] for name, place in places)


def empty(axes: Axes, variables: Mapping[str, Variable]) -> dict[str, np.ndarray]:
    """Arrays for all variables of a simulation, to be filled."""
    return {
        name: np.empty([len(axes[axis]) for axis in axes if axis not in variable.drop], variable.dtype)
        for name, variable in variables.items()
    }


#: Settings of the exact families; a family takes those that it knows.
FAMILY_SETTINGS = ("success_rate", "window", "start_failure_rate")


def instance_at(point: Mapping[str, str], settings: Settings) -> Instance:
    """The bandit at a point of the grid.

    Parameters
    ----------
    point : mapping
        Canonical coordinates; ``family`` and ``length`` are needed, ``success_rate`` unless the settings give
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
        rate = point["success_rate"]
    else:
        by_family = settings["success_rate"]
        if point["family"] not in by_family:
            raise ConfigError(
                f"success_rate: no value for family {point['family']!r}; found {dict(by_family)}"
            )
        rate = str(by_family[point["family"]])
    options = {name: settings[name] for name in family.settings if name in settings}
    instance = family.instance(int(number(point["length"])), number(rate), failure_rate(rate), **options)
    return of_one_parameter(instance)
