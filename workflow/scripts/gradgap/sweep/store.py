"""Shard files. The jobs that compute shards write them, and the aggregation reads them.

A shard is an npz file. It holds its arrays, the spec that defines its points, the fingerprint of the code that
computed them, and a digest of all this, by which a damaged file is recognised. It says nothing about when or where
it was computed, so the same shard is always the same file, byte for byte.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShardError
from ..files import replacing
from .grid import Shard, measurement_of

_SPEC, _CODE, _DIGEST = "__spec__", "__code__", "__digest__"


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Hash of the names, types, shapes and bytes of arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def write(path: str | Path, shard: Shard, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a shard file, which appears whole or not at all."""
    fields: dict[str, Any] = {_SPEC: np.array(shard.spec), _CODE: np.array(shard.code), **arrays}
    fields[_DIGEST] = np.array(_digest(fields))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **fields)


def _load(path: Path, *names: str) -> dict[str, np.ndarray]:
    """The named arrays of a shard file, or all arrays if none is named."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in names or file.files}
    except FileNotFoundError:
        raise ShardError(f"{path}: missing; run the workflow again to compute it") from None
    except PermissionError as error:
        raise ShardError(
            f"{path}: cannot be read ({error.strerror}); make it readable and run the workflow again"
        ) from None
    except (
        Exception
    ) as error:  # numpy and zipfile raise all sorts of errors on altered bytes; all mean the same
        raise damaged(path, f"damaged ({' '.join(str(error).split()) or type(error).__name__})") from error


def damaged(path: Path, what: str) -> ShardError:
    """An error that says what is wrong with a file, and what to do."""
    return ShardError(f"{path}: {what}; delete it and run the workflow again")


def head(path: str | Path) -> tuple[Shard, str]:
    """Read which shard a file holds, and the fingerprint of the code that computed it, without its arrays.

    Raises
    ------
    ShardError
        If they cannot be read.
    """
    path = Path(path)
    arrays = _load(path, _SPEC, _CODE)
    return _shard(path, str(arrays[_SPEC])), str(arrays[_CODE])


def _shard(path: Path, spec: str) -> Shard:
    try:
        return Shard.from_spec(spec)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, "damaged (its spec cannot be read)") from error


def stored_variable(path: str | Path, name: str) -> np.ndarray:
    """Read one variable of a shard file that `read` has already checked."""
    return _load(Path(path), name)[name]


def read(path: str | Path) -> tuple[Shard, str, dict[str, np.ndarray]]:
    """Read a shard, the fingerprint of the code that computed it, and its arrays, and check them.

    Parameters
    ----------
    path : path

    Returns
    -------
    Shard
    str
    dict of str to ndarray
        Every variable of the shard's measurement, in the shape of the axes it depends on.

    Raises
    ------
    ShardError
        If the file is damaged or altered, or holds other points than its name says. The message says what to do.
    """
    path = Path(path)
    arrays = _load(path)
    if str(arrays.pop(_DIGEST, None)) != _digest(arrays):
        raise damaged(path, "damaged (its digest differs)")
    shard, code = _shard(path, str(arrays.pop(_SPEC))), str(arrays.pop(_CODE))
    if shard.name != path.stem:
        raise damaged(path, f"holds the shard {shard.name!r}")
    return shard, code, arrays


def require(
    path: str | Path,
    code: str,
    arrays: Mapping[str, np.ndarray],
    expected_code: str,
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Raise an error if a shard was computed by other code than the present, or lacks arrays that it should have.

    Parameters
    ----------
    path : path
    code, arrays
        As `read` gives them.
    expected_code : str
        `Shard.code` of the present code.
    shapes : mapping of str to tuple of int
        Shape of every variable.

    Raises
    ------
    ShardError
    """
    path = Path(path)
    if code != expected_code:
        raise damaged(path, f"computed by other code ({code}; now {expected_code})")
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise damaged(path, f"{name!r} should have shape {shape}, found {found}")


def read_current(path: str | Path) -> tuple[Shard, dict[str, np.ndarray]]:
    """Read a shard and its arrays. It is refused if the code or variables of its measurement have changed.

    Raises
    ------
    ShardError
        As for `read` and `require`.
    """
    shard, code, arrays = read(path)
    shapes = {
        name: tuple(len(shard.axes[axis]) for axis in variable.axes(tuple(shard.axes)))
        for name, variable in measurement_of(shard).variables.items()
    }
    require(path, code, arrays, shard.code, shapes)
    return shard, arrays
