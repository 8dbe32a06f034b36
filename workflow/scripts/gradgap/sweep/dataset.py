"""From shards to one labelled dataset a study."""

import itertools
import json
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from ..errors import MissingPointError, ShardError
from ..files import replacing
from ..measurements import Variable
from ..values import failure_rate, number
from . import provenance
from .axes import AXES
from .compute import read, stored_variable
from .grid import Shard, StudyConfig, families, settings_for, simulation, sweep_axes, sweep_settings


def coordinates(axis: str, values: tuple[str, ...]) -> dict[str, xr.Variable]:
    """Coordinate variables of an axis: its values, and 1 − J beside success rates."""
    meaning = AXES.find(axis)
    attributes = {"long_name": meaning.long_name, "units": meaning.units, "description": meaning.description}
    if meaning.kind == "label":
        return {axis: xr.Variable(axis, np.array(values, dtype=object), attributes)}
    kind = np.int64 if meaning.kind == "integer" else np.float64
    found = {axis: xr.Variable(axis, np.array([kind(number(value)) for value in values]), attributes)}
    if axis == "success_rate":
        found["failure_rate"] = xr.Variable(
            axis,
            np.array([failure_rate(value) for value in values]),
            {
                "long_name": "failure rate at the start",
                "units": "1",
                "description": "1 − success_rate, from its decimals.",
            },
        )
    return found


#: Values of a variable that are in memory at once while a dataset is written.
_AT_ONCE = 2**20

#: Of a sweep: each shard file, and where the values of its axes stand in the whole axes.
Places = list[tuple[str | Path, dict[str, list[int]]]]


def assemble(config: StudyConfig, shards: Iterable[str | Path]) -> xr.Dataset:
    """Put the shards of a study together, in memory.

    Parameters
    ----------
    config : StudyConfig
    shards : iterable of path
        Shard files, read one at a time.

    Returns
    -------
    Dataset
        Dimensions are the axes of the study; every variable has long_name, units and description.

    Raises
    ------
    ShardError
        If shards are missing, damaged, hold other points than their names say, were computed by other code, or
        belong to another study or other settings. The message names each of them and ends in the remedy.
    MissingPointError
        If a point of the grid is in no shard, or a value is not a number where it should be; the message names
        the point.
    """
    places = _survey(config, shards)
    dataset = _empty(config)
    for sweep, variable, meaning, axes in _variables(config):
        whole = [range(len(values)) for values in axes.values()]
        array = _part(places[sweep], variable, meaning, axes, whole)
        dataset[variable] = (list(axes), array, _meaning(meaning))
    return dataset


def aggregate(config: StudyConfig, shards: Iterable[str | Path], path: str | Path) -> None:
    """Put the shards of a study together in a compressed netCDF-4 file, written in one piece.

    What `assemble` gives and `write` writes, with a part of one variable in memory at a time: beside a shard and
    that part, memory holds no more of the grid than a mask of its points. The file depends on the grid alone, to
    the byte, not on how it was cut into shards.

    Parameters
    ----------
    config : StudyConfig
    shards : iterable of path
    path : path
        The netCDF file.

    Raises
    ------
    ShardError, MissingPointError
        As `assemble`.
    """
    places = _survey(config, shards)
    with replacing(path) as temporary:
        write(_empty(config), temporary)
        with netCDF4.Dataset(temporary, "a") as file:
            for sweep, variable, meaning, axes in _variables(config):
                shape = tuple(len(values) for values in axes.values())
                parts = list(_parts(shape))
                stored = file.createVariable(
                    variable,
                    meaning.dtype,
                    tuple(axes),
                    compression="zlib" if shape else None,
                    complevel=4,
                    fill_value=np.nan if meaning.dtype.kind == "f" else None,
                    chunksizes=tuple(map(len, parts[0])) if len(parts) > 1 else None,
                )
                if len(parts) > 1:  # a part is a chunk, so that keeping chunks would only take memory
                    stored.set_var_chunk_cache(size=1)
                stored.setncatts(_meaning(meaning))
                for part in parts:
                    corner = tuple(slice(rows.start, rows.stop) for rows in part)
                    stored[corner] = _part(places[sweep], variable, meaning, axes, part)


