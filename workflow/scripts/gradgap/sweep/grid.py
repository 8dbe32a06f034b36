"""From a configuration to shards: which points are computed together, and under which names.

A shard is a product of axis values of one sweep (`cutting`). Its name ends in a hash of all that defines it, so a
change of the grid renames nothing that stays: values are held in one order whatever the configuration's.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from ..fingerprint import fingerprint, modules_of
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


def settings_for(settings: Mapping[str, Any], axes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Settings as they concern some points: of one that is given by bandit family, only the families there.

    Parameters
    ----------
    settings : mapping
    axes : mapping of str to tuple of str
        Values of axes, those that all points share among them (`all_values`).
    """
    here = axes.get("family", ())
    return {
        name: {key: of for key, of in value.items() if key in here} if _by_family(value) else value
        for name, value in settings.items()
    }


def _by_family(value: Any) -> bool:
    """Whether the value of a setting is a mapping from bandit families."""
    try:
        return isinstance(value, Mapping) and all(AXES.find("family").named(name) for name in value)
    except ConfigError:
        return False


def sweep_settings(config: StudyConfig, sweep: Sweep) -> dict[str, Any]:
    """Settings that the measurement of a sweep reads, as a study is configured."""
    names = measurement_of(sweep).settings
    return {name: config.settings[name] for name in names if name in config.settings}


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
        settings = sweep_settings(config, sweep)
        ordered = {axis: in_order(axis, values) for axis, values in sweep_axes(config, sweep).items()}
        points = shard_points(sweep, ordered, settings, most, seconds)
        pieces = cut(ordered, measurement.split, points)
        for combination in itertools.product(*pieces.values()):
            axes = dict(zip(ordered, combination, strict=True))
            here = settings_for(settings, all_values(axes, sweep.at))
            found.append(Shard(config.name, name, sweep.measurement, axes, here, seed, dict(sweep.at)))
    return found
