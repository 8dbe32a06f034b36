"""Shard files: written by the simulations, read by the aggregation.

A shard is an npz file: its arrays, the spec that defines its points, the fingerprint of the code that computed them,
and a digest over all of these, so that a damaged file is refused when it is read. Nothing in it tells when or where
it was computed: the same shard is the same file, byte for byte.

A point's values depend on the point, the settings and the code alone. A new shard therefore takes over, bit for bit,
every point that another shard of its sweep holds already, and simulates the rest.
"""

import hashlib
import json
import logging
import math
import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GradgapError, ShardError
from ..files import replacing
from ..measurements import empty
from .grid import Shard, families, safe, settings_for, simulation

log = logging.getLogger(__name__)
_SPEC, _CODE, _DIGEST = "__spec__", "__code__", "__digest__"
#: What the log of a job says at its end: points simulated, points of the shard, seconds of processor time (a busy
#: machine makes no point dearer); and of the first points.
MEASURED = re.compile(r"simulated (\d+) of (\d+) points in ([\d.]+) s, the first (\d+) in ([\d.]+) s")


def compute(shard: Shard, folder: str | Path | None = None) -> dict[str, np.ndarray]:
    """Every variable at every point of a shard, saying in the log how far it is.

    Parameters
    ----------
    shard : Shard
    folder : path, optional
        Where other shards of the same sweep are; points that they hold are copied.

    Returns
    -------
    dict of str to ndarray
        Every variable of the shard's simulation, in the shape of the axes it depends on.
    """
    module = simulation(shard)
    arrays = empty(shard.axes, module.VARIABLES)
    missing = np.ones([len(values) for values in shard.axes.values()], bool)
    if folder is not None:
        for other, values in _known(shard, Path(folder), missing):
            shared = {axis: _shared(shard.axes[axis], other.axes[axis]) for axis in shard.axes}
            _place(
                arrays,
                module.VARIABLES,
                {a: i for a, (i, _) in shared.items()},
                values,
                {a: j for a, (_, j) in shared.items()},
            )
            missing[np.ix_(*(mine for mine, _ in shared.values()))] = False
    total, done = int(missing.sum()), 0
    said = _Progress(shard.name, total)
    settings = dict(shard.settings)
    if getattr(module, "RANDOM", False):
        settings["seed"] = shard.seed
    for index in products(missing):
        part = dict(zip(shard.axes, index, strict=True))
        axes = {axis: tuple(shard.axes[axis][i] for i in positions) for axis, positions in part.items()}
        points = math.prod(map(len, index))
        values = module.simulate(axes, settings, partial(said.part, done, points))
        _place(arrays, module.VARIABLES, part, values)
        done += points
    said.end(missing.size)
    return arrays


class _Progress:
    """Says in the log how far a shard is, and at its end how long it took."""

    def __init__(self, name: str, total: int):
        self._name, self._total, self._tenth = name, total, -1
        self._started = time.process_time()
        self._first: tuple[float, float] | None = None

    def part(self, before: int, points: int, done: int, of: int) -> None:
        """So much of a part is done: `done` in `of`, which is `points` points, after `before` of them."""
        at = before + points * done / of
        if self._first is None:
            self._first = (at, time.process_time() - self._started)
        tenth = int(10 * at / self._total)
        if tenth > self._tenth:
            self._tenth = tenth
            log.info("%s: %.0f %% of %d points", self._name, 100 * at / self._total, self._total)

    def end(self, size: int) -> None:
        """All is done; the time of the first points is told apart because it has that of compiling in it."""
        at, seconds = self._first or (0, 0)
        now = time.process_time() - self._started
        log.info(
            "simulated %d of %d points in %.6f s, the first %.0f in %.6f s",
            self._total,
            size,
            now,
            at,
            seconds,
        )


