"""Put the shards of a study together in one labelled dataset."""

import functools
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import netCDF4
import numpy as np

from ..errors import MissingPointError, ShardError
from ..files import replacing
from ..fingerprint import fingerprint
from ..values import failure_rate, number
from . import provenance
from .axes import AXES
from .grid import (
    Block,
    StudyConfig,
    all_values,
    given_by,
    measurement_of,
    settings_for,
    sources_of_measurement,
    sources_of_value,
    sweep_axes,
    sweep_owners,
    sweep_settings,
)
from .parts import AT_ONCE, boxes
from .store import read, require, stored_variable

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Contents:
    """All that defines a dataset, as plain data, so that the job that makes it imports no study or measurement.

    Attributes
    ----------
    study : str
    attributes : dict
        Attributes of the dataset that its configuration gives.
    seed : int
    axes : dict of str to dict
        Of each axis: ``values`` (canonical texts), ``kind`` and ``attributes``.
    sweeps : dict of str to dict
        Of each sweep: ``axes`` (their values, outermost first), ``at``, ``settings``, their ``owners`` and what they
        are given ``by``, ``seed``;
        ``sources`` of every point and ``sources_of`` each value of each axis (module names); and ``variables``, of
        each the ``axes`` that it depends on, ``dtype``, ``undefined`` and ``attributes``.
    """

    study: str
    attributes: dict[str, str]
    seed: int
    axes: dict[str, dict[str, Any]]
    sweeps: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, config: StudyConfig) -> "Contents":
        """The contents of the dataset of a study, as it is configured."""
        axes: dict[str, dict[str, Any]] = {}
        sweeps = {}
        for name, sweep in config.study.sweeps.items():
            measurement = measurement_of(sweep)
            values = {axis: list(texts) for axis, texts in sweep_axes(config, sweep).items()}
            for axis, texts in values.items():
                meaning = AXES.find(axis)
                axes[axis] = {
                    "values": texts,
                    "kind": meaning.kind,
                    "attributes": {
                        "long_name": meaning.long_name,
                        "units": meaning.units,
                        "description": meaning.description,
                    },
                }
            whole = all_values({axis: tuple(texts) for axis, texts in values.items()}, sweep.at)
            sweeps[name] = {
                "axes": values,
                "at": dict(sweep.at),
                "settings": sweep_settings(config, sweep),
                "owners": sweep_owners(config, sweep),
                "by": given_by(sweep_settings(config, sweep)),
                "seed": config.seed if measurement.random else 0,
                "sources": sorted(sources_of_measurement(sweep.measurement)),
                "sources_of": {
                    axis: {text: sorted(sources_of_value(axis, text)) for text in texts}
                    for axis, texts in whole.items()
                    if AXES.find(axis).components is not None
                },
                "variables": {
                    variable: {
                        "axes": list(meaning.axes(sweep.axes)),
                        "dtype": meaning.dtype.name,
                        "undefined": meaning.undefined,
                        "attributes": meaning.attributes,
                    }
                    for variable, meaning in measurement.variables.items()
                },
            }
        attributes = {
            "title": config.study.title,
            "study": config.name,
            "predictions": config.study.predictions,
            "config": json.dumps({"axes": config.axes, "settings": config.settings}, ensure_ascii=False),
            "seed": str(config.seed),
        }
        return cls(config.name, attributes, config.seed, axes, sweeps)

    def code(self, sweep: str, axes: Mapping[str, Iterable[str]]) -> str:
        """`Block.code` of a block of a sweep with these values of its axes."""
        found = set(self.sweeps[sweep]["sources"])
        for axis, modules in self.sweeps[sweep]["sources_of"].items():
            for value in axes.get(axis, modules):
                found.update(modules[value])
        return fingerprint(*sorted(found))


#: Of each block of a sweep: its file, its number there, and where the values of its axes stand in the whole axes.
Places = list[tuple[str | Path, int, dict[str, np.ndarray]]]


def aggregate(contents: Contents, shards: Iterable[str | Path], path: str | Path) -> None:
    """Put the shards of a study together in a compressed netCDF-4 file, which appears whole or not at all.

    Its dimensions are the axes of the study; every variable has long_name, units and description. Only a shard, a
    part of one variable and a mask of the grid are in memory at a time. The bytes of the file do not depend on how
    the grid was cut into shards.

    Parameters
    ----------
    contents : Contents
    shards : iterable of path
        Shard files, read one at a time.
    path : path
        The netCDF file.

    Raises
    ------
    ShardError
        If shards are missing or damaged, hold other points than their names say, were computed by other code, or
        belong to another study or other settings. The message names each of them, and ends with what to do.
    MissingPointError
        If no shard holds a point of the grid, or a value is nan where it should not be. The message names the point.
    """
    places = _survey(contents, shards)
    with replacing(path) as temporary, netCDF4.Dataset(temporary, "w") as file:
        file.setncatts(_attributes_of_all(contents))
        for axis, of_axis in contents.axes.items():
            file.createDimension(axis, len(of_axis["values"]))
        for name, (axis, values, attributes) in _coordinates(contents).items():
            _store(file, name, values.dtype, (axis,), attributes)[:] = values
        for sweep, variable, meaning, axes in _variables(contents):
            shape = tuple(len(values) for values in axes.values())
            parts = list(boxes(shape, AT_ONCE))
            stored = _store(
                file,
                variable,
                np.dtype(meaning["dtype"]),
                tuple(axes),
                _attributes(meaning),
                compression="zlib" if shape else None,
                complevel=4,
                chunksizes=tuple(map(len, parts[0])) if len(parts) > 1 else None,
            )
            if len(parts) > 1:  # a part is a chunk, so that keeping chunks would only take memory
                stored.set_var_chunk_cache(size=1)
            for part in parts:
                corner = tuple(slice(rows.start, rows.stop) for rows in part)
                stored[corner] = _part(places[sweep], variable, meaning, axes, part)


