"""Several steps on each batch: time of a response in a step."""

import numpy as np
from gradgap.numerics import streams
from gradgap.training import run as training
from gradgap.training.ratios import RATIOS

from . import c_kernels, numpy_kernels
from .instances import ADVANTAGE, AGGREGATION, at
from .timing import Row, agree, processor, rows, same

#: Importance ratio and group size.
CASES = (("token", 64), ("gspo", 64), ("sequence", 1024))
LENGTH, STEPS, CLIP = 64, 16, 0.2


def measure(quick: bool) -> list[Row]:
    """Ours against C and NumPy."""
    return [row for case in CASES[: 1 if quick else None] for row in _measure(*case, 3 if quick else 15)]


def _measure(ratio: str, size: int, repeats: int) -> list[Row]:
    instance, rate = at("counting", LENGTH)
    rate /= STEPS
    iterations, few = 200_000 // size, 20
    surrogate = RATIOS.find(ratio).surrogate(CLIP)

    def ours(iterations: int = iterations, seed: int = 0) -> float:
        run = training.run(
            instance,
            ADVANTAGE,
            AGGREGATION,
            rate,
            group_size=size,
            iterations=iterations,
            steps_per_batch=STEPS,
            ratio=ratio,
            clip_range=CLIP,
            state=streams.state(seed, {}),
            outcome=False,
        )
        return float(run.theta[0])

    def in_numpy(iterations: int = few, seed: int = 0) -> float:
        generator = np.random.default_rng(seed)
        return numpy_kernels.reused(instance, rate, size, iterations, STEPS, surrogate, generator)

    # the same dynamics: the mean end of runs that are still on their way agrees, to four standard errors
    agree("NumPy", np.array([[ours(2, seed), in_numpy(2, seed)] for seed in range(40)]))
    timed, works = {"ours": ours, "NumPy": in_numpy}, {"NumPy": few / iterations}
    if c_kernels.compiler():

        def in_c(iterations: int = iterations) -> float:
            return c_kernels.reused(instance, rate, size, iterations, STEPS, surrogate, streams.state(0, {}))

        same("C", in_c(few), ours(few), 1e-9)  # the same draws
        timed["C, gcc -O3 -march=native"] = in_c
    return rows(
        "reuse",
        f"counting, T = {LENGTH}, {STEPS} steps a batch, {ratio}, n = {size}",
        timed,
        repeats=repeats,
        per=iterations * size * STEPS * 1e-9,
        unit="ns a response and step",
        works=works,
        clock=processor,
    )
