"""Cut a product of axes into shards with at most a given number of points each.

An axis is cut into blocks of values in such a way that adding or removing a value changes only one block.
"""

import hashlib
import math
from collections.abc import Container, Iterator, Mapping

#: Shards of one sweep at the most. Snakemake and a cluster's scheduler do well with a thousand or two jobs, and
#: few studies have more than two sweeps that are large; job arrays are often limited to 1,000.
MOST_SHARDS = 500


def blocks(values: tuple[str, ...], most: int) -> list[tuple[str, ...]]:
    """Cut the values of an axis into blocks of at most `most`, each in the given order.

    A block that is too full is divided by the next bit of a hash of its values. So positions do not matter, and
    adding or removing a value changes only the block that it falls into.
    """

    def divide(part: tuple[str, ...], bit: int) -> Iterator[tuple[str, ...]]:
        if len(part) <= most:
            yield part
            return
        for side in (0, 1):
            half = tuple(value for value in part if hashes[value] >> bit & 1 == side)
            if half:
                yield from divide(half, bit + 1)

    hashes = {
        value: int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest()) for value in values
    }
    position = {value: index for index, value in enumerate(values)}
    return sorted(divide(values, 0), key=lambda block: position[block[0]])


def cut(
    axes: Mapping[str, tuple[str, ...]], singly: Container[str], most: int, most_shards: int = MOST_SHARDS
) -> dict[str, list[tuple[str, ...]]]:
    """The blocks of every axis. Their products are the shards of a sweep.

    Parameters
    ----------
    axes : mapping of str to tuple of str
        All values of every axis, outermost first.
    singly : container of str
        Axes of which each shard holds only one value.
    most : int
        Points that a shard holds at the most. The outermost axes are cut first. Where that makes more than
        `most_shards` shards, both limits, this and one value of the axes `singly`, are doubled until it does not.
    most_shards : int
    """
    single = {axis: 1 for axis in axes if axis in singly}
    while True:
        size = {axis: min(single.get(axis, len(values)), len(values)) for axis, values in axes.items()}
        for axis in axes:
            points = math.prod(size.values())
            if points <= most:
                break
            size[axis] = max(1, most // (points // size[axis]))
        pieces = {axis: blocks(values, size[axis]) for axis, values in axes.items()}
        if math.prod(map(len, pieces.values())) <= most_shards:
            return pieces
        most *= 2
        if single:
            single[max(single, key=lambda axis: len(pieces[axis]))] *= 2
