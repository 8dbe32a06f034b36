"""Compute shards.

The values at a point depend only on the point, the settings and the code. So a new shard copies every point that
another shard of its sweep already holds, and computes the rest.
"""

import logging
import math
import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import GradgapError
from .grid import Shard, measurement_of, safe, settings_at
from .measurement import empty, measure
from .store import head, read_current

log = logging.getLogger(__name__)
#: What two shards have in common if they can hold the same points.
_SAME = ("study", "sweep", "measurement", "seed", "at")
#: What the log of a job says at its end: points simulated, points of the shard, seconds of processor time (a busy
#: machine makes no point dearer); and of the first points.
MEASURED = re.compile(r"simulated (\d+) of (\d+) points in ([\d.]+) s, the first (\d+) in ([\d.]+) s")


def compute(shard: Shard, folder: str | Path | None = None) -> dict[str, np.ndarray]:
    """Compute every variable at every point of a shard, and report progress in the log.

    Parameters
    ----------
    shard : Shard
    folder : path, optional
        Folder with other shards of the same sweep. Points that they hold are copied.

    Returns
    -------
    dict of str to ndarray
        Every variable of the shard's measurement, in the shape of the axes it depends on.
    """
    measurement = measurement_of(shard)
    arrays = empty(shard.axes, measurement.variables)
    missing = np.ones([len(values) for values in shard.axes.values()], bool)
    if folder is not None:
        for other, values in _known(shard, Path(folder), missing):
            shared = {axis: _shared(shard.axes[axis], other.axes[axis]) for axis in shard.axes}
            mine, theirs = ({axis: pair[k] for axis, pair in shared.items()} for k in (0, 1))
            _place(arrays, measurement.variables, mine, values, theirs)
            missing[np.ix_(*mine.values())] = False
    total, done = int(missing.sum()), 0
    said = _Progress(shard.name, total)
    settings = {**shard.settings, "seed": shard.seed} if measurement.random else shard.settings
    for index in products(missing):
        part = dict(zip(shard.axes, index, strict=True))
        axes = {axis: tuple(shard.axes[axis][i] for i in positions) for axis, positions in part.items()}
        points = math.prod(map(len, index))
        values = measure(measurement, {**shard.at, **axes}, settings, partial(said.part, done, points))
        _place(arrays, measurement.variables, part, values)
        done += points
    said.end(missing.size)
    return arrays


class _Progress:
    """Reports in the log how far a shard is, and at the end how long it took."""

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


def _known(shard: Shard, folder: Path, missing: np.ndarray) -> Iterator[tuple[Shard, dict[str, np.ndarray]]]:
    """Shards of the same sweep with missing points, computed by the present code with the same settings."""
    for path in sorted(folder.glob("*.npz")):
        if path.stem == shard.name or not missing.any() or not _may_share(shard, path.stem):
            continue
        try:
            other, code = head(path)
            if any(getattr(other, name) != getattr(shard, name) for name in _SAME) or list(
                other.axes
            ) != list(shard.axes):
                continue
            both = {axis: _shared(values, other.axes[axis])[0] for axis, values in shard.axes.items()}
            shared = {axis: tuple(shard.axes[axis][i] for i in mine) for axis, mine in both.items()}
            if (
                missing[np.ix_(*both.values())].any()
                and settings_at(shard, shared) == settings_at(other, shared)
                and code == other.code
            ):
                other, values = read_current(path)
                log.info("points known already are taken from %s", path)
                yield other, values
        except GradgapError as error:
            log.warning("not used: %s", error)


def _may_share(shard: Shard, name: str) -> bool:
    """Whether a shard may share points with this one, judged by the axes in its name."""
    for part in name.split("~")[:-1]:
        axis, _, value = part.partition("=")
        if axis in shard.axes and not any(value == safe(own) for own in shard.axes[axis]):
            return False
    return True
