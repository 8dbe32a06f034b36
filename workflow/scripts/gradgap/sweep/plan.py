"""Estimate what a configuration needs before it is run: jobs, core-hours, memory and disk.

Points are counted, never listed. The time for a point comes from earlier jobs: their logs say how long they
computed, and the benchmark files of Snakemake give their total time and memory. A measurement that was never run is
timed on one point. The plan does not change how a grid is cut, because the names of shards must not depend on the
speed of a machine. It proposes a shard size, and the configuration sets it.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import GradgapError
from ..logs import duration
from ..values import number
from . import grid
from .compute import MEASURED
from .config import Config
from .dataset import AT_ONCE
from .grid import Block, StudyConfig
from .measurement import measure
from .store import head
from .study import Sweep

#: Jobs beyond which Snakemake's own bookkeeping, and many a cluster's limits, get in the way.
MANY_JOBS = 2000
#: What is taken for a job where none was measured: seconds beside the simulation, and bytes of memory.
_START_SECONDS, _MEMORY = 2.0, 250 * 2**20
_AGGREGATION_MEMORY = 120 * 2**20
#: Bytes on disk of a job's log, benchmark and metadata files, and of a point in the CSV of an analysis.
_BYTES_A_JOB, _BYTES_A_ROW = 16 * 2**10, 200
#: A simulation's first points have the time of compiling in them, which is less than this; they do not count.
_COMPILING_SECONDS = 10.0
#: Nothing is timed that should take longer than this.
_TIMED_SECONDS = 5.0


@dataclass(frozen=True)
class Record:
    """What a job recorded of one block.

    Attributes
    ----------
    block : Block
    points : int
        Points that it computed, except those during compilation; may be 0.
    seconds : float
        Processor time that it spent on them.
    """

    block: Block
    points: int
    seconds: float


@dataclass(frozen=True)
class Job:
    """The records of one job.

    Attributes
    ----------
    blocks : tuple of Record
        Of those blocks of which it computed points.
    beside, memory : float
        Processor time that it spent on other things, and its largest memory in bytes; nan if not recorded.
    """

    blocks: tuple[Record, ...]
    beside: float = math.nan
    memory: float = math.nan


def recorded_jobs(results: str | Path) -> list[Job]:
    """The records of all shards of a results folder."""
    found = []
    results = Path(results)
    for path in sorted((results / "shards").glob("*/*.npz")):
        place = path.relative_to(results / "shards")
        log = (results / "logs" / "shards" / place).with_suffix(".log")
        benchmark = (results / "benchmarks" / "shards" / place).with_suffix(".tsv")
        said = MEASURED.findall(log.read_text(encoding="utf-8")) if log.is_file() else []
        try:
            blocks = [block for block, _ in head(path)] if said else []
        except GradgapError:
            continue
        if len(said) != len(blocks) or not any(int(computed) for computed, *_ in said):
            continue
        row = pd.read_csv(benchmark, sep="\t").iloc[-1] if benchmark.is_file() else {}
        memory = float(row.get("max_rss", math.nan)) * 2**20
        beside = float(row.get("cpu_time", math.nan)) - sum(float(seconds) for _, _, seconds, *_ in said)
        records = [_record(block, *map(float, numbers)) for block, numbers in zip(blocks, said, strict=True)]
        found.append(Job(tuple(records), beside, memory))
    return found


def _record(block: Block, points: float, of: float, seconds: float, first: float, compiling: float) -> Record:
    """What the log says of a block, but for its first points."""
    if points > first:
        return Record(block, int(points - first), seconds - compiling)
    return Record(block, int(points), seconds) if seconds >= _COMPILING_SECONDS else Record(block, 0, 0.0)


def nominal(block: Block) -> float:
    """Seconds for each point according to the measurement, or 1 if it does not say."""
    return block.seconds / block.points


def time_one_point(config: StudyConfig, name: str, sweep: Sweep) -> Record:
    """Compute the middle point of a sweep, with all that come with it, once to compile and once to time."""
    measurement = grid.measurement_of(sweep)
    axes: dict[str, tuple[str, ...]] = {
        axis: values if axis in measurement.together else (values[len(values) // 2],)
        for axis, values in grid.sweep_axes(config, sweep).items()
    }
    settings = grid.sweep_settings(config, sweep)
    seed = config.seed if measurement.random else 0
    block = Block(config.name, name, sweep.measurement, axes, settings, seed, dict(sweep.at))
    if measurement.random:
        settings = {**settings, "seed": config.seed}
    for _ in range(2):
        started = time.process_time()
        measure(measurement, {**sweep.at, **axes}, settings)
        seconds = time.process_time() - started
    return Record(block, block.points, seconds)


def rate(known: Iterable[Record]) -> Callable[[Block], float] | None:
    """Seconds for each point of a block, from records of its measurement; None if there are none.

    Those of the same family and the nearest response length count, scaled by the simulation's own statement of how
    its cost depends on its settings.
    """
    stated = [(entry, nominal(entry.block)) for entry in known]
    if not stated:
        return None

    def distance(block: Block, other: Block) -> float:
        apart = 0.0 if set(block.axes.get("family", ())) & set(other.axes.get("family", ("",))) else 100.0
        return apart + abs(_log_length(block) - _log_length(other))

    def seconds(block: Block) -> float:
        nearest = min(distance(block, entry.block) for entry, _ in stated)
        near = [(entry, cost) for entry, cost in stated if distance(block, entry.block) <= nearest + 1e-9]
        expected = sum(entry.points * cost for entry, cost in near)
        return sum(entry.seconds for entry, _ in near) / expected * nominal(block)

    return seconds


def _log_length(block: Block) -> float:
    lengths = [math.log2(number(value)) for value in block.axes.get("length", ())]
    return statistics.fmean(lengths) if lengths else 0.0


def plan(config: Config, results: str | Path = "results") -> dict[str, Any]:
    """Estimate points, shards, jobs, time, memory and disk of a configuration.

    Parameters
    ----------
    config : Config
    results : path
        Folder with the records of earlier runs. It need not exist.

    Returns
    -------
    dict
        ``points``, ``shards``, ``jobs``, ``core_hours``, ``bytes``; ``wall_seconds`` on the ``cores`` of this
        machine; ``memory`` in bytes of the largest simulation
        job and of the largest aggregation; ``longest_job`` in seconds; ``shard_points`` as configured and as
        proposed; ``sweeps``, one entry each, whose ``shards`` are those that hold a part of it; ``warnings``.
    """
    recorded = recorded_jobs(results)
    simulated: dict[str, list[Record]] = {}
    for record in (record for job in recorded for record in job.blocks if record.points):
        simulated.setdefault(record.block.measurement, []).append(record)
    beside = [entry.beside for entry in recorded if entry.beside > 0]
    start = statistics.median(beside) if beside else _START_SECONDS
    memory = max((entry.memory for entry in recorded if entry.memory > 0), default=_MEMORY)
    sweeps: list[dict[str, Any]] = []
    aggregation = disk = 0.0
    shards = 0
    for study in config.studies.values():
        cut = grid.shards(study, config.shard_points, config.shard_seconds)
        shards += len(cut)
        parts: dict[str, list[tuple[int, Block]]] = {name: [] for name in study.study.sweeps}
        for k, shard in enumerate(cut):
            for block in shard.blocks:
                parts[block.sweep].append((k, block))
        seconds, stored = [0.0] * len(cut), [0] * len(cut)  # of each shard
        of_study: list[dict[str, Any]] = []
        pieces = mask = 0
        for name, sweep in study.study.sweeps.items():
            known, basis = simulated.get(sweep.measurement, []), "measured"
            if not known and _worth_timing(sweep, study):
                known, basis = [time_one_point(study, name, sweep)], "timed on one point"
            of = rate(known)
            if of is None:
                of, basis = nominal, "stated by the simulation"
            took = [(k, block.points * of(block)) for k, block in parts[name]]
            for k, time_of in took:
                seconds[k] += time_of
            for k, block in parts[name]:
                stored[k] += block.points * _bytes_a_point(sweep)
            points = sum(block.points for _, block in parts[name])
            of_study.append(
                {
                    "study": study.name,
                    "sweep": name,
                    "points": points,
                    "shards": len({k for k, _ in took}),
                    "seconds": sum(time_of for _, time_of in took),
                    "basis": basis,
                }
            )
            pieces = max(pieces, 8 * min(points, AT_ONCE))
            mask += points
            disk += 2 * points * _bytes_a_point(sweep) + points * _BYTES_A_ROW
        for found_of in of_study:  # its longest and its largest shard, with what other sweeps have there
            holding = [k for k, _ in parts[found_of["sweep"]]]
            found_of["longest_job"] = max(seconds[k] for k in holding) + start
            found_of["memory"] = memory + 4 * max(stored[k] for k in holding)
        sweeps += of_study
        # a part of one variable at a time, with what is made of it on the way; a shard, as stored and as read; and a
        # byte a point to tell which are there
        aggregation = max(aggregation, 6 * pieces + 2 * max(stored) + mask)
    figures = sum(len(study.study.figures(name)) for name, study in config.studies.items())
    # a dataset and an analysis each, the figures, the tables, and two pages
    jobs = shards + 2 * len(config.studies) + figures + 3
    whole = sum(sweep["seconds"] for sweep in sweeps) + jobs * start
    longest = max(sweep["longest_job"] for sweep in sweeps)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = {
        "points": sum(sweep["points"] for sweep in sweeps),
        "shards": shards,
        "jobs": jobs,
        "core_hours": whole / 3600,
        "cores": cores,
        # the longest start first, so that the cores are done together
        "wall_seconds": max(whole / cores, longest),
        "bytes": disk + jobs * _BYTES_A_JOB,
        "memory": {
            "simulation": max(sweep["memory"] for sweep in sweeps),
            "aggregation": _aggregation_memory(results) + aggregation,
        },
        "longest_job": longest,
        "shard_points": {"configured": config.shard_points, "proposed": _proposal(config, sweeps, jobs)},
        "sweeps": sweeps,
    }
    return found | {"warnings": _warnings(config, found, start)}


def _aggregation_memory(results: str | Path) -> float:
    """Bytes that a dataset job needs in addition to its data: the least that was recorded."""
    recorded = [
        float(pd.read_csv(file, sep="\t").iloc[-1].get("max_rss", math.nan)) * 2**20
        for file in sorted((Path(results) / "benchmarks" / "datasets").glob("*.tsv"))
    ]
    return min((memory for memory in recorded if memory > 0), default=_AGGREGATION_MEMORY)


def _bytes_a_point(sweep: Sweep) -> int:
    variables = grid.measurement_of(sweep).variables
    return sum(variable.dtype.itemsize for variable in variables.values() if not variable.drop)


def _worth_timing(sweep: Sweep, study: StudyConfig) -> bool:
    cost = grid.measurement_of(sweep).cost
    return cost is None or cost(grid.sweep_settings(study, sweep)) <= _TIMED_SECONDS


def _proposal(config: Config, sweeps: list[dict[str, Any]], jobs: int) -> int:
    """The shard size at which jobs of the longest sweep take the wanted time, to two digits."""
    dearest = max(sweeps, key=lambda sweep: sweep["seconds"])
    points = config.shard_seconds * dearest["points"] / max(dearest["seconds"], 1e-9)
    if jobs > MANY_JOBS:
        points = max(points, config.shard_points * 2 * jobs / MANY_JOBS)
    return int(float(f"{max(1.0, min(points, 1e9)):.2g}"))


def _warnings(config: Config, found: Mapping[str, Any], start: float) -> list[str]:
    warnings = []
    proposed = found["shard_points"]["proposed"]
    if found["jobs"] > MANY_JOBS:
        warnings.append(
            f"{found['jobs']} jobs would choke the scheduler; below {MANY_JOBS} is well: run fewer studies at once, "
            f"or set shard_points to {proposed} and shard_seconds to {10 * config.shard_seconds:g}"
        )
    mean = sum(sweep["seconds"] for sweep in found["sweeps"]) / found["shards"]
    if found["shards"] > 100 and mean < start:
        warnings.append(
            f"a job simulates for {mean:.2g} s but starting it takes {start:.2g} s; shard_points: {proposed} makes "
            f"fewer and longer jobs where axes can be cut otherwise"
        )
    for sweep in found["sweeps"]:
        name = f"{sweep['study']}/{sweep['sweep']}"
        if sweep["longest_job"] > 10 * config.shard_seconds:
            warnings.append(
                f"{name}: a job may take {sweep['longest_job']:.0f} s, over {config.shard_seconds:g} s by far; give "
                f"jobs more time, or set shard_points to {proposed}"
            )
        if sweep["basis"] != "measured":
            warnings.append(f"{name}: not measured yet, {sweep['basis']}; a run of a small part tells more")
    return warnings


def size(amount: float) -> str:
    """A number of bytes in readable units.

    >>> size(2_500_000)
    '2.5 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def as_text(found: Mapping[str, Any]) -> str:
    """A plan as a readable table."""
    rows = [
        (
            f"{sweep['study']}/{sweep['sweep']}",
            f"{sweep['points']:,}",
            f"{sweep['shards']:,}",
            duration(sweep["seconds"]),
            duration(sweep["longest_job"]),
            size(sweep["memory"]),
            sweep["basis"],
        )
        for sweep in found["sweeps"]
    ]
    table = pd.DataFrame(
        rows, columns=["", "points", "shards", "core time", "longest job", "memory a job", "from"]
    )
    proposed, configured = found["shard_points"]["proposed"], found["shard_points"]["configured"]
    lines = [
        table.to_string(index=False),
        "",
        f"points      {found['points']:,}",
        f"shards      {found['shards']:,}",
        f"jobs        {found['jobs']:,}",
        f"core time   {duration(3600 * found['core_hours'])} ({found['core_hours']:.3g} core-hours)",
        f"wall time   {duration(found['wall_seconds'])} on the {found['cores']} cores of this machine",
        f"memory      {size(found['memory']['simulation'])} a simulation job, "
        f"{size(found['memory']['aggregation'])} the largest aggregation",
        f"disk        {size(found['bytes'])}",
        f"shard size  {configured:,} points at the most; {proposed:,} proposed",
        *(f"warning: {text}" for text in found["warnings"]),
    ]
    return "\n".join(lines)
