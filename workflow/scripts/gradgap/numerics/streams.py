"""Random streams: one for every point, from the point's own coordinates.

A stream starts from a hash of the point's coordinates and the seed. So a point draws the same numbers whatever else
is computed, and in whatever order, shard or process. The state of a stream is an array, which every kernel that draws
takes as an argument and changes in place.

The generator is xoshiro256++ (Blackman and Vigna, ACM Trans. Math. Softw. 47, 2021), of period 2²⁵⁶ − 1. If two
streams make n draws each, the chance that they overlap is n/2²⁵⁵.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from .compiler import kernel


def state(seed: int, coordinates: Mapping[str, str]) -> np.ndarray:
    """Start of the stream that belongs to a point.

    Parameters
    ----------
    seed : int
        The one seed of a configuration.
    coordinates : mapping
        Name and canonical text (`values.canonical`) of every coordinate that the draws may depend on, including the
        replicate. The order of the mapping does not matter.

    Returns
    -------
    ndarray, shape (4,), uint64
        State for `following`, `uniform` and `sampling.binomial`, which change it in place.

    Examples
    --------
    >>> one, other = state(1, {"length": "16"}), state(1, {"length": "32"})
    >>> 0.0 <= uniform(one) < 1.0, uniform(one) == uniform(other)
    (True, False)
    """
    text = "\n".join([f"seed={seed}", *(f"{name}={coordinates[name]}" for name in sorted(coordinates))])
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


@kernel
def _rotated(x, left, right):
    return (x << left) | (x >> right)  # left + right = 64


@kernel
def _step(a, b, c, d):
    """Random bits of a state of four words, and the state that follows."""
    bits = _rotated(a + d, np.uint64(23), np.uint64(41)) + a
    c ^= a
    d ^= b
    return bits, a ^ d, b ^ c, c ^ (b << np.uint64(17)), _rotated(d, np.uint64(45), np.uint64(19))


@kernel
def following(state):
    """Next 64 random bits of a stream.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.

    Returns
    -------
    uint64

    Examples
    --------
    >>> a, b = state(1, {}), state(1, {})
    >>> following(a) == following(b), following(a) == following(a)
    (True, False)
    """
    bits, state[0], state[1], state[2], state[3] = _step(state[0], state[1], state[2], state[3])
    return bits


@kernel
def uniform(state):
    """The next number of a stream that is uniform on [0, 1): a multiple of 2⁻⁵³.

    Examples
    --------
    >>> stream = state(1, {})
    >>> all(0.0 <= uniform(stream) < 1.0 for _ in range(100))
    True
    """
    return (following(state) >> np.uint64(11)) * 1.1102230246251565e-16


@kernel
def uniforms(state, draws, out):
    """Many numbers as `uniform` gives them one by one. The state is read and written once, which is faster.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    draws : int
        How many.
    out : ndarray
        Its first `draws` entries are filled.

    Examples
    --------
    >>> one, many, out = state(1, {}), state(1, {}), np.empty(3)
    >>> uniforms(many, 3, out)
    >>> [uniform(one) for _ in range(3)] == out.tolist()
    True
    """
    a, b, c, d = state[0], state[1], state[2], state[3]
    for i in range(draws):
        bits, a, b, c, d = _step(a, b, c, d)
        out[i] = (bits >> np.uint64(11)) * 1.1102230246251565e-16
    state[0], state[1], state[2], state[3] = a, b, c, d
