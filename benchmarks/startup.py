"""What a process costs before it computes: imports, and compiling from nothing or from the cache."""

import os
import sys
import tempfile

from .timing import Row, child, rows

GRADGAP = (sys.executable, "-m", "gradgap")
THRESHOLD = (
    *GRADGAP,
    *["threshold", "counting", "--length", "1024", "--success-rate", "0.2", "--advantage", "grpo"],
    *["--aggregation", "seq-mean-token-sum"],
)


def measure(quick: bool) -> list[Row]:
    """The command line, warm; and a threshold with an empty cache of compiled code."""
    repeats = 2 if quick else 9
    bare = (sys.executable, "-c", "pass")
    numpy = (sys.executable, "-c", "import numpy")
    found = rows(
        "startup",
        "gradgap --help",
        {
            "ours": lambda: child([*GRADGAP, "--help"]),
            "python -c pass": lambda: child(bare),
            "import numpy": lambda: child(numpy),
        },
        repeats=repeats,
    )

    def cold() -> None:
        with tempfile.TemporaryDirectory() as folder:
            child(THRESHOLD, env={**os.environ, "NUMBA_CACHE_DIR": folder})

    found += rows(
        "startup",
        "gradgap threshold counting, T = 1024",
        {"ours": lambda: child(THRESHOLD), "the same, nothing compiled yet": cold},
        repeats=2 if quick else 5,
    )
    return found
