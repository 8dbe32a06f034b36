"""Go through large arrays part by part, so that memory does not grow with the number of points."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

#: Most values of a variable that are in memory at the same time.
AT_ONCE = 2**20


def boxes(shape: Sequence[int], most: int = AT_ONCE) -> Iterator[list[range]]:
    """Cut an array into boxes of at most `most` values.

    Outer axes are cut first. So the values of one box after the other are in the order of the whole array.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    most : int
        Most values in a box.

    Yields
    ------
    list of range
        The positions of a box on each axis.

    Examples
    --------
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
    """Go through an open dataset in parts of at most `most` points, without loading it whole.

    Parameters
    ----------
    dataset : Dataset
        With the needed variables only, because a point is a combination of values of all axes in the dataset.
    most : int
        Most points in a part.

    Yields
    ------
    Dataset
        Each point is in exactly one part. A variable is read from the file when its values are used.

    Examples
    --------
    >>> import xarray as xr
    >>> whole = xr.Dataset({"gain": ("length", [1.0, 2.0, 3.0])})
    >>> [part.gain.values.tolist() for part in parts(whole, 2)]
    [[1.0, 2.0], [3.0]]
    """
    for box in boxes(list(dataset.sizes.values()), most):
        corner = (slice(rows.start, rows.stop) for rows in box)
        yield dataset.isel(dict(zip(dataset.sizes, corner, strict=True)))


def thinned(dataset: "xr.Dataset", most: int, axes: Sequence[str]) -> "xr.Dataset":
    """Keep every k-th value of some axes, with the smallest k that leaves each of them at most `most` values.

    Parameters
    ----------
    dataset : Dataset
    most : int
        Most values that stay on an axis.
    axes : sequence of str
        The axes to thin out.

    Examples
    --------
    >>> import xarray as xr
    >>> whole = xr.Dataset(coords={"length": [1, 2, 3, 4, 5], "success_rate": [0.2, 0.3]})
    >>> few = thinned(whole, 3, ["length", "success_rate"])
    >>> few.length.values.tolist(), few.success_rate.values.tolist()
    ([1, 3, 5], [0.2, 0.3])
    """
    return dataset.isel({axis: slice(None, None, math.ceil(dataset.sizes[axis] / most)) for axis in axes})
