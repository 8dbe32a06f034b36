"""Compare two results folders or datasets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ConfigError


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


def _values(a: xr.DataArray, b: xr.DataArray) -> dict[str, Any] | None:
    """How the values of two arrays over the same points differ; None if they do not."""
    x, y = a.values, b.values
    if x.dtype == y.dtype and x.tobytes() == y.tobytes():
        return None
    x, y = x.astype(float), y.astype(float)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    if same.all():
        return None
    # a value that only one has is infinitely far from none
    apart = np.where(same, 0.0, np.nan_to_num(np.abs(x - y), nan=np.inf))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(same, 0.0, apart / np.maximum(np.abs(x), np.abs(y)))
    worst = np.unravel_index(np.argmax(apart), apart.shape)
    at = {
        str(axis): a[axis].values.tolist()[i]
        for axis, i in zip(a.dims, worst, strict=True)
        if axis in a.coords
    }
    return {
        "points": int((~same).sum()),
        "of": same.size,
        "largest_absolute": float(apart.max()),
        "largest_relative": float(np.nan_to_num(relative, nan=np.inf).max()),
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
        opened = [_open(file, renamed or {}) for file in (mine[name], other[name])]
        difference = compare(*opened)
        if any(difference.values()):
            studies[name] = difference
    found = {
        "only_in_a": sorted(mine.keys() - other.keys()),
        "only_in_b": sorted(other.keys() - mine.keys()),
        "studies": studies,
    }
    return {"equal": not any(found.values()), **found}


def _open(path: Path, renamed: Mapping[str, str]) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            return opened.load().rename({old: new for old, new in renamed.items() if old in opened.variables})
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{path}: cannot be read as a dataset ({' '.join(str(error).split())})") from None
