"""Shard files: written by the simulations, read by the aggregation.

A shard is an npz file: its arrays, the spec that defines its points, and the fingerprint of the code that computed
them. The zip container carries a checksum of every array, so a damaged file is refused when it is read.
"""

import logging
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ShardError
from .files import replacing
from .grid import Shard, simulation

log = logging.getLogger(__name__)
_SPEC, _CODE = "__spec__", "__code__"
#: What numpy and zipfile raise on files that were cut short, emptied or altered.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
)


def compute(shard: Shard) -> dict[str, np.ndarray]:
    """Simulate every point of a shard, saying in the log how far it is."""
    module = simulation(shard)
    tenth = -1

    def progress(done: int, total: int) -> None:
        nonlocal tenth
        if done * 10 // total > tenth:
            tenth = done * 10 // total
            log.info("%s: %d of %d", shard.name, done, total)

    settings = dict(shard.settings)
    if getattr(module, "RANDOM", False):
        settings["seed"] = shard.seed
    return module.simulate(shard.axes, settings, progress)


def write(path: str | Path, shard: Shard, arrays: dict[str, np.ndarray]) -> None:
    """Write a shard file in one piece."""
    fields: dict[str, Any] = {_SPEC: np.array(shard.spec), _CODE: np.array(shard.code), **arrays}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **fields)


def read(path: str | Path) -> tuple[Shard, dict[str, np.ndarray]]:
    """A shard and its arrays.

    Parameters
    ----------
    path : path

    Returns
    -------
    Shard
    dict of str to ndarray
        Every variable of the shard's simulation, in the shape of the axes it depends on.

    Raises
    ------
    ShardError
        If the file cannot be read whole, or holds other points than its name says.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        shard = Shard.from_spec(str(arrays.pop(_SPEC)))
        arrays.pop(_CODE)
    except FileNotFoundError:
        raise ShardError(f"{path}: missing; run the workflow again to compute it") from None
    except _DAMAGE as error:
        raise ShardError(f"{path}: damaged ({error}); delete it and run the workflow again") from error
    if shard.name != path.stem:
        raise ShardError(f"{path}: holds the shard {shard.name!r}; delete it and run the workflow again")
    for name, variable in simulation(shard).VARIABLES.items():
        shape = tuple(len(values) for axis, values in shard.axes.items() if axis not in variable.drop)
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise ShardError(
                f"{path}: {name!r} should have shape {shape}, found {found}; delete it and run again"
            )
    return shard, arrays
