"""Compare two results folders or datasets."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ConfigError
from .parts import boxes


def compare(a: xr.Dataset, b: xr.Dataset) -> dict[str, Any]:
    """Which points of two datasets differ, and by how much. Values are equal only if all their bits are.

    Parameters
    ----------
    a, b : Dataset

    Returns
    -------
    dict
        ``points_only_in_a``, ``points_only_in_b``: axes with the values that one has and the other has not.
        ``variables``: of each variable that differs, how many ``points`` do ``of`` those in both, the
        ``largest_absolute`` and ``largest_relative`` difference, and the point that has the former, ``at``; or that
        one has not got it.
    """
    found: dict[str, Any] = {"points_only_in_a": {}, "points_only_in_b": {}, "variables": {}}
    for axis in sorted(map(str, {*a.dims, *b.dims})):
        mine, other = (list(d[axis].values.tolist()) if axis in d.coords else [] for d in (a, b))
        for key, values, against in (("points_only_in_a", mine, other), ("points_only_in_b", other, mine)):
            extra = [value for value in values if value not in set(against)]
            if extra:
                found[key][axis] = extra
    common_a, common_b = xr.align(a, b, join="inner")
    for name in sorted(map(str, {*a.data_vars, *b.data_vars})):
        if name not in a or name not in b:
            found["variables"][name] = {"only_in": "a" if name in a else "b"}
        elif common_a[name].dims != common_b[name].dims:
            found["variables"][name] = {"dimensions": [common_a[name].dims, common_b[name].dims]}
        elif (difference := _values(common_a[name], common_b[name])) is not None:
            found["variables"][name] = difference
    return found


def _read(values: xr.DataArray) -> np.ndarray:
    """The values of a part of a variable, read from its file."""
    try:
        return values.values
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(values.encoding.get("source", "a dataset"), error) from None


def _values(a: xr.DataArray, b: xr.DataArray) -> dict[str, Any] | None:
    """How the values of two arrays over the same points differ; None if they do not. They are read part by part."""
    points, largest, relative, worst = 0, -math.inf, 0.0, None
    if a.size == 0:
        return None
    for box in boxes(a.shape):
        here = dict(zip(a.dims, (slice(rows.start, rows.stop) for rows in box), strict=True))
        x, y = _read(a.isel(here)), _read(b.isel(here))
        if x.dtype == y.dtype and x.tobytes() == y.tobytes():
            continue
        x, y = x.astype(float), y.astype(float)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        if same.all():
            continue
        points += int((~same).sum())
        # a value that only one has is infinitely far from none
        apart = np.where(same, 0.0, np.nan_to_num(np.abs(x - y), nan=np.inf))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(same, 0.0, apart / np.maximum(np.abs(x), np.abs(y)))
        relative = max(relative, float(np.nan_to_num(share, nan=np.inf).max()))
        if apart.max() > largest:
            largest = float(apart.max())
            inside = np.unravel_index(np.argmax(apart), apart.shape)
            worst = [rows.start + int(i) for rows, i in zip(box, inside, strict=True)]
    if worst is None:
        return None
    at = {
        str(axis): a[axis].values.tolist()[i]
        for axis, i in zip(a.dims, worst, strict=True)
        if axis in a.coords
    }
    return {
        "points": points,
        "of": a.size,
        "largest_absolute": largest,
        "largest_relative": relative,
        "at": {
            axis: value if isinstance(value, (str, int, float)) else str(value) for axis, value in at.items()
        },
    }


def datasets_of(path: str | Path) -> dict[str, Path]:
    """The datasets of a results folder by study, or the single dataset that a path points to.

    Raises
    ------
    ConfigError
        If there is none.
    """
    path = Path(path)
    if path.is_file():
        return {"dataset": path}
    found = {file.stem: file for file in sorted((path / "datasets").glob("*.nc"))}
    if not found:
        raise ConfigError(f"{path}: no dataset and no results folder (datasets/STUDY.nc is looked for)")
    return found


def diff(a: str | Path, b: str | Path, renamed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Compare two results folders, or two datasets.

    Parameters
    ----------
    a, b : path
    renamed : mapping of str to str, optional
        New names of axes and variables by the names that one of the two may still use.

    Returns
    -------
    dict
        ``equal``; ``only_in_a``, ``only_in_b``: studies; ``studies``: of each that differs, see `compare`.
    """
    mine, other = datasets_of(a), datasets_of(b)
    if len(mine) == len(other) == 1 and "dataset" in {
        *mine,
        *other,
    }:  # a file against a file or a folder of one
        other = dict.fromkeys(mine, next(iter(other.values())))
    studies = {}
    for name in sorted(mine.keys() & other.keys()):
        with _opened(mine[name], renamed or {}) as one, _opened(other[name], renamed or {}) as two:
            difference = compare(one, two)
        if any(difference.values()):
            studies[name] = difference
    found = {
        "only_in_a": sorted(mine.keys() - other.keys()),
        "only_in_b": sorted(other.keys() - mine.keys()),
        "studies": studies,
    }
    return {"equal": not any(found.values()), **found}


@contextlib.contextmanager
def _opened(path: Path, renamed: Mapping[str, str]) -> Iterator[xr.Dataset]:
    """A dataset whose values are read when they are looked at."""
    try:
        dataset = xr.open_dataset(path, engine="netcdf4", cache=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(path, error) from None
    with dataset:
        yield dataset.rename({old: new for old, new in renamed.items() if old in dataset.variables})


def _unreadable(path: str | Path, error: Exception) -> ConfigError:
    return ConfigError(f"{path}: cannot be read as a dataset ({' '.join(str(error).split())})")
