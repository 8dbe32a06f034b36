"""The shards of a configuration: which points one job computes, and under which name it keeps them.

A block is a product of values of the axes of one sweep (see `cutting`). A shard is what one job computes and one file
holds: a block, or several blocks of one study that are small. Its name ends in a hash of everything that defines its
points, with values in a fixed order, and a hash of its code. So a change of the grid does not rename the shards that
stay. Where code has changed, a new file is made, and what is still valid is copied to it from the former file.
"""

import functools
import hashlib
import itertools
import json
import math
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
        Seed of every random stream.
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
class Block:
    """Points of one sweep that are computed together: a product of values of its axes.

    Attributes
    ----------
    study, sweep, measurement : str
    axes : dict of str to tuple of str
        Canonical values of every axis of the sweep.
    settings : dict
        Settings that the measurement reads.
    seed : int
        0 if the measurement is not random.
    at : dict of str to str
        Coordinates that all points have in common, see `Sweep.at`.
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
        """Everything that defines the block, as canonical JSON."""
        return json.dumps(vars(self), ensure_ascii=False)  # the order of axes is that of the arrays

    @classmethod
    def from_spec(cls, spec: str) -> "Block":
        """The block that a `spec` defines."""
        fields = json.loads(spec)
        fields["axes"] = {axis: tuple(values) for axis, values in fields["axes"].items()}
        return cls(**fields)

    @property
    def label(self) -> str:
        """For people and file names: the sweep, and the axes that have one value."""
        single = [f"{axis}={safe(values[0])}" for axis, values in self.axes.items() if len(values) == 1]
        return "~".join([self.sweep, *single])  # no comma: Snakemake's remote jobs could not be told of it

    @property
    def points(self) -> int:
        """Number of points."""
        return math.prod(len(values) for values in self.axes.values())

    @property
    def seconds(self) -> float:
        """Time that it takes according to its measurement, or one second for each point if that says nothing."""
        measurement = measurement_of(self)
        cost = measurement.cost(self.settings) if measurement.cost is not None else 1.0
        return cost * self.points / together(measurement, self.axes)

    @property
    def code(self) -> str:
        """Fingerprint of the sources that the block's numbers depend on."""
        return fingerprint(*sorted(sources(self)))


@dataclass(frozen=True)
class Shard:
    """What one job computes and one file holds.

    Attributes
    ----------
    blocks : tuple of Block
        At least one, all of one study and one conda environment.
    """

    blocks: tuple[Block, ...]

    @property
    def study(self) -> str:
        """The study that all blocks belong to."""
        return self.blocks[0].study

    @property
    def environment(self) -> str:
        """The conda environment that all blocks are computed in."""
        return measurement_of(self.blocks[0]).environment

    @property
    def spec(self) -> str:
        """Everything that defines the shard, as canonical JSON."""
        return f"[{', '.join(block.spec for block in self.blocks)}]"

    @classmethod
    def from_spec(cls, spec: str) -> "Shard":
        """The shard that a `spec` defines."""
        return cls(tuple(Block.from_spec(json.dumps(fields)) for fields in json.loads(spec)))

    @functools.cached_property
    def name(self) -> str:
        """File name, see `named`."""
        return self.named(block.code for block in self.blocks)

    def named(self, codes: Iterable[str]) -> str:
        """File name if its blocks were computed by this code: that of its points, and a hash of the fingerprints."""
        return f"{self.name_of_points}~{_hash(' '.join(codes), 4)}"

    @property
    def name_of_points(self) -> str:
        """What its file name begins with: the label of its block, or its first sweeps; and a hash of the spec."""
        if len(self.blocks) == 1:
            label = self.blocks[0].label
        else:
            sweeps = list(dict.fromkeys(block.sweep for block in self.blocks))
            more = [f"{len(sweeps) - _NAMED}_{_MORE}"] if len(sweeps) > _NAMED else []
            label = "~".join([*sweeps[:_NAMED], *more])
        return f"{label}~{_hash(self.spec, 6)}"

    @property
    def points(self) -> int:
        """Number of points of all blocks."""
        return sum(block.points for block in self.blocks)

    @property
    def seconds(self) -> float:
        """Time that all blocks take, see `Block.seconds`."""
        return sum(block.seconds for block in self.blocks)


