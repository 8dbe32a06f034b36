"""Snakemake on a small configuration in a folder of its own; shared by tests."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def snakemake(folder: Path, *arguments: str, **environment: str) -> list[str]:
    """A command that runs the workflow in a folder; for `start` and `run`."""
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(folder),
        "--cores",
        "2",
        *arguments,
    ]


def environ(**more: str) -> dict[str, str]:
    """The environment, with the package to be found."""
    path = os.pathsep.join(filter(None, [str(ROOT / "workflow" / "scripts"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **more}


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 600):
    """Run the workflow to its end; what it said is one text."""
    return subprocess.run(
        snakemake(folder, *arguments),
        cwd=folder,
        env=env or environ(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )


def start(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    """Start the workflow in a process group of its own; what it says goes to the file ``said``."""
    with (folder / "said").open("a") as said:
        return subprocess.Popen(
            snakemake(folder, *arguments),
            cwd=folder,
            env=env or environ(),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def datasets(folder: Path) -> dict[str, bytes]:
    """Every dataset of a run, byte for byte."""
    return {path.name: path.read_bytes() for path in sorted((folder / "results" / "datasets").glob("*.nc"))}
