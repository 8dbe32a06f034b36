"""From a configuration to shards: which points are computed together.

A shard is a product of axis values of one sweep. Axes that the simulation names have one value in a shard; the
others are cut, outermost first, until a shard holds no more points than asked. A shard's name ends in a hash of all
that defines it, so a change of the grid renames nothing that stays: values are held in one order whatever the
configuration's, and an axis is cut so that a value added or removed changes only the block it falls into.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .. import plugins
from ..bandits import FAMILIES
from ..errors import ConfigError
from ..fingerprint import fingerprint
from ..measurements import instance_at
from ..training import rules
from ..values import number
from .axes import AXES
from .study import STUDIES, Study, Sweep

#: Shards of one sweep at the most. Snakemake and a cluster's scheduler do well with a thousand or two jobs, and
#: few studies have more than two sweeps that are large; job arrays are often limited to 1,000.
MOST_SHARDS = 500


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
    study, sweep, simulation : str
    axes : dict of str to tuple of str
        Canonical values of every axis of the sweep.
    settings : dict
        Settings that the simulation reads.
    seed : int
    """

    study: str
    sweep: str
    simulation: str
    axes: dict[str, tuple[str, ...]]
    settings: dict[str, Any]
    seed: int

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
        """Time that it takes as the simulation states it, or a second a point where it states none."""
        module = simulation(self)
        cost = module.cost(self.settings) if hasattr(module, "cost") else 1.0
        return cost * self.points / together(self, self.axes)

    @property
    def code(self) -> str:
        """Fingerprint of the sources that the shard's numbers depend on."""
        named = [rules.rule(name) for name in self.axes.get("rule", ())]
        advantages = {*self.axes.get("advantage", ()), *(advantage for advantage, _ in named)}
        aggregations = {*self.axes.get("aggregation", ()), *(aggregation for _, aggregation in named)}
        modules = {self.simulation}
        modules.update(type(FAMILIES.find(name)).__module__ for name in families(self, self.axes))
        modules.update(rules.ADVANTAGES.find(name).coefficient.__module__ for name in advantages)
        modules.update(rules.AGGREGATIONS.find(name).divisor.__module__ for name in aggregations)
        modules.update(rules.SCHEDULES.find(name).__module__ for name in self.axes.get("schedule", ()))
        return fingerprint(*sorted(modules))


def safe(value: str) -> str:
    """A value as it stands in a file name."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", value)


def simulation(sweep: Sweep | Shard) -> ModuleType:
    """The module that simulates a sweep or a shard."""
    return plugins.module(sweep.simulation)


def sweep_axes(config: StudyConfig, sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Values of every axis of a sweep, outermost first, as a study is configured."""
    return {axis: sweep.fixed.get(axis) or config.axes[axis] for axis in sweep.axes}


