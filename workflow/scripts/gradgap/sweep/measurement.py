"""Measurements: what is computed at the points of a sweep.

A measurement declares which variables it computes, which settings it reads, and a function that computes them. The
sweep engine (`sweep.compute`) does the rest: it goes through the points, makes the arrays, reports progress and
stores the result.

The axes of a sweep are of two kinds. A point of the *outer* axes is one call of `Measurement.compute`. That call
gets all values of the *inner* axes together, so that shared work is done once, such as making an instance that many
learning rates start from, or a run of which many iterations are kept.

>>> square = Measurement(
...     variables={"square": Variable("square of the length", "tokens²", "T².")},
...     compute=lambda point, inner, settings: {"square": float(point["length"]) ** 2},
... )
>>> square.outer(("length", "family"))
('length', 'family')
"""

import enum
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..plugins import PLUGIN_PACKAGE, Registry
from .axes import AXES

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
        For a variable whose values are codes of this enumeration. They are stored as int8 with CF flag attributes.
    drop : tuple of str
        Inner axes that the variable does not depend on.
    integer : bool
        Whether it is stored as a whole number.
    undefined : bool
        Whether nan is a valid value; then the description says what it means. Otherwise nan is an error.
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
        """Those of some axes that the variable depends on."""
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
        The variables that it computes.
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
        Axes of which a block holds one value: ``family``, where an edit of one family should leave the points of
        the others; an axis whose values differ in cost by orders of magnitude; mostly none.
    random : bool
        It draws random numbers, so that a change of the seed reruns it.
    cost : callable, optional
        ``cost(settings)``: seconds that one point takes on one core, to an order of magnitude and for the dearest
        points. How many points a block holds follows from it and the configuration's ``shard_seconds``, and so does
        which blocks share a shard and which shards start first.
    check : callable, optional
        ``check(axes, settings)`` raises `ConfigError` where a point cannot be computed.
    environment : str
        Conda environment of its jobs: a file of envs/ without its ending.
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
    environment: str = "simulate"

    def outer(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those axes of a sweep at whose points there is one call each."""
        return tuple(name for name in names if name not in self.inner)


def product(
    axes: Axes, names: Sequence[str] | None = None
) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """Index and coordinates of every point of a product of axes, with the last axis running fastest.

    >>> list(product({"length": ("16", "32")}))
    [((0,), {'length': '16'}), ((1,), {'length': '32'})]
    """
    names = tuple(axes) if names is None else names
    for index in itertools.product(*(range(len(axes[name])) for name in names)):
        yield index, {name: axes[name][i] for name, i in zip(names, index, strict=True)}


def rows(axes: Axes, axis: str) -> Iterator[tuple[tuple[int, ...], tuple[int | slice, ...], dict[str, str]]]:
    """Every point of the product of all axes but one, for computations along that one.

    Yields
    ------
    tuple of int
        Index of the point along the other axes.
    tuple of int or slice
        The same, with a full slice in the place of that axis.
    dict of str to str
        Coordinates of the point.

    >>> list(rows({"rule": ("GRPO",), "iteration": ("1", "10")}, "iteration"))
    [((0,), (0, slice(None, None, None)), {'rule': 'GRPO'})]
    """
    position = list(axes).index(axis)
    for index, point in product(axes, [name for name in axes if name != axis]):
        yield index, (*index[:position], slice(None), *index[position:]), point


def empty(axes: Axes, variables: Mapping[str, Variable]) -> dict[str, np.ndarray]:
    """Empty arrays for all variables over some axes."""
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
    """Compute every variable at every point of a product of axes.

    Parameters
    ----------
    measurement : Measurement or str
        A measurement, or its name in `MEASUREMENTS`.
    axes : mapping of str to sequence of str
        Canonical values of every axis. An axis that is given as a single text is no dimension of the result.
    settings : mapping
        With ``seed``, if the measurement is random.
    progress : callable, optional
        ``progress(done, total)`` is called after each call of `Measurement.compute`.

    Returns
    -------
    dict of str to ndarray
        The dimensions of each are the axes that the variable depends on, in the given order.

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
        found = _computed(measurement, {**held, **point}, inner, settings)
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


def _computed(measurement: Measurement, point: Point, inner: Axes, settings: Settings) -> Mapping[str, Any]:
    """Call compute once. An error in a plugin becomes one sentence that names its file and the point."""
    try:
        return measurement.compute(point, inner, settings)
    except Exception as error:
        module = sys.modules.get(getattr(measurement.compute, "__module__", ""))
        if (
            module is None
            or not module.__name__.startswith(f"{PLUGIN_PACKAGE}.")
            or isinstance(error, ConfigError)
        ):
            raise
        names = [name for name, known in MEASUREMENTS.items() if known is measurement]
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"plugin {module.__file__}: measurement {', '.join(names)!r}: compute fails at {dict(point)} with "
            f"{type(error).__name__}: {reason}; mend it there"
        ) from error


