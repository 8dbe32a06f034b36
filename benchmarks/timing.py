"""Interleaved runs, and the table of ratios that comes of them."""

import csv
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
#: Ratios of an earlier measurement, committed, with which a new one is compared.
BASELINE = Path(__file__).parent / "baseline.csv"
#: A ratio that is below this share of the earlier one is worth a look; less is the noise of a machine.
_SLOWER = 0.8


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    group, case : str
    ours : float
        Median of ours, in `unit`.
    unit : str
    reference : str
        What it is compared with.
    ratio : float
        Median of the reference over the median of ours: above 1, ours is faster.
    low, high : float
        Quartiles of the ratios of the single pairs.
    repeats : int
    """

    group: str
    case: str
    ours: float
    unit: str
    reference: str
    ratio: float
    low: float
    high: float
    repeats: int


#: Clocks. A loop in this process is timed by the time it has the processor, which other processes leave as it is
#: (all threads together); what starts processes by the wall clock.
wall, processor = time.perf_counter, time.process_time


def interleaved(
    timed: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = wall,
    *,
    warm: bool = True,
) -> dict[str, np.ndarray]:
    """Seconds that each takes, run in turns so that what disturbs one disturbs all.

    A first turn, in which code is compiled and loaded, does not count; it is left out if `warm` is false.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for turn in range(repeats + warm):
        for name, run in timed.items():
            started = clock()
            run()
            if turn >= warm:
                seconds[name].append(clock() - started)
    return {name: np.array(values) for name, values in seconds.items()}


def rows(
    group: str,
    case: str,
    timed: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    per: float = 1.0,
    unit: str = "s",
    works: Mapping[str, float] | None = None,
    clock: Callable[[], float] = wall,
) -> list[Row]:
    """Time all in turns, and compare ``timed["ours"]`` with every other; see `interleaved` and `compare`."""
    return compare(group, case, interleaved(timed, repeats, clock), per=per, unit=unit, works=works)


def compare(
    group: str,
    case: str,
    seconds: Mapping[str, np.ndarray],
    *,
    per: float = 1.0,
    unit: str = "s",
    works: Mapping[str, float] | None = None,
) -> list[Row]:
    """Compare ``seconds["ours"]`` with every other.

    Parameters
    ----------
    per : float
        What one second of ours is divided by to give a number in `unit`.
    works : mapping of str to float, optional
        Share of the work of ours that a reference does, where it is not 1.
    """
    ours = seconds["ours"]
    found = []
    for name, theirs in seconds.items():
        if name == "ours":
            continue
        scaled = theirs / (works or {}).get(name, 1.0)
        low, high = np.quantile(scaled / ours, [0.25, 0.75])
        ratio = float(np.median(scaled) / np.median(ours))
        found.append(
            Row(
                group,
                case,
                float(np.median(ours)) / per,
                unit,
                name,
                ratio,
                float(low),
                float(high),
                len(ours),
            )
        )
    return found


def child(arguments: Sequence[object], **options) -> float:
    """Wall seconds of a process of its own.

    Raises
    ------
    SystemExit
        If it fails.
    """
    started = time.perf_counter()
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, **options)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(done.args)} failed:\n{done.stderr}")
    return seconds


def peak(code: str) -> tuple[float, float]:
    """Peak memory in MB, and seconds of processor time, of a process that runs this code (Linux)."""
    code += "\nimport time; print(open('/proc/self/status').read(), 'processor', time.process_time())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    # not ru_maxrss, which a child inherits
    memory, seconds = re.search(r"VmHWM:\s+(\d+) kB", said), re.search(r"processor ([\d.]+)", said)
    assert memory
    assert seconds
    return int(memory[1]) / 1024, float(seconds[1])


def same(name: str, value: float, expected: float, tolerance: float) -> None:
    """Stop where a reference computes something else than ours.

    Raises
    ------
    SystemExit
        If they differ by more than the tolerance, relative.
    """
    if not abs(value - expected) <= tolerance * abs(expected):
        sys.exit(f"{name}: computes {value!r}, ours {expected!r}; a comparison of their times means nothing")


def agree(name: str, ends: np.ndarray) -> None:
    """Stop unless the means of two columns agree to four standard errors."""
    error = np.sqrt((ends.var(axis=0, ddof=1) / len(ends)).sum())
    mean, expected = ends[:, 1].mean(), ends[:, 0].mean()
    same(name, mean, expected, 4 * error / abs(expected) + 1e-9)


def table(found: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [
        f"{'group':10} {'case':44} {'ours':>10} {'unit':14} {'reference':34} {'ratio':>8}  quartiles     n"
    ]
    for row in found:
        lines.append(
            f"{row.group:10} {row.case:44} {row.ours:10.4g} {row.unit:14} {row.reference:34} {row.ratio:8.2f}"
            f"  {row.low:.2f}-{row.high:.2f}  {row.repeats:4d}"
        )
    return "\n".join(lines)


def write(found: Sequence[Row], path: Path) -> None:
    """The rows as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(astuple(row) for row in found)


def baseline(path: Path = BASELINE) -> dict[tuple[str, str, str], float]:
    """The ratio of every row of an earlier measurement, by group, case and reference."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            (row["group"], row["case"], row["reference"]): float(row["ratio"]) for row in csv.DictReader(file)
        }


def keep(found: Sequence[Row], path: Path = BASELINE) -> None:
    """Put the ratios of these rows into the baseline; rows that were not measured stay."""
    ratios = baseline(path) | {(row.group, row.case, row.reference): row.ratio for row in found}
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["group", "case", "reference", "ratio"])
        writer.writerows([*key, f"{ratio:.3g}"] for key, ratio in sorted(ratios.items()))


def slower(found: Sequence[Row], earlier: Mapping[tuple[str, str, str], float]) -> str:
    """What became slower against the same reference, as text; ratios, which hardly depend on the machine."""
    lines = []
    for row in found:
        before = earlier.get((row.group, row.case, row.reference))
        if before is not None and row.ratio < _SLOWER * before:
            lines.append(f"{row.group}: {row.case}, against {row.reference}: {before:.3g} -> {row.ratio:.3g}")
    if not earlier:
        return "there is no baseline to compare with"
    return "\n".join(["slower than benchmarks/baseline.csv:", *lines] if lines else ["nothing became slower"])
