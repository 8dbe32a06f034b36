"""Elementary functions: time of a value, one at a time and in a loop over an array."""

import math

import numpy as np
from gradgap.numerics import elementary
from gradgap.numerics.compiler import kernel

from .timing import Row, processor, rows

#: Function, and the range of its arguments.
CASES = {"exp": (-20.0, 20.0), "expm1": (-5.0, 5.0), "log": (0.01, 5.0), "log1p": (-0.5, 5.0)}


def _loops(function):
    """A loop that adds values one after the other, as recurrences do, and one that fills an array."""

    @kernel
    def one_by_one(x, out):
        total = 0.0
        for i in range(x.size):
            total = function(x[i] + 1e-300 * total)
        return total

    @kernel
    def array(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return {"one by one": one_by_one, "an array": array}


def measure(quick: bool) -> list[Row]:
    """Ours against the C library's."""
    found = []
    for name, (low, high) in CASES.items():
        x = np.random.default_rng(0).uniform(low, high, 4096)
        out = np.empty_like(x)
        theirs = _loops(getattr(math, name))
        for way, ours in _loops(getattr(elementary, name)).items():
            timed = {
                "ours": lambda ours=ours, x=x, out=out: [ours(x, out) for _ in range(10)],
                "C library": lambda other=theirs[way], x=x, out=out: [other(x, out) for _ in range(10)],
            }
            repeats = 3 if quick else 30
            found += rows(
                "elementary",
                f"{name}, {way}",
                timed,
                repeats=repeats,
                per=10 * x.size * 1e-9,
                unit="ns a value",
                clock=processor,
            )
    return found