def check_measurement(measurement: Any, axes: Axes | None = None, settings: Settings | None = None) -> None:
    """Check that a measurement does what the sweep engine expects.

    It runs on every measurement of a plugin when the plugin is loaded. Authors can call it in their tests, with a
    few values of every axis. Then the measurement is run, and every point must give the same result whether it is
    computed alone or together with others.

    Parameters
    ----------
    measurement : Measurement
    axes : mapping of str to sequence of str, optional
        As for `measure`. If left out, the measurement is not run.
    settings : mapping, optional
        Of all settings that the measurement reads, and ``seed`` where it is random.

    Raises
    ------
    ConfigError
        If something is wrong. The message is one sentence that says what to mend.
    """
    if not isinstance(measurement, Measurement):
        raise ConfigError(f"register a Measurement(...); found {type(measurement).__name__}")
    if not isinstance(measurement.variables, Mapping) or not measurement.variables:
        raise ConfigError("variables must map the name of each variable to a Variable(...); found none")
    for name, variable in measurement.variables.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"the variable {name!r} must be named with letters, digits and _")
        if not isinstance(variable, Variable):
            raise ConfigError(
                f"the variable {name!r} must be a Variable(...); found {type(variable).__name__}"
            )
        for field in ("long_name", "units", "description"):
            if not isinstance(getattr(variable, field), str) or not getattr(variable, field):
                raise ConfigError(
                    f"the variable {name!r} needs a text for {field}; units are '1' where there are none"
                )
        _require_within(f"drop of the variable {name!r}", variable.drop, measurement.inner)
    for field in ("inner", "together", "settings", "split"):
        texts = getattr(measurement, field)
        if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
            raise ConfigError(f"{field} must be a tuple of texts, such as ('length',); found {texts!r}")
    _require_within("together", measurement.together, measurement.inner)
    for axis in (*measurement.inner, *measurement.split):
        AXES.find(axis)
    for field, arguments in _SIGNATURES.items():
        _require_call(field, getattr(measurement, field), arguments, optional=field != "compute")
    if axes is not None:
        _try(measurement, axes, settings or {})


#: What the functions of a measurement are called with.
_SIGNATURES = {
    "compute": ("point", "inner", "settings"),
    "cost": ("settings",),
    "check": ("axes", "settings"),
}


def _require_within(what: str, names: Sequence[str], inner: Sequence[str]) -> None:
    outside = [name for name in names if name not in inner]
    if outside:
        raise ConfigError(
            f"{what} names {outside[0]!r}, which is no inner axis; add it to inner, or leave it out"
        )


def _require_call(field: str, function: Any, arguments: tuple[str, ...], *, optional: bool) -> None:
    """Raise an error if something cannot be called with these arguments."""
    call = f"{field}({', '.join(arguments)})"
    if function is None and optional:
        return
    if not callable(function):
        raise ConfigError(f"{field} must be a function {call}; found {function!r}")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise ConfigError(f"{field} is called as {call}: {error}; give it these arguments") from None


def _try(measurement: Measurement, axes: Axes, settings: Settings) -> None:
    """Run a measurement on all points together and on each alone, and compare."""
    whole = measure(measurement, axes, settings)
    for name, variable in measurement.variables.items():
        if not variable.undefined and whole[name].dtype.kind == "f" and np.isnan(whole[name]).any():
            raise ConfigError(
                f"{name} is nan at some points; mend compute, or set undefined=True and say what nan means"
            )
        codes = {int(code) for code in variable.codes or ()}
        if variable.codes is not None and not set(np.unique(whole[name]).tolist()) <= codes:
            raise ConfigError(f"{name} has values that are no codes of {variable.codes.__name__}")
    spread = {name: values for name, values in axes.items() if not isinstance(values, str)}
    for index, point in product(spread):
        alone = measure(measurement, {**axes, **{name: (value,) for name, value in point.items()}}, settings)
        for name, variable in measurement.variables.items():
            at = dict(zip(spread, index, strict=True))
            here = whole[name][tuple(at[axis] for axis in variable.axes(tuple(spread)))]
            there = alone[name].ravel()[0]
            if not np.array_equal(here, there, equal_nan=here.dtype.kind == "f"):
                raise ConfigError(
                    f"{name} at {point} is {here} among other points and {there} alone; compute may "
                    f"depend on the point, the inner values of that point and the settings only"
                )


#: All measurements by name.
MEASUREMENTS: Registry[Measurement] = Registry("measurement", "gradgap.measurements", check_measurement)
