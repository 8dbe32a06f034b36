"""Large arrays a part at a time, so that memory does not grow with the number of points."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

#: Values of a variable that are in memory at once.
AT_ONCE = 2**20


def boxes(shape: Sequence[int], most: int = AT_ONCE) -> Iterator[list[range]]:
    """Cut an array into boxes of at most `most` values, last axis fastest.

    Outer axes are cut first, so that box after box gives the values in the order of the whole array.

    Parameters
    ----------
    shape : sequence of int
    most : int

    Yields
    ------
    list of range
        Positions on each axis.

    >>> list(boxes([2, 3], 4))
    [[range(0, 1), range(0, 3)], [range(1, 2), range(0, 3)]]
    """
    size = list(shape)
    for axis in range(len(size)):
        rest = math.prod(size[axis + 1 :])
        size[axis] = max(1, min(size[axis], most // rest))
    starts = [range(0, whole, step) for whole, step in zip(shape, size, strict=True)]
    for corner in itertools.product(*starts):
        yield [
            range(start, min(start + step, whole))
            for start, step, whole in zip(corner, size, shape, strict=True)
        ]


def parts(dataset: "xr.Dataset", most: int = AT_ONCE) -> Iterator["xr.Dataset"]:
    """Go through a dataset that was opened but not loaded, with at most `most` points at a time.

    Parameters
    ----------
    dataset : Dataset
        Only the variables that are looked at, because the points are those of all their axes together.
    most : int

    Yields
    ------
    Dataset
        Every point is in exactly one. A variable is read from the file when its values are used.
    """
    for box in boxes(list(dataset.sizes.values()), most):
        corner = (slice(rows.start, rows.stop) for rows in box)
        yield dataset.isel(dict(zip(dataset.sizes, corner, strict=True)))


def thinned(dataset: "xr.Dataset", most: int, axes: Sequence[str]) -> "xr.Dataset":
    """A dataset with every k-th value of some axes, so that each of them has at most `most`.

    Parameters
    ----------
    dataset : Dataset
    most : int
    axes : sequence of str

    >>> import xarray as xr
    >>> whole = xr.Dataset(coords={"length": [1, 2, 3, 4, 5], "success_rate": [0.2, 0.3]})
    >>> few = thinned(whole, 3, ["length", "success_rate"])
    >>> few.length.values.tolist(), few.success_rate.values.tolist()
    ([1, 3, 5], [0.2, 0.3])
    """
    return dataset.isel({axis: slice(None, None, math.ceil(dataset.sizes[axis] / most)) for axis in axes})
