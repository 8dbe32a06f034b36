"""From shards to one labelled dataset a study."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from . import provenance
from .axes import AXES, failure_rate, number
from .errors import MissingPointError, ShardError
from .files import replacing
from .grid import Shard, StudyConfig, families, settings_for, simulation, sweep_axes, sweep_settings
from .shards import read


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


def assemble(config: StudyConfig, shards: Iterable[str | Path]) -> xr.Dataset:
    """Put the shards of a study together.

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
        If a point of the grid is in no shard; the message names it.
    """
    sweeps = config.study.sweeps
    axes = {name: sweep_axes(config, sweep) for name, sweep in sweeps.items()}
    arrays: dict[str, dict[str, np.ndarray]] = {}
    seen: dict[str, np.ndarray] = {}
    for name, sweep in sweeps.items():
        shape = {axis: len(values) for axis, values in axes[name].items()}
        seen[name] = np.zeros(list(shape.values()), bool)
        arrays[name] = {
            variable: np.empty([n for axis, n in shape.items() if axis not in meaning.drop], meaning.dtype)
            for variable, meaning in simulation(sweep).VARIABLES.items()
        }
    refused: dict[str | Path, ShardError] = {}
    for path in shards:
        try:
            shard, values = read(path)
            index = _positions(config, path, shard, axes)
        except ShardError as error:
            refused[path] = error
            continue
        seen[shard.sweep][np.ix_(*index.values())] = True
        for variable, meaning in simulation(shard).VARIABLES.items():
            kept = [positions for axis, positions in index.items() if axis not in meaning.drop]
            arrays[shard.sweep][variable][np.ix_(*kept)] = values[variable]
    if refused:
        files = " ".join(shlex.quote(str(path)) for path in refused)
        raise ShardError(
            "\n".join(map(str, refused.values()))
            + f"\n{len(refused)} shards of {config.name} cannot be used. Remedy: rm -f {files} && run again"
        )
    dataset = xr.Dataset(attrs=_attributes(config))
    for name, sweep in sweeps.items():
        _require_complete(name, axes[name], seen[name])
        for axis, texts in axes[name].items():
            dataset = dataset.assign_coords(coordinates(axis, texts))
        for variable, meaning in simulation(sweep).VARIABLES.items():
            dimensions = [axis for axis in axes[name] if axis not in meaning.drop]
            array = arrays[name][variable]
            if array.dtype.kind == "f" and not meaning.undefined:
                _require_defined(variable, axes[name], dimensions, array)
            attributes = {
                "long_name": meaning.long_name,
                "units": meaning.units,
                "description": meaning.description,
            }
            if meaning.codes is not None:
                attributes["flag_values"] = np.array([int(code) for code in meaning.codes], np.int8)
                attributes["flag_meanings"] = " ".join(code.name for code in meaning.codes)
            dataset[variable] = (dimensions, array, attributes)
    return dataset


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
    variable: str, axes: Mapping[str, tuple[str, ...]], dimensions: list[str], values: np.ndarray
) -> None:
    undefined = np.argwhere(np.isnan(values))
    if len(undefined):
        raise MissingPointError(
            f"{variable} is not a number at {len(undefined)} of {values.size} points, the first at "
            f"{_point(axes, dimensions, undefined[0])}"
        )


def write(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a dataset as compressed netCDF-4, in one piece."""
    encoding = {
        name: {"zlib": True, "complevel": 4} for name, values in dataset.data_vars.items() if values.ndim
    }
    with replacing(path) as temporary:
        dataset.to_netcdf(temporary, format="NETCDF4", engine="netcdf4", encoding=encoding)
