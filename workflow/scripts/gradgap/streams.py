"""Random streams: one for every point, from the point's own coordinates.

The state of a stream is an array that is handed to every kernel that draws. It comes from a hash of the
point's coordinates and the seed, so a point draws the same numbers whatever else is computed, in whatever order,
shard or process. The generator is xoshiro256++ (Blackman and Vigna, ACM Trans. Math. Softw. 47, 2021), of period
2²⁵⁶ − 1: two streams that start at hashed states overlap within n draws each with a chance of n/2²⁵⁵.
"""

import hashlib
import math
from collections.abc import Mapping

import numpy as np

from .binomial import pmf
from .jit import kernel


def state(seed: int, coordinates: Mapping[str, str]) -> np.ndarray:
    """Start of the stream that belongs to a point.

    Parameters
    ----------
    seed : int
        The one seed of a configuration.
    coordinates : mapping
        Name and canonical text (`axes.canonical`) of every coordinate on which the draws may depend, the
        replicate among them. The order of the mapping does not matter.

    Returns
    -------
    ndarray, shape (4,), uint64
        State for `following`, `uniform` and `binomial`, which change it in place.
    """
    text = "\n".join([f"seed={seed}", *(f"{name}={coordinates[name]}" for name in sorted(coordinates))])
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


@kernel
def _rotated(x, left, right):
    return (x << left) | (x >> right)  # left + right = 64


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
    """
    bits = _rotated(state[0] + state[3], np.uint64(23), np.uint64(41)) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = _rotated(state[3], np.uint64(45), np.uint64(19))
    return bits


@kernel
def uniform(state):
    """A number from [0, 1), a multiple of 2⁻⁵³."""
    return (following(state) >> np.uint64(11)) * 1.1102230246251565e-16


#: Below this mean a count is found by walking up from zero, above it by rejection.
_WALK_BELOW = 10.0


@kernel
def _walk(state, n, p, q):
    """Bin(n, p) by inversion: the smallest k whose distribution function exceeds a uniform number."""
    odds = p / q
    while True:
        rest = uniform(state)
        mass = math.exp(n * math.log1p(-p))
        for k in range(n + 1):
            rest -= mass
            if rest < 0.0:
                return k
            mass *= (n - k) * odds / (k + 1)
        # only by rounding does a uniform number lie above the whole sum: draw again


@kernel
def _reject(state, n, p, q):
    """Bin(n, p) with n·p ≥ 10 and p ≤ ½ by transformed rejection, at a cost that does not grow with n.

    Hörmann's BTRS (J. Stat. Comput. Simul. 46, 1993): a ratio of uniforms is bent so that almost all of it
    lies under the probabilities; most draws fall into a rectangle that lies under them for certain, and the others
    are held against `pmf` itself.
    """
    deviation = math.sqrt(n * p * q)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    sure = 0.92 - 4.2 / b
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        edge = 0.5 - abs(u)
        if edge == 0.0:
            continue
        x = math.floor((2.0 * a / edge + b) * u + centre)
        if x < 0.0 or x > n:
            continue
        k = int(x)
        if edge >= 0.07 and v <= sure:
            return k
        v *= (2.83 + 5.1 / b) * deviation / (a / (edge * edge) + b)
        if v * pmf(int((n + 1) * p), n, p, q) <= pmf(k, n, p, q):
            return k


@kernel
def binomial(state, n, p, q):
    """A count S ~ Bin(n, p), at a cost that does not grow with n.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Changed in place.
    n : int
        Number of trials, 0 or more.
    p, q : float
        Probability of a one and of a zero, each exact to rounding (q is not taken as 1 − p).

    Returns
    -------
    int
    """
    if p > q:
        return n - binomial(state, n, q, p)
    if n == 0 or p == 0.0:
        return 0
    if n * p < _WALK_BELOW:
        return _walk(state, n, p, q)
    return _reject(state, n, p, q)