def differences(contents: Contents, shards: Iterable[str | Path], found: "xr.Dataset") -> list[str]:
    """In what a dataset differs from its shards, with only a part of one variable in memory at a time.

    Parameters
    ----------
    contents : Contents
    shards : iterable of path
    found : Dataset
        As it was opened; it need not be loaded.

    Returns
    -------
    list of str
        Names of coordinates and variables whose values, axes or existence differ.

    Raises
    ------
    ShardError, MissingPointError
        As `aggregate`.
    """
    places = _survey(contents, shards)
    coordinates = _coordinates(contents)
    wrong = {str(name) for name in {*coordinates, *found.coords}}
    wrong -= {
        name
        for name, (axis, values, _) in coordinates.items()
        if name in found.coords and found[name].dims == (axis,) and np.array_equal(found[name].values, values)
    }
    known = [variable for _, variable, _, _ in _variables(contents)]
    wrong |= {str(name) for name in found.data_vars if name not in known}
    if wrong:
        return sorted(wrong)
    for sweep, variable, meaning, axes in _variables(contents):
        if variable not in found or found[variable].dims != tuple(axes):
            wrong.add(variable)
            continue
        for part in boxes(found[variable].shape, AT_ONCE):
            corner = tuple(slice(rows.start, rows.stop) for rows in part)
            values, expected = (
                found[variable][corner].values,
                _part(places[sweep], variable, meaning, axes, part),
            )
            if not np.array_equal(values, expected, equal_nan=expected.dtype.kind == "f"):
                wrong.add(variable)
                break
    return sorted(wrong)


def _variables(contents: Contents) -> Iterator[tuple[str, str, Mapping[str, Any], dict[str, list[str]]]]:
    """Sweep, name, meaning and axes of every variable of a dataset."""
    for name, sweep in contents.sweeps.items():
        for variable, meaning in sweep["variables"].items():
            yield name, variable, meaning, {axis: sweep["axes"][axis] for axis in meaning["axes"]}


def _attributes_of_all(contents: Contents) -> dict[str, str]:
    """Attributes of a dataset."""
    found = {
        **contents.attributes,
        "source": provenance.SOURCE,
        "software": ", ".join(f"{name} {version}" for name, version in provenance.software().items()),
        "commit": provenance.commit(),
    }
    if beside := [name for name in _coordinates(contents) if name not in contents.axes]:
        found["coordinates"] = " ".join(beside)  # the convention for coordinates that are no axes
    return found


class _Coordinate(NamedTuple):
    """Values of a coordinate along an axis, and what they mean."""

    axis: str
    values: np.ndarray
    attributes: Mapping[str, Any]


def _coordinates(contents: Contents) -> dict[str, _Coordinate]:
    """The values of every axis, and for success rates 1 − J as well."""
    found = {}
    for axis, meaning in contents.axes.items():
        values, kind = meaning["values"], meaning["kind"]
        if kind == "label":
            array = np.array(values, dtype=object)
        else:
            of = np.int64 if kind == "integer" else np.float64
            array = np.array([of(number(value)) for value in values])
        found[axis] = _Coordinate(axis, array, meaning["attributes"])
        if axis == "success_rate":
            attributes = {
                "long_name": "failure rate at the start",
                "units": "1",
                "description": "1 − success_rate, from its decimals.",
            }
            found["failure_rate"] = _Coordinate(
                axis, np.array([failure_rate(value) for value in values]), attributes
            )
    return found


def _store(
    file: netCDF4.Dataset,
    name: str,
    dtype: np.dtype,
    axes: tuple[str, ...],
    attributes: Mapping[str, Any],
    **how: Any,
) -> netCDF4.Variable:
    """A new variable of a file, still without values. Undefined numbers are nan, and texts are texts."""
    stored = file.createVariable(
        name,
        str if dtype.kind == "O" else dtype,
        axes,
        fill_value=np.nan if dtype.kind == "f" else None,
        **how,
    )
    stored.setncatts(dict(attributes))
    return stored


