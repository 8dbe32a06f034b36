"""Measurements: what is computed at the points of a sweep.

A measurement says which variables it gives, which settings it reads, and how one call computes them; the sweep
engine (`sweep.compute`) does the rest: it walks the points, makes the arrays, reports progress and stores the result.

The axes of a sweep are of two kinds. A point of the *outer* axes is one call of `Measurement.compute`. The values of
the *inner* axes are all handed to that call together, so that what they share is computed once: an instance that many
learning rates start from, or a run along which many iterations are kept.

>>> square = Measurement(
...     variables={"square": Variable("square of the length", "tokens²", "T².")},
...     compute=lambda point, inner, settings: {"square": float(point["length"]) ** 2},
... )
>>> square.outer(("length", "family"))
('length', 'family')
"""

import enum
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..plugins import Registry

#: Values of axes by name, as canonical texts.
Axes = Mapping[str, Sequence[str]]
#: Coordinates of one point by axis, as canonical texts.
Point = Mapping[str, str]
#: Values of settings by name.
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """Meaning of a variable of a dataset.

    Attributes
    ----------
    long_name, units, description : str
    codes : type of IntEnum, optional
        The variable is a code of this enumeration, stored as int8 with CF flag attributes.
    drop : tuple of str
        Inner axes that the variable does not depend on.
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

    def axes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Of some axes, those that the variable depends on."""
        return tuple(name for name in names if name not in self.drop)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the variable in a dataset."""
        found: dict[str, Any] = {
            "long_name": self.long_name,
            "units": self.units,
            "description": self.description,
        }
        if self.codes is not None:
            found["flag_values"] = [int(code) for code in self.codes]
            found["flag_meanings"] = " ".join(code.name for code in self.codes)
        return found


@dataclass(frozen=True)
class Measurement:
    """What is computed at the points of a sweep, and how.

    Attributes
    ----------
    variables : mapping of str to Variable
        What it gives.
    compute : callable
        ``compute(point, inner, settings) -> mapping``. `point` has the coordinates of the outer axes, `inner` the
        values of the inner axes of the sweep, in the sweep's order; both are canonical texts. Of every variable it
        gives the values over the inner axes that the variable depends on, as an array of that shape (a number where
        there are none). They depend on the point, the inner values and the settings alone; a random measurement
        finds the seed in ``settings["seed"]`` and keys every stream by the coordinates of its point.
    inner : tuple of str
        Axes whose values one call computes together, where a sweep has them.
    together : tuple of str
        Inner axes whose values all come from one computation, which is what `cost` is the cost of.
    settings : tuple of str
        Settings that it reads; a change of any other setting does not rerun it.
    split : tuple of str
        Axes of which a shard holds one value: ``family``, where an edit of one family should leave the points of
        the others; an axis whose values differ in cost by orders of magnitude; mostly none.
    random : bool
        It draws random numbers, so that a change of the seed reruns it.
    cost : callable, optional
        ``cost(settings)``: seconds that one point takes on one core, to an order of magnitude and for the dearest
        points. How many points a shard holds follows from it and the configuration's ``shard_seconds``, and so does
        which shards start first.
    check : callable, optional
        ``check(axes, settings)`` raises `ConfigError` where a point cannot be computed.
    """

    variables: Mapping[str, Variable]
    compute: Callable[[Point, Axes, Settings], Mapping[str, Any]]
    inner: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    random: bool = False
    cost: Callable[[Settings], float] | None = None
    check: Callable[[Axes, Settings], None] | None = None

    def outer(self, names: Sequence[str]) -> tuple[str, ...]:
        """Of the axes of a sweep, those at each point of which there is one call."""
        return tuple(name for name in names if name not in self.inner)


#: All measurements by name.
MEASUREMENTS: Registry[Measurement] = Registry("measurement", "gradgap.measurements")


def product(
    axes: Axes, names: Sequence[str] | None = None
) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """Index and coordinates of every point of the product of some axes (all by default), last axis fastest.

    >>> list(product({"length": ("16", "32")}))
    [((0,), {'length': '16'}), ((1,), {'length': '32'})]
    """
    names = tuple(axes) if names is None else names
    for index in itertools.product(*(range(len(axes[name])) for name in names)):
        yield index, {name: axes[name][i] for name, i in zip(names, index, strict=True)}


def rows(axes: Axes, axis: str) -> Iterator[tuple[tuple[int, ...], tuple[int | slice, ...], dict[str, str]]]:
    """Every point of the product of all axes but one, for what is computed along that one at once.

    Yields
    ------
    tuple of int
        Index of the point along the other axes.
    tuple of int or slice
        The same with a whole slice where the axis stands.
    dict of str to str
        Coordinates of the point.

    >>> list(rows({"rule": ("GRPO",), "iteration": ("1", "10")}, "iteration"))
    [((0,), (0, slice(None, None, None)), {'rule': 'GRPO'})]
    """
    position = list(axes).index(axis)
    for index, point in product(axes, [name for name in axes if name != axis]):
        yield index, (*index[:position], slice(None), *index[position:]), point


def empty(axes: Axes, variables: Mapping[str, Variable]) -> dict[str, np.ndarray]:
    """Arrays for all variables over some axes, to be filled."""
    return {
        name: np.empty([len(axes[axis]) for axis in variable.axes(tuple(axes))], variable.dtype)
        for name, variable in variables.items()
    }


def measure(
    measurement: Measurement | str,
    axes: Axes,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Every variable at every point of a product of axes.

    Parameters
    ----------
    measurement : Measurement or str
        A measurement, or its name in `MEASUREMENTS`.
    axes : mapping of str to sequence of str
        Canonical values of every axis; one that no variable should have as a dimension is given as a single text.
    settings : mapping
        With ``seed``, where the measurement is random.
    progress : callable, optional
        ``progress(done, total)`` is called after each call of `Measurement.compute`.

    Returns
    -------
    dict of str to ndarray
        Each with the axes that the variable depends on as dimensions, in the order given.

    Raises
    ------
    ConfigError
        If the measurement gives other variables than it says, or arrays of another shape.
    """
    if isinstance(measurement, str):
        measurement = MEASUREMENTS.find(measurement)
    held = {name: values for name, values in axes.items() if isinstance(values, str)}
    axes = {name: tuple(values) for name, values in axes.items() if name not in held}
    out = empty(axes, measurement.variables)
    outer = measurement.outer(tuple(axes))
    inner = {name: values for name, values in axes.items() if name in measurement.inner}
    calls = list(product(axes, outer))
    for done, (index, point) in enumerate(calls):
        at = dict(zip(outer, index, strict=True))
        found = measurement.compute({**held, **point}, inner, settings)
        if found.keys() != measurement.variables.keys():
            wrong = sorted(found.keys() ^ measurement.variables.keys())
            raise ConfigError(
                f"the measurement should give {', '.join(measurement.variables)}; its compute gives, or lacks, "
                f"{', '.join(wrong)}"
            )
        for name, variable in measurement.variables.items():
            place = tuple(at.get(axis, slice(None)) for axis in variable.axes(tuple(axes)))
            values = np.asarray(found[name])
            if values.shape != out[name][place].shape:
                raise ConfigError(
                    f"{name} should have shape {out[name][place].shape} over "
                    f"{variable.axes(tuple(inner)) or 'no inner axis'}; the measurement's compute gives "
                    f"{values.shape}"
                )
            out[name][place] = values
        if progress is not None:
            progress(done + 1, len(calls))
    return out
