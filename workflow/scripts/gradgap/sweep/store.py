"""Shard files. The jobs that compute shards write them, and the aggregation reads them.

A shard is an npz file. It holds of each of its blocks the arrays, the spec that defines its points, and the
fingerprint of the code that computed them; and a digest of all this, by which a damaged file is recognised. It says
nothing about when or where it was computed, so the same shard is always the same file, byte for byte.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShardError
from ..files import replacing
from .grid import Block, Shard, measurement_of

#: Names of arrays. Those of a block are preceded by its number and a slash.
_SPEC, _CODE, _DIGEST = "__spec__", "__code__", "__digest__"


@dataclass(frozen=True)
class Stored:
    """A block as a shard file holds it.

    Attributes
    ----------
    block : Block
    code : str
        Fingerprint of the code that computed it.
    arrays : dict of str to ndarray
        Every variable of its measurement, in the shape of the axes it depends on.
    """

    block: Block
    code: str
    arrays: dict[str, np.ndarray]


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Hash of the names, types, shapes and bytes of arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def write(path: str | Path, shard: Shard, arrays: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Write a shard file, which appears whole or not at all. `arrays` are those of each block."""
    fields: dict[str, Any] = {}
    for k, (block, values) in enumerate(zip(shard.blocks, arrays, strict=True)):
        own = {_SPEC: np.array(block.spec), _CODE: np.array(block.code), **values}
        fields |= {f"{k}/{name}": array for name, array in own.items()}
    fields[_DIGEST] = np.array(_digest(fields))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **fields)


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """A shard file, of which arrays are read as they are asked for."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            yield file
    except ShardError:
        raise
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


def _heads(path: Path, arrays: Mapping[str, np.ndarray]) -> list[tuple[Block, str]]:
    """The blocks among the arrays of a file, and the fingerprints of their code."""
    found = []
    for k in itertools.count():
        if f"{k}/{_SPEC}" not in arrays:
            break
        try:
            block = Block.from_spec(str(arrays[f"{k}/{_SPEC}"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, "damaged (its spec cannot be read)") from error
        found.append((block, str(arrays[f"{k}/{_CODE}"])))
    if not found:
        raise damaged(path, "damaged (it holds no block)")
    return found


def head(path: str | Path) -> list[tuple[Block, str]]:
    """Read which blocks a file holds, and the fingerprints of the code that computed them, without their arrays.

    Raises
    ------
    ShardError
        If they cannot be read.
    """
    path = Path(path)
    with _opened(path) as file:
        return _heads(path, file)


def stored_variable(path: str | Path, k: int, name: str) -> np.ndarray:
    """Read one variable of the k-th block of a shard file that `read` has already checked."""
    with _opened(Path(path)) as file:
        return file[f"{k}/{name}"]


def read(path: str | Path) -> list[Stored]:
    """Read the blocks of a shard file, and check that they are those that were written under this name.

    Raises
    ------
    ShardError
        If the file is damaged or altered, or holds other points than its name says. The message says what to do.
    """
    path = Path(path)
    with _opened(path) as file:
        arrays = {name: file[name] for name in file.files}
    if str(arrays.pop(_DIGEST, None)) != _digest(arrays):
        raise damaged(path, "damaged (its digest differs)")
    heads = _heads(path, arrays)
    name = Shard(tuple(block for block, _ in heads)).named(code for _, code in heads)
    if name != path.stem:
        raise damaged(path, f"holds the shard {name!r}")
    found = [Stored(block, code, {}) for block, code in heads]
    for name, values in arrays.items():
        k, _, variable = name.partition("/")
        if variable not in (_SPEC, _CODE):
            found[int(k)].arrays[variable] = values
    return found


def require(
    path: str | Path, stored: Stored, expected_code: str, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise an error if a block was computed by other code than the present, or lacks arrays that it should have.

    Parameters
    ----------
    path : path
    stored : Stored
        As `read` gives it.
    expected_code : str
        `Block.code` of the present code.
    shapes : mapping of str to tuple of int
        Shape of every variable.

    Raises
    ------
    ShardError
    """
    path, label = Path(path), stored.block.label
    if stored.code != expected_code:
        raise damaged(path, f"{label} was computed by other code ({stored.code}; now {expected_code})")
    for name, shape in shapes.items():
        found = stored.arrays[name].shape if name in stored.arrays else "nothing"
        if found != shape:
            raise damaged(path, f"{name!r} of {label} should have shape {shape}, found {found}")


def require_current(path: str | Path, stored: Stored) -> None:
    """Raise an error if the code or the variables of a block's measurement have changed since it was computed."""
    block = stored.block
    shapes = {
        name: tuple(len(block.axes[axis]) for axis in variable.axes(tuple(block.axes)))
        for name, variable in measurement_of(block).variables.items()
    }
    require(path, stored, block.code, shapes)


def read_current(path: str | Path) -> list[Stored]:
    """Read the blocks of a shard file. It is refused if the code or variables of one of them have changed.

    Raises
    ------
    ShardError
        As for `read` and `require_current`.
    """
    found = read(path)
    for stored in found:
        require_current(path, stored)
    return found
