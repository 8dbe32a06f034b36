"""Cut a product of axes into blocks with at most a given number of points each.

An axis is cut into pieces in such a way that adding or removing a value changes only one piece.
"""

import hashlib
import math
from collections.abc import Container, Iterator, Mapping

#: Blocks of one sweep at the most. Snakemake and a cluster's scheduler do well with a thousand or two jobs, and
#: few studies have more than two sweeps that are large; job arrays are often limited to 1,000.
MOST_BLOCKS = 500


def pieces(values: tuple[str, ...], most: int) -> list[tuple[str, ...]]:
    """Cut the values of an axis into pieces of at most `most`, each in the given order.

    A piece that is too full is divided by the next bit of a hash of its values. So positions do not matter, and
    adding or removing a value changes only the piece that it falls into.
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
    return sorted(divide(values, 0), key=lambda piece: position[piece[0]])


def cut(
    axes: Mapping[str, tuple[str, ...]], singly: Container[str], most: int, most_blocks: int = MOST_BLOCKS
) -> dict[str, list[tuple[str, ...]]]:
    """The pieces of every axis. Their products are the blocks of a sweep.

    Parameters
    ----------
    axes : mapping of str to tuple of str
        All values of every axis, outermost first.
    singly : container of str
        Axes of which each block holds only one value.
    most : int
        Points that a block holds at the most. The outermost axes are cut first. Where that makes more than
        `most_blocks` blocks, both limits, this and one value of the axes `singly`, are doubled until it does not.
    most_blocks : int
    """
    single = {axis: 1 for axis in axes if axis in singly}
    while True:
        size = {axis: min(single.get(axis, len(values)), len(values)) for axis, values in axes.items()}
        for axis in axes:
            points = math.prod(size.values())
            if points <= most:
                break
            size[axis] = max(1, most // (points // size[axis]))
        found = {axis: pieces(values, size[axis]) for axis, values in axes.items()}
        if math.prod(map(len, found.values())) <= most_blocks:
            return found
        most *= 2
        if single:
            single[max(single, key=lambda axis: len(found[axis]))] *= 2
