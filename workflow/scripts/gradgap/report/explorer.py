"""An HTML page to explore every dataset. It contains plotly's JavaScript and all numbers, so it needs no internet."""

import base64
import gzip
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from plotly.offline import get_plotlyjs

from ..files import write_text

log = logging.getLogger(__name__)
TEMPLATE = Path(__file__).with_suffix(".html")
#: A variable with more values is left out of the page, which says so; the dataset has it.
MOST_VALUES = 1_000_000


def packed(arrays: list[np.ndarray]) -> str:
    """All arrays as 32-bit floats, compressed, as base64 text. Sorting bytes by significance helps compression."""
    flat = np.concatenate([array.ravel().astype("<f4") for array in arrays]) if arrays else np.empty(0, "<f4")
    planes = flat.view(np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(gzip.compress(planes, compresslevel=9, mtime=0)).decode()


def _axis(coordinate: xr.DataArray) -> dict[str, Any]:
    values = [value.item() if isinstance(value, np.generic) else value for value in coordinate.values]
    return {
        "long_name": coordinate.attrs.get("long_name", str(coordinate.name)),
        "units": coordinate.attrs.get("units", "1"),
        "values": values,
    }


def contents(datasets: Mapping[str, xr.Dataset]) -> tuple[dict[str, Any], str]:
    """The content of the page.

    Parameters
    ----------
    datasets : mapping of str to Dataset
        By study.

    Returns
    -------
    description : dict
        Of each study: title, predictions, axes, and variables with the place of their values among the packed ones.
    values : str
        See `packed`.
    """
    studies: dict[str, Any] = {}
    arrays: list[np.ndarray] = []
    offset = 0
    for name, dataset in datasets.items():
        axes = {str(axis): _axis(dataset[axis]) for axis in dataset.dims}
        if "success_rate" in axes and "failure_rate" in dataset:  # near 1 only its complement can be read
            axes["success_rate"] = _axis(dataset["failure_rate"])
        variables, left_out = {}, []
        for variable, values in dataset.data_vars.items():
            if values.size > MOST_VALUES or values.dtype.kind not in "fiub":
                left_out.append(str(variable))
                log.warning("%s: %s has %d values and is left out of the page", name, variable, values.size)
                continue
            variables[str(variable)] = {
                "long_name": values.attrs.get("long_name", str(variable)),
                "units": values.attrs.get("units", "1"),
                "description": values.attrs.get("description", ""),
                "axes": [str(axis) for axis in values.dims],
                "offset": offset,
                "meanings": values.attrs.get("flag_meanings", "").split(),
            }
            arrays.append(values.to_numpy())
            offset += values.size
        studies[name] = {
            "title": dataset.attrs.get("title", name),
            "predictions": dataset.attrs.get("predictions", ""),
            "axes": axes,
            "variables": variables,
            "left_out": left_out,
        }
    return {"studies": studies}, packed(arrays)


def write(datasets: Mapping[str, str | Path], path: str | Path) -> None:
    """Write the page.

    Parameters
    ----------
    datasets : mapping of str to path
        The netCDF file of each study.
    path : path
        The HTML file to write.
    """
    loaded = {}
    for name, source in datasets.items():
        with xr.open_dataset(source, engine="netcdf4") as opened:
            loaded[name] = opened.load()
    description, values = contents(loaded)
    page = TEMPLATE.read_text(encoding="utf-8")
    # no text of a component can end the element that holds it, or begin another
    text = json.dumps(description, ensure_ascii=False).replace("<", "\\u003c")
    for mark, content in (("{{plotly}}", get_plotlyjs()), ("{{description}}", text), ("{{values}}", values)):
        page = page.replace(mark, content)
    write_text(path, page)
