"""Exact dynamics: time of an iterate."""

import importlib.util

import numpy as np
from gradgap.training import run as training

from . import c_kernels, jax_kernels, numpy_kernels
from .instances import ADVANTAGE, AGGREGATION, at
from .timing import Row, processor, rows, same

LENGTHS = (64, 1024, 65536)
#: Share of the learning rate: where θ has come to rest, ours does not compute the rates again.
_SLOWLY = 1e-3
#: Runs side by side in arrays, for a reference whose cost is mostly Python's.
MANY = 256


def measure(quick: bool) -> list[Row]:
    """Ours against C, NumPy with scipy, and JAX."""
    found = []
    for family in ("counting", "gated"):
        for length in LENGTHS[: 1 if quick else None]:
            found += _measure(family, length, 2000 if quick else 20000, 3 if quick else 15)
    return found


def _measure(family: str, length: int, iterations: int, repeats: int) -> list[Row]:
    instance, rate = at(family, length)
    rate *= _SLOWLY
    few = iterations // 200  # scipy takes long

    def ours(iterations: int = iterations) -> float:
        run = training.run(
            instance,
            ADVANTAGE,
            AGGREGATION,
            rate,
            iterations=iterations,
            schedule="benchmark",
            record=[iterations],
        )
        return run.failure_rate[-1].mean()

    timed = {"ours": ours}
    works = {}
    references = {"NumPy and scipy": numpy_kernels.exact}
    if importlib.util.find_spec("jax"):
        references["JAX"] = jax_kernels.exact
    if c_kernels.compiler():
        references["C, gcc -O3 -march=native"] = c_kernels.exact
    for name, reference in references.items():
        steps = iterations if name.startswith("C") else few
        same(name, instance.at(float(reference(instance, rate, few)))[1], ours(few), 1e-9)
        timed[name] = lambda reference=reference, steps=steps: reference(instance, rate, steps)
        works[name] = steps / iterations
    many, fewer = rate * np.ones(MANY), max(few // 20, 2)
    name = f"NumPy and scipy, {MANY} runs at once"
    timed[name] = lambda: numpy_kernels.exact(instance, many, fewer)
    works[name] = MANY * fewer / iterations
    return rows(
        "exact",
        f"{family}, T = {length}",
        timed,
        repeats=repeats,
        per=iterations * 1e-9,
        unit="ns an iterate",
        works=works,
        clock=processor,
    )
