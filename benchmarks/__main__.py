"""Run benchmarks, print the table and write it as CSV: ``python -m benchmarks [--quick] [GROUP ...]``."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from . import (
    c_kernels,
    elementary,
    engine,
    exact,
    memory,
    probe,
    reuse,
    sampled,
    scaling,
    search,
    startup,
    workflow,
)
from .timing import ROOT, baseline, keep, slower, table, write

GROUPS = {
    "elementary": elementary.measure,
    "exact": exact.measure,
    "engine": engine.measure,
    "sampled": sampled.measure,
    "reuse": reuse.measure,
    "search": search.measure,
    "probe": probe.measure,
    "startup": startup.measure,
    "scaling": scaling.measure,
    "memory": memory.measure,
    "workflow": workflow.measure,
    "million": lambda quick: workflow.end_to_end(1_000_000),
    "study": lambda quick: workflow.study(),
}
#: Groups that take many minutes, and are measured only where they are named.
LONG = ("million", "study")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the groups that are asked for, all but the `LONG` ones by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"any of {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="a few cases, repeated little: does it work?")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "bench.csv", help="CSV file")
    parser.add_argument("--keep", action="store_true", help="keep the ratios as the new baseline")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown group {', '.join(sorted(unknown))}; known: {', '.join(GROUPS)}")
    missing = [name for name in ("jax", "xyzpy", "joblib") if importlib.util.find_spec(name) is None]
    missing += [] if c_kernels.compiler() else ["a C compiler"]
    if missing:
        print(f"not here, so left out: {', '.join(missing)}", file=sys.stderr)
    found = []
    for group in arguments.groups or [name for name in GROUPS if name not in LONG]:
        print(f"{group} …", file=sys.stderr)
        found += GROUPS[group](arguments.quick)
        write(found, arguments.output)
    print(table(found))
    print(slower(found, baseline()))
    if arguments.keep:
        keep(found)


if __name__ == "__main__":
    main()