def _parts(shape: tuple[int, ...]) -> Iterator[list[range]]:
    """Cut an array into boxes of at most `_AT_ONCE` values, last axis fastest."""
    size = list(shape)
    for axis in range(len(size)):  # outer axes are cut first
        rest = math.prod(size[axis + 1 :])
        size[axis] = max(1, min(size[axis], _AT_ONCE // rest))
    starts = [range(0, whole, step) for whole, step in zip(shape, size, strict=True)]
    for corner in itertools.product(*starts):
        yield [
            range(start, min(start + step, whole))
            for start, step, whole in zip(corner, size, shape, strict=True)
        ]


def _variables(config: StudyConfig) -> Iterator[tuple[str, str, Variable, dict[str, tuple[str, ...]]]]:
    """Sweep, name, meaning and axes of every variable of a study."""
    for name, sweep in config.study.sweeps.items():
        axes = sweep_axes(config, sweep)
        for variable, meaning in simulation(sweep).VARIABLES.items():
            kept = {axis: values for axis, values in axes.items() if axis not in meaning.drop}
            yield name, variable, meaning, kept


def _empty(config: StudyConfig) -> xr.Dataset:
    """The dataset of a study without its variables."""
    dataset = xr.Dataset(attrs=_attributes(config))
    for sweep in config.study.sweeps.values():
        for axis, texts in sweep_axes(config, sweep).items():
            dataset = dataset.assign_coords(coordinates(axis, texts))
    return dataset


def _meaning(meaning: Variable) -> dict[str, object]:
    """Attributes of a variable."""
    attributes: dict[str, object] = {
        "long_name": meaning.long_name,
        "units": meaning.units,
        "description": meaning.description,
    }
    if meaning.codes is not None:
        attributes["flag_values"] = np.array([int(code) for code in meaning.codes], np.int8)
        attributes["flag_meanings"] = " ".join(code.name for code in meaning.codes)
    return attributes


def _survey(config: StudyConfig, shards: Iterable[str | Path]) -> dict[str, Places]:
    """Check every shard, and that they hold every point; say which points each holds."""
    axes = {name: sweep_axes(config, sweep) for name, sweep in config.study.sweeps.items()}
    places: dict[str, Places] = {name: [] for name in axes}
    seen = {name: np.zeros([len(values) for values in of.values()], bool) for name, of in axes.items()}
    refused: dict[str | Path, ShardError] = {}
    for path in shards:
        try:
            shard, _ = read(path)
            index = _positions(config, path, shard, axes)
        except ShardError as error:
            refused[path] = error
            continue
        places[shard.sweep].append((path, index))
        seen[shard.sweep][np.ix_(*index.values())] = True
    if refused:
        files = " ".join(shlex.quote(str(path)) for path in refused)
        raise ShardError(
            "\n".join(map(str, refused.values()))
            + f"\n{len(refused)} shards of {config.name} cannot be used. Remedy: rm -f {files} && run again"
        )
    for name, whole in seen.items():
        _require_complete(name, axes[name], whole)
    return places


def _part(
    places: Places,
    variable: str,
    meaning: Variable,
    axes: Mapping[str, tuple[str, ...]],
    part: Sequence[range],
) -> np.ndarray:
    """A box of a variable, from the shards that hold points of it."""
    array = np.empty([len(rows) for rows in part], meaning.dtype)
    for path, index in places:
        theirs = [np.array(index[axis]) for axis in axes]
        inside = [
            np.flatnonzero((at >= rows.start) & (at < rows.stop))
            for at, rows in zip(theirs, part, strict=True)
        ]
        if all(len(positions) for positions in inside):
            mine = [at[i] - rows.start for at, i, rows in zip(theirs, inside, part, strict=True)]
            array[np.ix_(*mine)] = stored_variable(path, variable)[np.ix_(*inside)]
    if array.dtype.kind == "f" and not meaning.undefined:
        _require_defined(variable, axes, part, array)
    return array


def _positions(config: StudyConfig, path: str | Path, shard: Shard, axes: Mapping) -> dict[str, list[int]]:
    """Where the values of a shard's axes stand in the whole axes."""
    if shard.study != config.name or shard.sweep not in axes:
        what = f"it belongs to {shard.study}/{shard.sweep}"
    else:
        settings = sweep_settings(config, config.study.sweeps[shard.sweep])
        settings = settings_for(settings, families(shard, shard.axes))
        whole = axes[shard.sweep]
        other = [name for name in settings if shard.settings.get(name) != settings[name]]
        strange = [axis for axis, values in shard.axes.items() if not set(values) <= set(whole.get(axis, ()))]
        seed = config.seed if getattr(simulation(shard), "RANDOM", False) else 0
        if not other and not strange and shard.seed == seed:
            where = {axis: {value: i for i, value in enumerate(whole[axis])} for axis in whole}
            return {axis: [where[axis][value] for value in values] for axis, values in shard.axes.items()}
        what = "other " + ", ".join([*other, *(f"values of {axis}" for axis in strange)] or ["seed"])
    raise ShardError(f"{path}: is no shard of the study {config.name!r} as configured ({what}); delete it")


def _attributes(config: StudyConfig) -> dict[str, str]:
    return {
        "title": config.study.title,
        "study": config.name,
        "predictions": config.study.predictions,
        "source": provenance.SOURCE,
        "config": json.dumps({"axes": config.axes, "settings": config.settings}, ensure_ascii=False),
        "seed": str(config.seed),
        "software": ", ".join(f"{name} {version}" for name, version in provenance.software().items()),
        "commit": provenance.commit(),
    }


def _point(axes: Mapping[str, tuple[str, ...]], dimensions: Iterable[str], index: Iterable[int]) -> str:
    return ", ".join(f"{axis}={axes[axis][i]}" for axis, i in zip(dimensions, index, strict=True))


def _require_complete(sweep: str, axes: Mapping[str, tuple[str, ...]], seen: np.ndarray) -> None:
    missing = np.argwhere(~seen)
    if len(missing):
        raise MissingPointError(
            f"{len(missing)} of {seen.size} points of sweep {sweep!r} are missing, the first at "
            f"{_point(axes, axes, missing[0])}"
        )


def _require_defined(
    variable: str, axes: Mapping[str, tuple[str, ...]], part: Sequence[range], values: np.ndarray
) -> None:
    undefined = np.argwhere(np.isnan(values))
    if len(undefined):
        first = [rows[i] for rows, i in zip(part, undefined[0], strict=True)]
        raise MissingPointError(
            f"{variable} is not a number at {len(undefined)} of {values.size} points, the first at "
            f"{_point(axes, axes, first)}"
        )


def write(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a dataset as compressed netCDF-4, in one piece."""
    encoding = {
        name: {"zlib": True, "complevel": 4} for name, values in dataset.data_vars.items() if values.ndim
    }
    with replacing(path) as temporary:
        dataset.to_netcdf(temporary, format="NETCDF4", engine="netcdf4", encoding=encoding)