def _attributes(meaning: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a variable."""
    attributes = dict(meaning["attributes"])
    if "flag_values" in attributes:
        attributes["flag_values"] = np.array(attributes["flag_values"], np.int8)
    return attributes


def _survey(contents: Contents, shards: Iterable[str | Path]) -> dict[str, Places]:
    """Check every shard, and that together they hold every point. Return which points each holds."""
    axes = {name: sweep["axes"] for name, sweep in contents.sweeps.items()}
    places: dict[str, Places] = {name: [] for name in axes}
    # most blocks have the same values of most axes, and share their arrays
    positions = functools.cache(_positions)
    seen = {name: np.zeros([len(values) for values in of.values()], bool) for name, of in axes.items()}
    refused: dict[str | Path, ShardError] = {}
    for path in shards:
        try:
            for k, stored in enumerate(read(path)):
                block = stored.block
                _require_configured(contents, path, block)
                index = {
                    axis: positions(values, tuple(axes[block.sweep][axis]))
                    for axis, values in block.axes.items()
                }
                shapes = {
                    name: tuple(len(block.axes[axis]) for axis in meaning["axes"])
                    for name, meaning in contents.sweeps[block.sweep]["variables"].items()
                }
                require(path, stored, contents.code(block.sweep, block.axes), shapes)
                places[block.sweep].append((path, k, index))
                seen[block.sweep][np.ix_(*index.values())] = True
        except ShardError as error:
            refused[path] = error
    if refused:
        files = " ".join(shlex.quote(str(path)) for path in refused)
        raise ShardError(
            "\n".join(map(str, refused.values()))
            + f"\n{len(refused)} shards of {contents.study} cannot be used. Remedy: rm -f {files} && run again"
        )
    for name, whole in seen.items():
        _require_complete(name, axes[name], whole)
    return places


def _part(
    places: Places,
    variable: str,
    meaning: Mapping[str, Any],
    axes: Mapping[str, Sequence[str]],
    part: Sequence[range],
) -> np.ndarray:
    """One box of a variable, from the blocks that hold its points."""
    array = np.empty([len(rows) for rows in part], meaning["dtype"])
    for path, k, index in places:
        theirs = [index[axis] for axis in axes]
        inside = [
            np.flatnonzero((at >= rows.start) & (at < rows.stop))
            for at, rows in zip(theirs, part, strict=True)
        ]
        if all(len(positions) for positions in inside):
            mine = [at[i] - rows.start for at, i, rows in zip(theirs, inside, part, strict=True)]
            array[np.ix_(*mine)] = stored_variable(path, k, variable)[np.ix_(*inside)]
    if array.dtype.kind == "f" and not meaning["undefined"]:
        _require_defined(variable, axes, part, array)
    return array


def _positions(values: tuple[str, ...], whole: tuple[str, ...]) -> np.ndarray:
    """Where values of an axis stand in the whole axis."""
    where = {value: i for i, value in enumerate(whole)}
    return np.array([where[value] for value in values])


def _require_configured(contents: Contents, path: str | Path, block: Block) -> None:
    """Raise an error if a block has other values, settings or another seed than the study is configured with."""
    sweep = contents.sweeps.get(block.sweep)
    if block.study != contents.study or sweep is None:
        what = f"it belongs to {block.study}/{block.sweep}"
    else:
        whole = sweep["axes"]
        points = all_values(block.axes, block.at)
        here = settings_for(sweep["settings"], points, sweep["owners"], sweep["by"])
        other = [name for name in here if block.settings.get(name) != here[name]]
        strange = [axis for axis, values in block.axes.items() if not set(values) <= set(whole.get(axis, ()))]
        if not other and not strange and (block.seed, block.at) == (sweep["seed"], sweep["at"]):
            return
        what = "other " + ", ".join([*other, *(f"values of {axis}" for axis in strange)] or ["seed"])
    raise ShardError(f"{path}: is no shard of the study {contents.study!r} as configured ({what}); delete it")


def _point(axes: Mapping[str, Sequence[str]], dimensions: Iterable[str], index: Iterable[int]) -> str:
    return ", ".join(f"{axis}={axes[axis][i]}" for axis, i in zip(dimensions, index, strict=True))


def _require_complete(sweep: str, axes: Mapping[str, Sequence[str]], seen: np.ndarray) -> None:
    if not seen.all():
        missing = np.argwhere(~seen)
        raise MissingPointError(
            f"{len(missing)} of {seen.size} points of sweep {sweep!r} are missing, the first at "
            f"{_point(axes, axes, missing[0])}"
        )


def _require_defined(
    variable: str, axes: Mapping[str, Sequence[str]], part: Sequence[range], values: np.ndarray
) -> None:
    undefined = np.argwhere(np.isnan(values))
    if len(undefined):
        first = [rows[i] for rows, i in zip(part, undefined[0], strict=True)]
        raise MissingPointError(
            f"{variable} is not a number at {len(undefined)} of {values.size} points, the first at "
            f"{_point(axes, axes, first)}"
        )