def _hash(text: str, size: int) -> str:
    """A hash of so many bytes, in hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


#: How many sweeps the name of a shard has, and what it says of the others.
_NAMED, _MORE = 3, "more"


def may_share(block: Block, name: str) -> bool:
    """Whether the shard of this name may have points of a block. It reads names alone, so that no file is opened."""
    parts = name.split("~")[:-2]
    if block.sweep not in parts and not any(part.endswith(f"_{_MORE}") for part in parts):
        return False
    for part in parts:
        axis, _, value = part.partition("=")
        if value and axis in block.axes and value not in map(safe, block.axes[axis]):
            return False
    return True


def safe(value: str) -> str:
    """A value in the form that it has in file names."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", value)


def measurement_of(of: Sweep | Block) -> Measurement:
    """The measurement of a sweep or a block."""
    return MEASUREMENTS.find(of.measurement)


def all_values(axes: Mapping[str, tuple[str, ...]], at: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The values of all axes, and the coordinates that all points share as axes of one value."""
    return {**{axis: (value,) for axis, value in at.items()}, **axes}


def sources_of_measurement(name: str) -> set[str]:
    """Modules that a measurement's numbers depend on, at any point."""
    return modules_of(MEASUREMENTS.find(name)) | {MEASUREMENTS.origins[name]}


def sources_of_value(axis: str, value: str) -> set[str]:
    """Modules that numbers at a value of an axis depend on, in addition to those of the measurement."""
    found: set[str] = set()
    for component, origin in AXES.find(axis).named(value):
        found |= modules_of(component) | {origin}
    return found


def sources(block: Block) -> set[str]:
    """Modules that the numbers of a block depend on, from its measurement and every component on its axes."""
    found = sources_of_measurement(block.measurement)
    for axis, values in all_values(block.axes, block.at).items():
        found = found.union(*(sources_of_value(axis, value) for value in values))
    return found


def sweep_axes(config: StudyConfig, sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """The configured values of every axis of a sweep, outermost first."""
    return {axis: sweep.fixed.get(axis) or config.axes[axis] for axis in sweep.axes}


def in_order(axis: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of an axis in the order that blocks use: labels alphabetically, numbers by size."""
    return tuple(sorted(values) if AXES.find(axis).kind == "label" else sorted(values, key=number))


#: Of settings that belong to components: by setting, by axis, the values whose component has it.
Owners = Mapping[str, Mapping[str, Container[str]]]


def owners(axes: Mapping[str, Iterable[str]]) -> dict[str, dict[str, list[str]]]:
    """Which settings belong to components on these axes, as plain data."""
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
    """The settings that matter at some points.

    If a setting has a value for each value of an axis, only the values for these points are kept. A setting that
    belongs to components is left out if none of them is there.

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
    """Those settings that have a value for each value of an axis, each with that axis."""
    return {name: by for name in settings if name in SETTINGS.discover() and (by := SETTINGS[name].by)}


def settings_at(block: Block, axes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The settings of a block that matter at some of its points."""
    own = owners(all_values(block.axes, block.at))
    shared = measurement_of(block).settings
    own = {name: of for name, of in own.items() if name not in shared}
    return settings_for(block.settings, all_values(dict(axes), block.at), own, given_by(block.settings))


def sweep_owners(config: StudyConfig, sweep: Sweep) -> dict[str, dict[str, list[str]]]:
    """The `owners` of the settings of a sweep. Settings that its measurement always reads have no owner."""
    found = owners(all_values(sweep_axes(config, sweep), sweep.at))
    shared = measurement_of(sweep).settings
    return {name: of for name, of in found.items() if name not in shared}


def sweep_settings(config: StudyConfig, sweep: Sweep) -> dict[str, Any]:
    """The configured settings that the measurement of a sweep and the components on its axes read."""
    names = {*measurement_of(sweep).settings, *sweep_owners(config, sweep)}
    return {name: config.settings[name] for name in sorted(names) if name in config.settings}


def together(measurement: Measurement, axes: Mapping[str, tuple[str, ...]]) -> int:
    """How many points one call computes: all values of the axes that the measurement computes together."""
    return math.prod(len(axes[axis]) for axis in measurement.together if axis in axes)


def block_points(
    sweep: Sweep, axes: Mapping[str, tuple[str, ...]], settings: Mapping[str, Any], most: int, seconds: float
) -> int:
    """Largest number of points of a block: `most`, or fewer if the measurement says that they take over `seconds`."""
    measurement = measurement_of(sweep)
    if measurement.cost is not None:
        computations = max(1, int(min(most, seconds / measurement.cost(settings))))
        most = min(most, computations * together(measurement, axes))
    return most


#: The blocks of a sweep that would fill more shards than this are not joined with others.
_MANY = 4


def blocks(config: StudyConfig, most: int, seconds: float = math.inf) -> list[Block]:
    """All blocks of a study.

    Parameters
    ----------
    config : StudyConfig
    most : int
        Largest number of points of a block.
    seconds : float
        Longest time that a block should take, as far as the measurement knows its cost.

    Returns
    -------
    list of Block
        One sweep after the other, as the study has them.
    """
    found = []
    for name, sweep in config.study.sweeps.items():
        measurement = measurement_of(sweep)
        seed = config.seed if measurement.random else 0  # an exact result knows no seed
        settings, own = sweep_settings(config, sweep), sweep_owners(config, sweep)
        by = given_by(settings)
        ordered = {axis: in_order(axis, values) for axis, values in sweep_axes(config, sweep).items()}
        points = block_points(sweep, ordered, settings, most, seconds)
        pieces = cut(ordered, measurement.split, points)
        for combination in itertools.product(*pieces.values()):
            axes = dict(zip(ordered, combination, strict=True))
            here = settings_for(settings, all_values(axes, sweep.at), own, by)
            found.append(Block(config.name, name, sweep.measurement, axes, here, seed, dict(sweep.at)))
    return found


def shards(config: StudyConfig, most: int, seconds: float = math.inf) -> list[Shard]:
    """All shards of a study. Small `blocks` share a shard, because it takes a second to start a job.

    Blocks that need the same conda environment are joined as long as their shard keeps both limits. A block gets a
    shard of its own if it takes more than half of a limit, or if its sweep would fill many shards. In the second case
    a value added to the sweep reruns only the shard that it falls into.

    Parameters
    ----------
    config : StudyConfig
    most : int
        Largest number of points of a shard.
    seconds : float
        Longest time that a shard should take, as far as the measurements know their costs.

    Returns
    -------
    list of Shard
        In the order of their first blocks.
    """
    cut = blocks(config, most, seconds)
    parts = [np.array([block.seconds / seconds, block.points / most]) for block in cut]  # of the two limits
    whole: dict[str, np.ndarray] = {}
    for block, part in zip(cut, parts, strict=True):
        whole[block.sweep] = whole.get(block.sweep, 0) + part
    alone: list[list[int]] = []
    shared: list[tuple[str, np.ndarray, list[int]]] = []
    # the longest first, each into the first shard that has room for it
    for i in sorted(range(len(cut)), key=lambda i: (-parts[i][0], cut[i].spec)):
        if max(2 * parts[i]) > 1 or max(whole[cut[i].sweep]) > _MANY:
            alone.append([i])
            continue
        environment = measurement_of(cut[i]).environment
        for other, taken, members in shared:
            if other == environment and max(taken + parts[i]) <= 1:
                taken += parts[i]
                members.append(i)
                break
        else:
            shared.append((environment, parts[i].copy(), [i]))
    found = [*alone, *(members for _, _, members in shared)]
    return [Shard(tuple(cut[i] for i in sorted(members))) for members in sorted(found, key=min)]
