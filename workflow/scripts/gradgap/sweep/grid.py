"""From a configuration to shards: which points are computed together, and under which names.

A shard is a product of axis values of one sweep (`cutting`). Its name ends in a hash of all that defines it, so a
change of the grid renames nothing that stays: values are held in one order whatever the configuration's.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..fingerprint import fingerprint, modules_of
from ..settings import SETTINGS, settings_of
from ..values import number
from .axes import AXES
from .cutting import cut
from .measurement import MEASUREMENTS, Measurement
from .study import STUDIES, Study, Sweep


@dataclass(frozen=True)
class StudyConfig:
    """One study as configured.

    Attributes
    ----------
    name : str
    axes : dict of str to tuple of str
        Canonical values of every axis.
    settings : dict
        Value of every setting of the study.
    seed : int
        Of every random stream.
    """

    name: str
    axes: dict[str, tuple[str, ...]]
    settings: dict[str, Any]
    seed: int

    @property
    def study(self) -> Study:
        """The study itself."""
        return STUDIES.find(self.name)


@dataclass(frozen=True)
class Shard:
    """Points of one sweep that are computed together.

    Attributes
    ----------
    study, sweep, measurement : str
    axes : dict of str to tuple of str
        Canonical values of every axis of the sweep.
    settings : dict
        Settings that the measurement reads.
    seed : int
        0 where the measurement is not random.
    at : dict of str to str
        Coordinates that all points share, see `Sweep.at`.
    """

    study: str
    sweep: str
    measurement: str
    axes: dict[str, tuple[str, ...]]
    settings: dict[str, Any]
    seed: int
    at: dict[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        """Everything that defines the shard, as canonical JSON."""
        return json.dumps(vars(self), ensure_ascii=False)  # the order of axes is that of the arrays

    @classmethod
    def from_spec(cls, spec: str) -> "Shard":
        """The shard that a `spec` defines."""
        fields = json.loads(spec)
        fields["axes"] = {axis: tuple(values) for axis, values in fields["axes"].items()}
        return cls(**fields)

    @property
    def name(self) -> str:
        """File name: the axes that have one value, and a hash of the spec."""
        single = [f"{axis}={safe(values[0])}" for axis, values in self.axes.items() if len(values) == 1]
        digest = hashlib.blake2b(self.spec.encode(), digest_size=6).hexdigest()
        return "~".join([*single, digest])  # no comma: Snakemake's remote jobs could not be told of it

    @property
    def points(self) -> int:
        """Number of points."""
        return math.prod(len(values) for values in self.axes.values())

    @property
    def seconds(self) -> float:
        """Time that it takes as its measurement states it, or a second a point where that states none."""
        measurement = measurement_of(self)
        cost = measurement.cost(self.settings) if measurement.cost is not None else 1.0
        return cost * self.points / together(measurement, self.axes)

    @property
    def code(self) -> str:
        """Fingerprint of the sources that the shard's numbers depend on."""
        return fingerprint(*sorted(sources(self)))


def safe(value: str) -> str:
    """A value as it stands in a file name."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", value)


def measurement_of(of: Sweep | Shard) -> Measurement:
    """The measurement of a sweep or a shard."""
    return MEASUREMENTS.find(of.measurement)


def all_values(axes: Mapping[str, tuple[str, ...]], at: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Values of axes and of the coordinates that all points share, the latter as axes of one value."""
    return {**{axis: (value,) for axis, value in at.items()}, **axes}


def sources_of_measurement(name: str) -> set[str]:
    """Modules that a measurement's numbers depend on, at any point."""
    return modules_of(MEASUREMENTS.find(name)) | {MEASUREMENTS.origins[name]}


def sources_of_value(axis: str, value: str) -> set[str]:
    """Modules that numbers at a value of an axis depend on, beside those of the measurement."""
    found: set[str] = set()
    for component, origin in AXES.find(axis).named(value):
        found |= modules_of(component) | {origin}
    return found


def sources(shard: Shard) -> set[str]:
    """Modules that the numbers of a shard depend on: of its measurement, and of every component on its axes."""
    found = sources_of_measurement(shard.measurement)
    for axis, values in all_values(shard.axes, shard.at).items():
        found = found.union(*(sources_of_value(axis, value) for value in values))
    return found


