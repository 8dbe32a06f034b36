"""An HTML page to explore every dataset. It contains plotly's JavaScript and all numbers, so it needs no internet.

Both are packed with gzip and unpacked by the browser: a third of the size, and only the study that is shown is
unpacked.
"""

import base64
import contextlib
import gzip
import json
import logging
import math
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from plotly.offline import get_plotlyjs

from ..files import write_text

log = logging.getLogger(__name__)
TEMPLATE = Path(__file__).with_suffix(".html")
#: Bits of a number that are kept, beside sign and exponent: four digits, which pack better than seven.
_BITS = 13
#: Of a study with a larger variable the page has every k-th value of its longest axes, and says so. What is still
#: larger is left out. The dataset has it all.
MOST_VALUES = 1_000_000


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode()


def rounded(values: np.ndarray) -> np.ndarray:
    """Numbers as 32-bit floats of which the last bits are zero, to the nearest.

    >>> float(rounded(np.array([0.1]))[0])
    0.09999847412109375
    """
    flat = np.ascontiguousarray(values, "<f4").ravel()
    drop = 23 - _BITS
    bits = flat.view("<u4")
    near = ((bits + np.uint32(1 << (drop - 1))) >> np.uint32(drop)) << np.uint32(drop)
    # what is infinite or unknown, or would become so, stays as it is
    return np.where(np.isfinite(flat) & np.isfinite(near.view("<f4")), near, bits).view("<f4")


def packed(arrays: list[np.ndarray]) -> str:
    """All `rounded` arrays, compressed, as base64 text. Sorting bytes by significance helps compression."""
    flat = np.concatenate(arrays) if arrays else np.empty(0, "<f4")
    return _packed(flat.view(np.uint8).reshape(-1, 4).T.tobytes())


def thinned(dataset: xr.Dataset, most: int) -> tuple[xr.Dataset, dict[str, int]]:
    """A dataset with every k-th value of axes that are numbers, so that variables have at most `most` values.

    Parameters
    ----------
    dataset : Dataset
        Need not be loaded.
    most : int

    Returns
    -------
    Dataset
    dict of str to int
        By axis, k where it is above 1.

    >>> few, steps = thinned(xr.Dataset({"x": ("length", np.arange(10))}, {"length": np.arange(10)}), 4)
    >>> few.x.values.tolist(), steps
    ([0, 3, 6, 9], {'length': 3})
    """
    steps = dict.fromkeys(map(str, dataset.sizes), 1)

    def size(axis: object) -> int:
        return math.ceil(dataset.sizes[str(axis)] / steps[str(axis)])

    for array in dataset.data_vars.values():
        numbers = [axis for axis in array.dims if dataset[axis].dtype.kind in "fiu"]
        while math.prod(map(size, array.dims)) > most and any(size(axis) > 2 for axis in numbers):
            steps[str(max(numbers, key=size))] += 1
    steps = {axis: step for axis, step in steps.items() if step > 1}
    return dataset.isel({axis: slice(None, None, step) for axis, step in steps.items()}), steps


def _axis(coordinate: xr.DataArray) -> dict[str, Any]:
    values = [value.item() if isinstance(value, np.generic) else value for value in coordinate.values]
    return {
        "long_name": coordinate.attrs.get("long_name", str(coordinate.name)),
        "units": coordinate.attrs.get("units", "1"),
        "values": values,
    }


def contents(
    datasets: Mapping[str, xr.Dataset],
    views: Mapping[str, Mapping[str, str]] | None = None,
    repeats: Iterable[str] = (),
) -> tuple[dict[str, Any], dict[str, str]]:
    """The content of the page.

    Parameters
    ----------
    datasets : mapping of str to Dataset
        By study.
    views : mapping of str to mapping, optional
        `Study.view` of each study.
    repeats : iterable of str
        Axes that count repetitions, over which the page can average.

    Returns
    -------
    description : dict
        Of each study: title, predictions, axes, and variables with the place of their values among the packed ones.
    values : dict of str to str
        Of each study; see `packed`.
    """
    studies: dict[str, Any] = {}
    values: dict[str, str] = {}
    for name, whole in datasets.items():
        dataset, steps = thinned(whole, MOST_VALUES)
        axes = {str(axis): _axis(dataset[axis]) for axis in dataset.dims}
        if "success_rate" in axes and "failure_rate" in dataset:  # near 1 only its complement can be read
            axes["success_rate"] = _axis(dataset["failure_rate"])
        variables, left_out, arrays, offset = {}, [], [], 0
        for variable, array in dataset.data_vars.items():
            if array.size > MOST_VALUES or array.dtype.kind not in "fiub":
                left_out.append(str(variable))
                log.warning("%s: %s has %d values and is left out of the page", name, variable, array.size)
                continue
            variables[str(variable)] = {
                "long_name": array.attrs.get("long_name", str(variable)),
                "units": array.attrs.get("units", "1"),
                "description": array.attrs.get("description", ""),
                "axes": [str(axis) for axis in array.dims],
                "offset": offset,
                "meanings": array.attrs.get("flag_meanings", "").split(),
            }
            arrays.append(rounded(array.to_numpy()))
            offset += array.size
        values[name] = packed(arrays)
        studies[name] = {
            "title": dataset.attrs.get("title", name),
            "predictions": dataset.attrs.get("predictions", ""),
            "axes": axes,
            "variables": variables,
            "left_out": left_out,
            "every": {dataset[axis].attrs.get("long_name", axis): step for axis, step in steps.items()},
            "view": dict((views or {}).get(name, {})),
        }
    return {"studies": studies, "repeats": list(repeats)}, values


def write(
    datasets: Mapping[str, str | Path],
    path: str | Path,
    views: Mapping[str, Mapping[str, str]] | None = None,
    repeats: Iterable[str] = (),
) -> None:
    """Write the page.

    Parameters
    ----------
    datasets : mapping of str to path
        The netCDF file of each study.
    path : path
        The HTML file to write.
    views, repeats
        See `contents`.
    """
    with contextlib.ExitStack() as stack:
        opened = {
            name: stack.enter_context(xr.open_dataset(source, engine="netcdf4", cache=False))
            for name, source in datasets.items()
        }
        description, values = contents(opened, views, repeats)
    # no text of a component can end the element that holds it, or begin another
    text = json.dumps(description, ensure_ascii=False).replace("<", "\\u003c")
    numbers = "\n".join(
        f'<script id="values-{escape(name)}" type="text/plain">{content}</script>'
        for name, content in values.items()
    )
    page = TEMPLATE.read_text(encoding="utf-8")
    for mark, content in (
        ("{{style}}", TEMPLATE.with_suffix(".css").read_text(encoding="utf-8")),
        ("{{plotly}}", _packed(get_plotlyjs().encode())),
        ("{{description}}", text),
        ("{{values}}", numbers),
        ("{{script}}", TEMPLATE.with_suffix(".js").read_text(encoding="utf-8")),
    ):
        page = page.replace(mark, content, 1)
    write_text(path, page)