def _shared(mine: tuple[str, ...], others: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Positions in two axes of the values that both have."""
    position = {value: index for index, value in enumerate(others)}
    found = [(index, position[value]) for index, value in enumerate(mine) if value in position]
    return [i for i, _ in found], [j for _, j in found]


def _place(
    target: Mapping[str, np.ndarray],
    variables: Mapping,
    index: Mapping[str, list[int] | tuple[int, ...]],
    source: Mapping[str, np.ndarray],
    source_index: Mapping[str, list[int]] | None = None,
) -> None:
    """Put the values of some positions of every axis into the arrays of all positions."""
    for name, variable in variables.items():
        kept = [axis for axis in index if axis not in variable.drop]
        values = (
            source[name] if source_index is None else source[name][np.ix_(*(source_index[a] for a in kept))]
        )
        target[name][np.ix_(*(index[axis] for axis in kept))] = values


def products(missing: np.ndarray) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Cut a set of points into products of positions, few of them where it is made of few.

    Parameters
    ----------
    missing : ndarray of bool, one dimension an axis
        True at the points of the set.

    Yields
    ------
    tuple of tuple of int
        Positions on each axis; every point of the set is in exactly one product.
    """
    if missing.all():
        yield tuple(tuple(range(size)) for size in missing.shape)
        return
    alike: dict[bytes, list[int]] = {}
    for position, rest in enumerate(missing):
        if rest.any():
            alike.setdefault(rest.tobytes(), []).append(position)
    for positions in alike.values():
        if missing.ndim == 1:
            yield (tuple(positions),)
            continue
        for product in products(missing[positions[0]]):
            yield (tuple(positions), *product)


def _known(shard: Shard, folder: Path, missing: np.ndarray) -> Iterator[tuple[Shard, dict[str, np.ndarray]]]:
    """Shards of the same sweep that hold points still missing, computed by today's code under the same settings."""
    for path in sorted(folder.glob("*.npz")):
        if path.stem == shard.name or not missing.any() or not _may_share(shard, path.stem):
            continue
        try:
            other, code = head(path)
            if (other.study, other.sweep, other.simulation, other.seed, list(other.axes)) != (
                shard.study,
                shard.sweep,
                shard.simulation,
                shard.seed,
                list(shard.axes),
            ):
                continue
            mine = [_shared(shard.axes[axis], other.axes[axis])[0] for axis in shard.axes]
            both = set(families(shard, shard.axes)) & set(families(other, other.axes))
            if (
                missing[np.ix_(*mine)].any()
                and settings_for(shard.settings, both) == settings_for(other.settings, both)
                and code == other.code
            ):
                other, values = read(path)
                log.info("points known already are taken from %s", path)
                yield other, values
        except GradgapError as error:
            log.warning("not used: %s", error)


def _may_share(shard: Shard, name: str) -> bool:
    """Whether the shard of that name may share points, as far as the axes in its name tell."""
    for part in name.split("~")[:-1]:
        axis, _, value = part.partition("=")
        if axis in shard.axes and not any(value == safe(own) for own in shard.axes[axis]):
            return False
    return True


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Hash of the names, types, shapes and bytes of arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def write(path: str | Path, shard: Shard, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a shard file in one piece."""
    fields: dict[str, Any] = {_SPEC: np.array(shard.spec), _CODE: np.array(shard.code), **arrays}
    fields[_DIGEST] = np.array(_digest(fields))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **fields)


def _load(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Arrays of a shard file, all of them unless some are named."""
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
        raise _damaged(path, f"damaged ({' '.join(str(error).split()) or type(error).__name__})") from error


def _damaged(path: Path, what: str) -> ShardError:
    return ShardError(f"{path}: {what}; delete it and run the workflow again")


def head(path: str | Path) -> tuple[Shard, str]:
    """The shard of a file and the fingerprint of the code that computed it, without reading its arrays.

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
        raise _damaged(path, "damaged (its spec cannot be read)") from error


def stored_variable(path: str | Path, name: str) -> np.ndarray:
    """One variable of a shard file that `read` has found whole."""
    return _load(Path(path), name)[name]


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
        If the file cannot be read whole, is altered, holds other points than its name says, or was computed by
        other code than today's. The message says what to do.
    """
    path = Path(path)
    arrays = _load(path)
    if str(arrays.pop(_DIGEST, None)) != _digest(arrays):
        raise _damaged(path, "damaged (its digest differs)")
    shard, code = _shard(path, str(arrays.pop(_SPEC))), str(arrays.pop(_CODE))
    if shard.name != path.stem:
        raise _damaged(path, f"holds the shard {shard.name!r}")
    if code != shard.code:
        raise _damaged(path, f"computed by other code ({code}; now {shard.code})")
    for name, variable in simulation(shard).VARIABLES.items():
        shape = tuple(len(values) for axis, values in shard.axes.items() if axis not in variable.drop)
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise _damaged(path, f"{name!r} should have shape {shape}, found {found}")
    return shard, arrays
