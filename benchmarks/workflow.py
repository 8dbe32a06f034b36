"""What the workflow costs beside its kernels."""

import importlib.util
import itertools
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import numpy as np
from gradgap.bandits import FAMILIES
from gradgap.sweep import compute, config, grid
from gradgap.training import rules
from gradgap.training import run as training
from gradgap.values import canonical, failure_rate, number

from .timing import ROOT, Row, compare, interleaved, rows, same

SNAKEMAKE = Path(sys.executable).with_name("snakemake")


def point(length: str, success_rate: str, rule: str, learning_rate: str) -> float:
    """Final success rate of one run on `gated`."""
    instance = FAMILIES.find("gated").instance(
        int(length), number(success_rate), failure_rate(success_rate), window=1.0, start_failure_rate=0.8
    )
    run = training.run(instance, *rules.rule(rule), number(learning_rate), iterations=1000)
    return run.final_success_rate


def measure(quick: bool) -> list[Row]:
    """One sweep of runs: Snakemake, xyzpy and joblib around the same kernels."""
    sweep = _sweep()
    values = {name: sweep.axes[name][:: 8 if quick else 2] for name in NAMES}
    part = grid.Block(**{**vars(sweep), "axes": {**sweep.axes, **values}})
    points = list(itertools.product(*values.values()))
    found = compute.compute_block(part)["final_success_rate"].ravel()
    for index in range(0, len(points), 97):
        same("one point alone", point(*points[index]), found[index], 1e-12)

    def workflow() -> None:
        _snakemake(part)

    timed = {"ours": lambda: compute.compute_block(part), "the same as a Snakemake job": workflow}
    if importlib.util.find_spec("xyzpy"):
        timed["xyzpy, one process"] = lambda: _xyzpy(values)
        timed["xyzpy, two processes"] = lambda: _xyzpy(values, pool)
    if importlib.util.find_spec("joblib"):
        timed["joblib, one process"] = lambda: _joblib(points, 1)
        timed["joblib, two processes"] = lambda: _joblib(points, 2)
    case = f"a sweep of {len(points):,} runs of 1000 updates"
    with futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = rows("workflow", case, timed, repeats=1 if quick else 3)
    return found if quick else found + end_to_end(100_000)


#: Axes of a run of the sweep.
NAMES = ("length", "success_rate", "rule", "learning_rate")


def _sweep() -> grid.Block:
    """All runs of the default phase diagram."""
    study = config.load(ROOT / "config.yaml").studies["phase_diagram"]
    return next(block for block in grid.blocks(study, 10**9) if block.sweep == "runs")


def end_to_end(size: int) -> list[Row]:
    """So many runs through the workflow on two cores, against a loop over the same points in two processes.

    Each is made once, from the start of Snakemake or of the processes to the last result; compiled code is in the
    cache. What counts is the time of the processor, of all processes together: the clock on the wall tells more of
    what else the machine does. xyzpy keeps a task for every point in memory, and is left out above 100,000.
    """
    sweep = _sweep()
    others = math.prod(len(sweep.axes[name]) for name in NAMES[:-1])
    rates = np.geomspace(1e-4, 1e5, round(size / others))
    rates = tuple(canonical(float(f"{rate:.9g}")) for rate in rates)
    part = grid.Block(
        **{**vars(sweep), "axes": {**sweep.axes, "learning_rate": rates, "iteration": ("1000",)}}
    )
    values = {name: part.axes[name] for name in NAMES}
    points = list(itertools.product(*values.values()))
    timed: dict[str, Callable[[], object]] = {"ours": lambda: _snakemake(part)}
    if importlib.util.find_spec("joblib"):
        timed["joblib, two processes"] = lambda: _joblib(points, 2, and_end=True)
    if importlib.util.find_spec("xyzpy") and size <= 100_000:
        timed["xyzpy, two processes"] = lambda: _xyzpy_from_nothing(values)
    seconds = interleaved(timed, 1, _all_processes, warm=False)
    case = f"end to end, {len(points):,} runs of 1000 updates"
    return compare("workflow", case, seconds, unit="core-s")


def _all_processes() -> float:
    """Seconds of processor time of this process and of all its children that have ended."""
    return sum(os.times()[:4])


def _xyzpy_from_nothing(values) -> None:
    with futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        _xyzpy(values, pool)


def _xyzpy(values, executor=None) -> None:
    import xyzpy

    runner = xyzpy.Runner(point, "final_success_rate")
    runner.run_combos({name: list(of) for name, of in values.items()}, verbosity=0, executor=executor)


def _joblib(points, processes: int, *, and_end: bool = False) -> None:
    import joblib
    from joblib.externals.loky import get_reusable_executor

    joblib.Parallel(processes)(joblib.delayed(point)(*each) for each in points)
    if and_end:  # joblib keeps its processes for the next call
        get_reusable_executor().shutdown(wait=True)


def _snakemake(part: grid.Block) -> None:
    """Run the shards of a configuration that hold this part of the sweep."""
    whole = {
        "shard_points": part.points,  # so many that no other sweep joins them
        "studies": {
            "phase_diagram": {
                "family": ["gated"],
                **{name: [_plain(value) for value in part.axes[name]] for name in ("length", "rule")},
                "success_rate": [_plain(value) for value in part.axes["success_rate"]],
                "learning_rate": [_plain(value) for value in part.axes["learning_rate"]],
                "iteration": [_plain(value) for value in part.axes["iteration"]],
                "iterations": 1000,
            }
        },
    }
    import yaml

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "bench.yaml")
        file.write_text(yaml.safe_dump(whole))
        parsed = config.load(file)
        target = [
            f"results/shards/phase_diagram/{shard.name}.npz"
            for shard in grid.shards(
                parsed.studies["phase_diagram"], parsed.shard_points, parsed.shard_seconds
            )
            if any(block.sweep == "runs" for block in shard.blocks)
        ]
        _run(["--directory", folder, "--configfile", str(file), "--", *target])


def _plain(value: str):
    return value if value in rules.PRESETS else int(value) if value.isdigit() else float(value)


def _run(arguments: list[str]) -> None:
    run = subprocess.run(
        [SNAKEMAKE, "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", "all", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        sys.exit(f"snakemake failed:\n{run.stdout}{run.stderr}")


def study() -> list[Row]:
    """The default study on two cores: wall time over the time of its simulations divided by the cores.

    It is run twice, so that the second finds compiled code in the cache.
    """
    found = []
    for case in ("default study, first run", "default study, compiled code in the cache"):
        folder = tempfile.mkdtemp()
        try:
            started = time.perf_counter()
            _run(["--directory", folder, "--configfile", str(ROOT / "config.yaml")])
            wall = time.perf_counter() - started
            logs = Path(folder, "results", "logs", "shards").rglob("*.log")
            kernel = sum(float(said[2]) for log in logs for said in compute.MEASURED.findall(log.read_text()))
        finally:
            shutil.rmtree(folder)
        ideal = kernel / min(2, os.cpu_count() or 1)
        found.append(
            Row(
                "study",
                case,
                wall,
                "s",
                f"its simulations, {kernel:.0f} core-s",
                ideal / wall,
                ideal / wall,
                ideal / wall,
                1,
            )
        )
    return found