def in_order(axis: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Values of an axis in the order in which shards hold them: labels by letter, numbers by size."""
    return tuple(sorted(values) if AXES.find(axis).kind == "label" else sorted(values, key=number))


def blocks(values: tuple[str, ...], most: int) -> list[tuple[str, ...]]:
    """Cut the values of an axis into blocks of at most `most`, each in the order given.

    A block that is too full is divided by the next bit of a hash of its values, so that which values share a block
    does not depend on their positions: a value added or removed changes only the block it falls into.
    """

    def divide(part: tuple[str, ...], bit: int) -> Iterator[tuple[str, ...]]:
        if len(part) <= most:
            yield part
            return
        for side in (0, 1):
            half = tuple(value for value in part if hashes[value] >> bit & 1 == side)
            if half:
                yield from divide(half, bit + 1)

    hashes = {
        value: int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest()) for value in values
    }
    position = {value: index for index, value in enumerate(values)}
    return sorted(divide(values, 0), key=lambda block: position[block[0]])


def cut(
    axes: Mapping[str, tuple[str, ...]], singly: Container[str], most: int, most_shards: int = MOST_SHARDS
) -> dict[str, list[tuple[str, ...]]]:
    """Blocks of every axis, whose products are the shards of a sweep.

    Parameters
    ----------
    axes : mapping of str to tuple of str
        All values of every axis, outermost first.
    singly : container of str
        Axes of which a shard holds one value.
    most : int
        Points that a shard holds at the most. The outermost axes are cut first. Where that makes more than
        `most_shards` shards, both limits, this and one value of the axes `singly`, are doubled until it does not.
    most_shards : int
    """
    single = {axis: 1 for axis in axes if axis in singly}
    while True:
        size = {axis: min(single.get(axis, len(values)), len(values)) for axis, values in axes.items()}
        for axis in axes:
            points = math.prod(size.values())
            if points <= most:
                break
            size[axis] = max(1, most // (points // size[axis]))
        pieces = {axis: blocks(values, size[axis]) for axis, values in axes.items()}
        if math.prod(map(len, pieces.values())) <= most_shards:
            return pieces
        most *= 2
        if single:
            single[max(single, key=lambda axis: len(pieces[axis]))] *= 2


def families(simulated: Sweep | Shard, axes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Bandit families at some points of a simulation: those of the axis, or those that the simulation names."""
    return axes["family"] if "family" in axes else getattr(simulation(simulated), "FAMILIES", ())


def settings_for(settings: Mapping[str, Any], families: Container[str]) -> dict[str, Any]:
    """Settings as they concern some families: of a setting given by family, only theirs."""
    known = FAMILIES.discover()
    return {
        name: {family: of for family, of in value.items() if family in families}
        if isinstance(value, Mapping) and all(key in known for key in value)
        else value
        for name, value in settings.items()
    }


def sweep_settings(config: StudyConfig, sweep: Sweep) -> dict[str, Any]:
    """Settings that the simulation of a sweep reads, as a study is configured."""
    return {name: config.settings[name] for name in simulation(sweep).SETTINGS if name in config.settings}


def together(simulated: Sweep | Shard, axes: Mapping[str, tuple[str, ...]]) -> int:
    """Points that one computation gives: all values of the axes that the simulation says it computes together."""
    return math.prod(len(axes[axis]) for axis in getattr(simulation(simulated), "TOGETHER", ()))


def shard_points(
    sweep: Sweep, axes: Mapping[str, tuple[str, ...]], settings: Mapping[str, Any], most: int, seconds: float
) -> int:
    """Points that a shard of a sweep holds at the most: `most`, or as many as take `seconds` by the simulation."""
    if hasattr(simulation(sweep), "cost"):
        computations = max(1, int(min(most, seconds / simulation(sweep).cost(settings))))
        most = min(most, computations * together(sweep, axes))
    return most


def shards(config: StudyConfig, most: int, seconds: float = math.inf) -> list[Shard]:
    """All shards of a study.

    Parameters
    ----------
    config : StudyConfig
    most : int
        Points that a shard holds at the most.
    seconds : float
        Time that a shard should take at the most, as far as the simulation knows its cost.

    Returns
    -------
    list of Shard
    """
    found = []
    for name, sweep in config.study.sweeps.items():
        # an exact result knows no seed
        seed = config.seed if getattr(simulation(sweep), "RANDOM", False) else 0
        settings = sweep_settings(config, sweep)
        ordered = {axis: in_order(axis, values) for axis, values in sweep_axes(config, sweep).items()}
        points = shard_points(sweep, ordered, settings, most, seconds)
        pieces = cut(ordered, simulation(sweep).SPLIT, points)
        for combination in itertools.product(*pieces.values()):
            axes = dict(zip(ordered, combination, strict=True))
            here = settings_for(settings, families(sweep, axes))
            found.append(Shard(config.name, name, sweep.simulation, axes, here, seed))
    return found


_LABELS: dict[str, plugins.Registry] = {
    "advantage": rules.ADVANTAGES,
    "aggregation": rules.AGGREGATIONS,
    "schedule": rules.SCHEDULES,
}


#: Values of one numeric axis for which `check` makes instances at the most.
_CHECKED = 16


def _spread(axis: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The values, or where they are many both extremes and some between: enough to find what is out of reach."""
    if AXES.find(axis).kind == "label" or len(values) <= _CHECKED:
        return values
    ordered = in_order(axis, values)
    return tuple(ordered[i * (len(ordered) - 1) // (_CHECKED - 1)] for i in range(_CHECKED))


def check(config: StudyConfig) -> None:
    """Check what a schema cannot: names of components, and that every instance exists.

    On a long axis only some values are tried, both extremes among them, so that this takes no time on any grid;
    an instance between them that does not exist stops the job that meets it.

    Parameters
    ----------
    config : StudyConfig

    Raises
    ------
    ConfigError
        If a name is unknown or an instance does not exist.
    """
    for axis, values in config.axes.items():
        for value in values:
            try:
                if axis == "family":
                    FAMILIES.find(value)
                elif axis in _LABELS:
                    _LABELS[axis].find(value)
                elif axis == "rule":
                    rules.rule(value)
            except ConfigError as error:
                raise ConfigError(f"{axis}: {error}") from None
    tried = set()
    for sweep in config.study.sweeps.values():
        module = simulation(sweep)
        axes = {axis: _spread(axis, values) for axis, values in sweep_axes(config, sweep).items()}
        if hasattr(module, "check"):
            module.check(axes, config.settings)
        elif "family" in axes:
            outer = [axis for axis in axes if axis in ("family", "length", "success_rate")]
            for combination in itertools.product(*(axes[axis] for axis in outer)):
                point = dict(zip(outer, combination, strict=True))
                if combination not in tried:
                    instance_at(point, config.settings)
                tried.add(combination)
