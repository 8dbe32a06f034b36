"""Sampled dynamics: time of a response, and of a token."""

import importlib.util

import numpy as np
from gradgap.bandits import FAMILIES
from gradgap.numerics import streams
from gradgap.numerics.compiler import kernel
from gradgap.training import run as training

from . import c_kernels, jax_kernels, numpy_kernels
from .instances import ADVANTAGE, AGGREGATION, at
from .timing import Row, agree, processor, rows

#: Family, length, success rate, group size, and share of the usual learning rate. So small groups of rare failures
#: train only at a small share; at the whole one a run is lost within 100 updates, and walks about at random.
CASES = (
    ("counting", 64, "0.2", 16, 1),
    ("counting", 64, "0.2", 1024, 1),
    ("counting", 1024, "0.2", 64, 1),
    ("gated", 64, "0.9", 64, 1),
    ("gated", 64, "0.99", 16, 0.1),
    ("gated", 64, "0.99", 16, 1),
    ("gated", 64, "0.99", 1024, 1),
)
#: Length, group size and learning rate of `contextual`.
PROMPTS = ((8, 16, 1.0), (64, 16, 1.0), (64, 256, 1.0), (512, 16, 10.0))


@kernel
def _floor(state, table, draws):
    """One random number and one look-up a draw: what no sampler can undercut."""
    total = 0.0
    for _ in range(draws):
        total += table[streams.following(state) & np.uint64(255)]
    return total


def _references(numpy, jax, c) -> dict:
    """References that are there, each taking a seed or a state as its last argument."""
    found = {"NumPy": lambda *a: numpy(*a[:-1], np.random.default_rng(a[-1]))}
    if importlib.util.find_spec("jax"):
        found["JAX"] = jax
    if c_kernels.compiler():
        found["C, gcc -O3 -march=native"] = lambda *a: c(*a[:-1], streams.state(a[-1], {}))
    return found


def measure(quick: bool) -> list[Row]:
    """Ours against C, NumPy, JAX, and the floor."""
    repeats = 3 if quick else 15
    found = []
    for case in CASES[: 1 if quick else None]:
        found += _responses(*case, repeats)
    for case in PROMPTS[: 1 if quick else None]:
        found += _tokens(*case, repeats)
    return found


def _responses(
    family: str, length: int, success_rate: str, size: int, share: float, repeats: int
) -> list[Row]:
    instance, rate = at(family, length, success_rate)
    rate *= share
    # so many that a run's own cost, which has a row of its own, hardly counts
    iterations, few = max(10_000, 2_000_000 // size), 200

    def ours(seed: int = 0, iterations: int = iterations) -> float:
        run = training.run(
            instance,
            ADVANTAGE,
            AGGREGATION,
            rate,
            group_size=size,
            iterations=iterations,
            state=streams.state(seed, {}),
            outcome=False,
        )
        return run.final_failure_rate

    timed, works = {"ours": ours}, {}
    available = _references(numpy_kernels.sampled, jax_kernels.sampled, c_kernels.sampled)
    for name, reference in available.items():
        # the same dynamics: the mean end of short runs agrees, to four standard errors
        ends = np.array([[ours(seed, 20), reference(instance, rate, size, 20, seed)] for seed in range(40)])
        agree(name, ends)
        steps = iterations if name.startswith("C") else few
        timed[name] = lambda reference=reference, steps=steps: reference(instance, rate, size, steps, 0)
        works[name] = steps / iterations
    table, state = np.arange(256.0), streams.state(0, {})
    timed["a random number and a look-up"] = lambda: _floor(state, table, iterations * size)
    lost = ours() >= 1 - float(success_rate)
    case = f"{family}, T = {length}, J = {success_rate}, n = {size}" + (", lost" if lost else "")
    per = iterations * size * 1e-9
    return rows(
        "sampled",
        case,
        timed,
        repeats=repeats,
        per=per,
        unit="ns a response",
        works=works,
        clock=processor,
    )


def _tokens(length: int, size: int, rate: float, repeats: int) -> list[Row]:
    instance = FAMILIES.find("contextual").instance(length, 0.3, 0.7)
    iterations, few = 300, 5

    def ours(seed: int = 0, iterations: int = iterations) -> float:
        state = streams.state(seed, {})
        run = training.run(
            instance,
            ADVANTAGE,
            AGGREGATION,
            rate,
            iterations=iterations,
            group_size=size,
            state=state,
            record=[iterations],
        )
        return run.failure_rate[-1].mean()

    def in_c(instance, rate, size, iterations, state):
        return instance.at(c_kernels.contextual(instance, rate, size, iterations, state))[1]

    timed, works = {"ours": ours}, {}
    for name, reference in _references(numpy_kernels.contextual, jax_kernels.contextual, in_c).items():
        ends = np.array([[ours(seed, 2), reference(instance, rate, size, 2, seed)] for seed in range(60)])
        agree(name, ends)
        steps = iterations if name.startswith("C") else few
        timed[name] = lambda reference=reference, steps=steps: reference(instance, rate, size, steps, 0)
        works[name] = steps / iterations
    tokens = iterations * len(instance.differences) * size * length
    table, state = np.arange(256.0), streams.state(0, {})
    timed["a random number and a look-up"] = lambda: _floor(state, table, min(tokens, 10**6))
    works["a random number and a look-up"] = min(tokens, 10**6) / tokens
    case = f"contextual, T = {length}, n = {size}"
    return rows(
        "sampled",
        case,
        timed,
        repeats=repeats,
        per=tokens * 1e-9,
        unit="ns a token",
        works=works,
        clock=processor,
    )