def sweep_axes(config: StudyConfig, sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Values of every axis of a sweep, outermost first, as a study is configured."""
    return {axis: sweep.fixed.get(axis) or config.axes[axis] for axis in sweep.axes}


def in_order(axis: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Values of an axis in the order in which shards hold them: labels by letter, numbers by size."""
    return tuple(sorted(values) if AXES.find(axis).kind == "label" else sorted(values, key=number))


#: Of settings that belong to components: by setting, by axis, the values whose component has it.
Owners = Mapping[str, Mapping[str, Container[str]]]


def owners(axes: Mapping[str, Iterable[str]]) -> dict[str, dict[str, list[str]]]:
    """Which settings belong to components on some axes, as plain data."""
    found: dict[str, dict[str, list[str]]] = {}
    for axis, values in axes.items():
        for value in sorted(values) if AXES.find(axis).components is not None else ():
            for component, _ in AXES.find(axis).named(value):
                for name in settings_of(component):
                    found.setdefault(name, {}).setdefault(axis, []).append(value)
    return found


def settings_for(
    settings: Mapping[str, Any], axes: Mapping[str, tuple[str, ...]], owned: Owners, by: Mapping[str, str]
) -> dict[str, Any]:
    """Settings as they concern some points.

    Of a setting that is given by the values of an axis, that is the values there; one that belongs to components is
    left out where none of these is there.

    Parameters
    ----------
    settings : mapping
    axes : mapping of str to tuple of str
        Values of axes, those that all points share among them (`all_values`).
    owned : mapping
        The `owners` of settings.
    by : mapping of str to str
        The axis by which settings are given, see `given_by`.
    """
    found = {}
    for name, value in settings.items():
        if name in by:
            found[name] = {key: of for key, of in value.items() if key in axes.get(by[name], ())}
        elif name not in owned or any(
            value in owned[name][axis] for axis in owned[name] for value in axes.get(axis, ())
        ):
            found[name] = value
    return found


def given_by(settings: Iterable[str]) -> dict[str, str]:
    """Of some settings, those that are given by the values of an axis, each with that axis."""
    return {name: by for name in settings if name in SETTINGS.discover() and (by := SETTINGS[name].by)}


def settings_at(shard: "Shard", axes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Settings of a shard as they concern some of its points."""
    own = owners(all_values(shard.axes, shard.at))
    shared = measurement_of(shard).settings
    own = {name: of for name, of in own.items() if name not in shared}
    return settings_for(shard.settings, all_values(dict(axes), shard.at), own, given_by(shard.settings))


def sweep_owners(config: StudyConfig, sweep: Sweep) -> dict[str, dict[str, list[str]]]:
    """`owners` of the settings of a sweep; what its measurement reads at any point belongs to nobody."""
    found = owners(all_values(sweep_axes(config, sweep), sweep.at))
    shared = measurement_of(sweep).settings
    return {name: of for name, of in found.items() if name not in shared}


def sweep_settings(config: StudyConfig, sweep: Sweep) -> dict[str, Any]:
    """Settings that the measurement of a sweep reads, and those of the components on its axes, as configured."""
    names = {*measurement_of(sweep).settings, *sweep_owners(config, sweep)}
    return {name: config.settings[name] for name in sorted(names) if name in config.settings}


def together(measurement: Measurement, axes: Mapping[str, tuple[str, ...]]) -> int:
    """Points that one computation gives: all values of the axes that the measurement computes together."""
    return math.prod(len(axes[axis]) for axis in measurement.together if axis in axes)


def shard_points(
    sweep: Sweep, axes: Mapping[str, tuple[str, ...]], settings: Mapping[str, Any], most: int, seconds: float
) -> int:
    """Points that a shard of a sweep holds at the most: `most`, or as many as take `seconds` by the measurement."""
    measurement = measurement_of(sweep)
    if measurement.cost is not None:
        computations = max(1, int(min(most, seconds / measurement.cost(settings))))
        most = min(most, computations * together(measurement, axes))
    return most


def shards(config: StudyConfig, most: int, seconds: float = math.inf) -> list[Shard]:
    """All shards of a study.

    Parameters
    ----------
    config : StudyConfig
    most : int
        Points that a shard holds at the most.
    seconds : float
        Time that a shard should take at the most, as far as the measurement knows its cost.

    Returns
    -------
    list of Shard
    """
    found = []
    for name, sweep in config.study.sweeps.items():
        measurement = measurement_of(sweep)
        seed = config.seed if measurement.random else 0  # an exact result knows no seed
        settings, own = sweep_settings(config, sweep), sweep_owners(config, sweep)
        by = given_by(settings)
        ordered = {axis: in_order(axis, values) for axis, values in sweep_axes(config, sweep).items()}
        points = shard_points(sweep, ordered, settings, most, seconds)
        pieces = cut(ordered, measurement.split, points)
        for combination in itertools.product(*pieces.values()):
            axes = dict(zip(ordered, combination, strict=True))
            here = settings_for(settings, all_values(axes, sweep.at), own, by)
            found.append(Shard(config.name, name, sweep.measurement, axes, here, seed, dict(sweep.at)))
    return found
