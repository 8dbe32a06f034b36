"""From shards to one labelled dataset a study."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from . import provenance
from .axes import AXES, failure_rate, number
from .errors import MissingPointError, ShardError
from .files import replacing
from .grid import Shard, StudyConfig, simulation, sweep_axes, sweep_settings
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
        If a shard is damaged, holds other points than its name says, or belongs to another study.
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
    for path in shards:
        shard, values = read(path)
        index = _positions(config, path, shard, axes)
        seen[shard.sweep][np.ix_(*index.values())] = True
        for variable, meaning in simulation(shard).VARIABLES.items():
            kept = [positions for axis, positions in index.items() if axis not in meaning.drop]
            arrays[shard.sweep][variable][np.ix_(*kept)] = values[variable]
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
    settings = sweep_settings(config, config.study.sweeps[shard.sweep]) if shard.sweep in axes else None
    try:
        if shard.study != config.name or shard.settings != settings:
            raise ValueError("its study or settings differ")
        whole = axes[shard.sweep]
        return {axis: [whole[axis].index(value) for value in values] for axis, values in shard.axes.items()}
    except ValueError as error:
        raise ShardError(
            f"{path}: is no shard of the study {config.name!r} as configured ({error})"
        ) from None


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
