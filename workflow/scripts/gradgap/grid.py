"""From a configuration to shards: which points are computed together.

A shard is a product of axis values of one sweep. Axes that the simulation names have one value in a shard; the
others are cut, outermost first, until a shard holds no more points than asked. A shard's name ends in a hash of all
that defines it, so a change of the grid renames nothing that stays.
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

from . import registry, rules
from .errors import ConfigError
from .families import FAMILIES
from .simulations import instance_at
from .sources import fingerprint
from .studies import STUDIES, Study, Sweep


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
        single = [f"{axis}={_safe(values[0])}" for axis, values in self.axes.items() if len(values) == 1]
        digest = hashlib.blake2b(self.spec.encode(), digest_size=6).hexdigest()
        return ",".join([*single, digest])

    @property
    def points(self) -> int:
        """Number of points."""
        return math.prod(len(values) for values in self.axes.values())

    @property
    def code(self) -> str:
        """Fingerprint of the sources that the shard's numbers depend on."""
        named = [rules.rule(name) for name in self.axes.get("rule", ())]
        advantages = {*self.axes.get("advantage", ()), *(advantage for advantage, _ in named)}
        aggregations = {*self.axes.get("aggregation", ()), *(aggregation for _, aggregation in named)}
        modules = {self.simulation}
        modules.update(type(FAMILIES.find(name)).__module__ for name in self.axes.get("family", ()))
        modules.update(rules.ADVANTAGES.find(name).coefficient.__module__ for name in advantages)
        modules.update(rules.AGGREGATIONS.find(name).divisor.__module__ for name in aggregations)
        modules.update(rules.SCHEDULES.find(name).__module__ for name in self.axes.get("schedule", ()))
        return fingerprint(*sorted(modules))


def _safe(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]", "_", value)


def simulation(sweep: "Sweep | Shard") -> ModuleType:
    """The module that simulates a sweep or a shard."""
    return registry.module(sweep.simulation)


def sweep_axes(config: StudyConfig, sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Values of every axis of a sweep, outermost first, as a study is configured."""
    return {axis: sweep.fixed.get(axis) or config.axes[axis] for axis in sweep.axes}


def _chunks(values: tuple[str, ...], size: int) -> list[tuple[str, ...]]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def split(
    axes: Mapping[str, tuple[str, ...]], singly: Container[str], most: int
) -> Iterator[dict[str, tuple[str, ...]]]:
    """Cut a product of axes into products of at most `most` points, each with one value of the axes `singly`."""
    pieces = {axis: _chunks(values, 1) if axis in singly else [values] for axis, values in axes.items()}
    for axis in axes:
        size = math.prod(len(piece[0]) for piece in pieces.values())
        if size <= most:
            break
        here = len(pieces[axis][0])
        pieces[axis] = _chunks(axes[axis], max(1, most * here // size))
    for combination in itertools.product(*pieces.values()):
        yield dict(zip(axes, combination, strict=True))


def sweep_settings(config: StudyConfig, sweep: Sweep) -> dict[str, Any]:
    """Settings that the simulation of a sweep reads, as a study is configured."""
    return {name: config.settings[name] for name in simulation(sweep).SETTINGS if name in config.settings}


def shards(config: StudyConfig, most: int) -> list[Shard]:
    """All shards of a study.

    Parameters
    ----------
    config : StudyConfig
    most : int
        Points that a shard holds at the most.

    Returns
    -------
    list of Shard
    """
    found = []
    for name, sweep in config.study.sweeps.items():
        # an exact result knows no seed
        seed = config.seed if getattr(simulation(sweep), "RANDOM", False) else 0
        settings = sweep_settings(config, sweep)
        for axes in split(sweep_axes(config, sweep), simulation(sweep).SPLIT, most):
            found.append(Shard(config.name, name, sweep.simulation, axes, settings, seed))
    return found


_LABELS: dict[str, registry.Registry] = {
    "advantage": rules.ADVANTAGES,
    "aggregation": rules.AGGREGATIONS,
    "schedule": rules.SCHEDULES,
}


def check(config: StudyConfig) -> None:
    """Check what a schema cannot: names of components, and that every instance exists.

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
    for sweep in config.study.sweeps.values():
        module = simulation(sweep)
        axes = sweep_axes(config, sweep)
        if hasattr(module, "check"):
            module.check(axes, config.settings)
        elif "family" in axes:
            outer = [axis for axis in axes if axis in ("family", "length", "success_rate")]
            for combination in itertools.product(*(axes[axis] for axis in outer)):
                instance_at(dict(zip(outer, combination, strict=True)), config.settings)
