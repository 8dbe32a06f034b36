"""Time and memory against the number of points, and time against the number of cores."""

import multiprocessing
import time

from gradgap.sweep import compute as shards
from gradgap.sweep.grid import Block
from gradgap.values import canonical

from .timing import Row, peak, rows

SETTINGS = {"iterations": 200, "tolerance": 1e-4, "window": 1.0, "start_failure_rate": 0.8}


def block(points: int) -> Block:
    """A block of so many runs on `gated`, the step size being what there are many of."""
    lengths, rates = ("16", "64", "256", "1024", "4096"), ("0.6", "0.9", "0.96", "0.98", "0.99")
    rules = ("REINFORCE", "GRPO", "Dr. GRPO", "DAPO")
    steps = points // (len(lengths) * len(rates) * len(rules))
    axes = {
        "family": ("gated",),
        "length": lengths,
        "success_rate": rates,
        "rule": rules,
        "learning_rate": tuple(canonical(float(f"{10 ** (8 * k / steps - 4):.9g}")) for k in range(steps)),
        "iteration": ("200",),
    }
    return Block("phase_diagram", "runs", "exact_runs", axes, SETTINGS, 0)


def compute(points: int) -> float:
    """Seconds that a block of so many points takes."""
    whole = block(points)
    started = time.perf_counter()
    shards.compute_block(whole)
    return time.perf_counter() - started


def measure(quick: bool) -> list[Row]:
    """Time a point from 10³ to 10⁶ points, peak memory, and two cores against one."""
    sizes = (1000, 10_000) if quick else (1000, 10_000, 100_000, 1_000_000)
    found = []
    for size in sizes[1:]:
        timed = {"ours": lambda size=size: compute(size), "1,000 points": lambda: compute(1000)}
        found += rows(
            "scaling",
            f"time a point, {size:,} points",
            timed,
            repeats=1 if size == 10**6 else 5,
            per=size * 1e-6,
            unit="µs a point",
            works={"1,000 points": 1000 / size},
        )
    memory = {
        size: peak(f"from benchmarks import scaling; scaling.compute({size})")[0]
        for size in (sizes[0], sizes[-1])
    }
    ratio = memory[sizes[0]] / memory[sizes[-1]]
    case = f"peak memory, {sizes[-1]:,} points"
    found.append(
        Row("scaling", case, memory[sizes[-1]], "MB", f"{sizes[0]:,} points", ratio, ratio, ratio, 1)
    )
    size = sizes[1]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        timed = {
            "ours": lambda: pool.map(compute, [size, size], chunksize=1),
            "on one core": lambda: (compute(size), compute(size)),
        }
        found += rows("scaling", "two shards on two cores", timed, repeats=3 if quick else 7)
    return found
