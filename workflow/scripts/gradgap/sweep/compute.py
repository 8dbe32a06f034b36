"""Compute shards.

The values at a point depend only on the point, the settings and the code. So a shard copies every point that a file
of its study already holds, and computes the rest. Such a file may be of another grid, or of the same shard before a
change of code that concerns others of its blocks.
"""

import logging
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import GradgapError, ShardError
from .grid import Block, Shard, may_share, measurement_of, settings_at
from .measurement import empty, measure
from .store import head, read, require_current, write

log = logging.getLogger(__name__)
#: What two blocks have in common if they can hold the same points.
_SAME = ("study", "sweep", "measurement", "seed", "at")
#: What the log of a job says of each block at its end: points simulated, points of the block, seconds of processor
#: time (a busy machine makes no point dearer); and of the first points.
MEASURED = re.compile(r"simulated (\d+) of (\d+) points in ([\d.]+) s, the first (\d+) in ([\d.]+) s")


def make(shard: Shard, path: str | Path) -> None:
    """Compute a shard and write its file; then remove the file of the same points that former code has made.

    Parameters
    ----------
    shard : Shard
    path : path
        The file; others of the same study lie beside it.

    Raises
    ------
    ShardError
        If the path is not named for this shard, as it is where the code was edited after the workflow had started.
    """
    path = Path(path)
    if path.stem != shard.name:
        raise ShardError(f"{path}: the code has changed since the workflow started; run it again")
    write(path, shard, compute(shard, path.parent))
    for former in path.parent.glob(f"{shard.name_of_points}~*.npz"):
        if former != path:
            former.unlink(missing_ok=True)


def compute(shard: Shard, folder: str | Path | None = None) -> list[dict[str, np.ndarray]]:
    """Compute every variable at every point of a shard, and report progress in the log.

    Parameters
    ----------
    shard : Shard
    folder : path, optional
        Folder with files of the same study. Points that they hold are copied.

    Returns
    -------
    list of dict of str to ndarray
        Of each block every variable of its measurement, in the shape of the axes it depends on.
    """
    begun = [_Begun.of(block) for block in shard.blocks]
    for path in sorted(Path(folder).glob("*.npz")) if folder is not None else ():
        open_ = [one for one in begun if one.missing.any() and may_share(one.block, path.stem)]
        if open_:
            try:
                _copy(path, open_)
            except GradgapError as error:
                log.warning("not used: %s", error)
    for one in begun:
        _simulate(one)
    return [one.arrays for one in begun]


def compute_block(block: Block) -> dict[str, np.ndarray]:
    """Compute every variable at every point of one block, see `compute`."""
    return compute(Shard((block,)))[0]


@dataclass
class _Begun:
    """A block of which some points are known, and others are missing."""

    block: Block
    arrays: dict[str, np.ndarray]
    missing: np.ndarray

    @classmethod
    def of(cls, block: Block) -> "_Begun":
        """A block of which nothing is known."""
        missing = np.ones([len(values) for values in block.axes.values()], bool)
        return cls(block, empty(block.axes, measurement_of(block).variables), missing)


def _copy(path: Path, begun: list[_Begun]) -> None:
    """Copy the missing points that a file holds, where they were computed by the present code with these settings."""
    known = [
        (one, k) for k, (other, code) in enumerate(head(path)) for one in begun if _useful(one, other, code)
    ]
    if not known:
        return
    stored = read(path)
    for one, k in known:
        require_current(path, stored[k])
        other = stored[k].block
        shared = {axis: _shared(values, other.axes[axis]) for axis, values in one.block.axes.items()}
        mine, theirs = ({axis: pair[k] for axis, pair in shared.items()} for k in (0, 1))
        _place(one.arrays, measurement_of(other).variables, mine, stored[k].arrays, theirs)
        one.missing[np.ix_(*mine.values())] = False
        log.info("%s: points known already are taken from %s", one.block.label, path)


def _useful(one: _Begun, other: Block, code: str) -> bool:
    """Whether another block has missing points, computed by the present code with the same settings."""
    block = one.block
    if any(getattr(other, name) != getattr(block, name) for name in _SAME) or list(other.axes) != list(
        block.axes
    ):
        return False
    both = {axis: _shared(values, other.axes[axis])[0] for axis, values in block.axes.items()}
    shared = {axis: tuple(block.axes[axis][i] for i in mine) for axis, mine in both.items()}
    return bool(
        one.missing[np.ix_(*both.values())].any()
        and settings_at(block, shared) == settings_at(other, shared)
        and code == other.code
    )


def _simulate(one: _Begun) -> None:
    """Compute the points of a block that are missing."""
    block, measurement = one.block, measurement_of(one.block)
    total, done = int(one.missing.sum()), 0
    said = _Progress(block.label, total)
    settings = {**block.settings, "seed": block.seed} if measurement.random else block.settings
    for index in products(one.missing):
        part = dict(zip(block.axes, index, strict=True))
        axes = {axis: tuple(block.axes[axis][i] for i in positions) for axis, positions in part.items()}
        points = math.prod(map(len, index))
        values = measure(measurement, {**block.at, **axes}, settings, partial(said.part, done, points))
        _place(one.arrays, measurement.variables, part, values)
        done += points
    said.end(one.missing.size)


class _Progress:
    """Reports in the log how far a block is, and at the end how long it took."""

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
    """Positions, in each of two axes, of the values that both have."""
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
        kept = variable.axes(tuple(index))
        values = (
            source[name] if source_index is None else source[name][np.ix_(*(source_index[a] for a in kept))]
        )
        target[name][np.ix_(*(index[axis] for axis in kept))] = values


def products(missing: np.ndarray) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Cut a set of points into products of positions, as few as there are for sets of simple shape.

    Parameters
    ----------
    missing : ndarray of bool, one dimension an axis
        True at the points of the set.

    Yields
    ------
    tuple of tuple of int
        Positions on each axis. Every point of the set lies in exactly one product.
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
