"""Whatever happens to a run: nothing finished is lost, nothing damaged is used, and running again gives the same.

`make test-faults` runs this. Every case ends in datasets that are equal, byte for byte, to those of a run that was
left alone; docs/hpc.md has the table of what was done and what was seen.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from _small import write_config
from _workflow import datasets, run, start

pytestmark = [pytest.mark.faults, pytest.mark.workflow]

#: Two studies with six shards, of which each takes a second or two with its start, so that there is a middle.
RAW = {
    "seed": 7,
    "shard_seconds": 1.5,
    "studies": {
        "phase_diagram": {
            "length": [16, 64, 256, 1024],
            "failure_rate": [0.2, 0.1, 0.05],
            "rule": ["REINFORCE", "GRPO"],
            "learning_rate": {"from": 0.001, "to": 1000, "per_decade": 80},
            "iterations": 1000,
        },
        "stagnation": {
            "length": [64],
            "success_rate": [0.2],
            "learning_rate": [0.01, 0.1, 1],
            "iterations": 200,
        },
    },
}
TARGETS = ("results/datasets/phase_diagram.nc", "results/datasets/stagnation.nc")


def arguments(folder: Path) -> tuple[str, ...]:
    return (*TARGETS, "--configfile", str(folder / "config.yaml"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Datasets of a run that was left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_config(RAW, folder / "config.yaml")
    done = run(folder, *arguments(folder))
    assert done.returncode == 0, done.stdout[-3000:]
    return folder


@pytest.fixture
def folder(tmp_path):
    write_config(RAW, tmp_path / "config.yaml")
    return tmp_path


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A copy of a finished run, with Snakemake's own records."""
    return shutil.copytree(undisturbed, tmp_path / "run")


def shard_files(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.glob("results/shards/*/[!.]*.npz")
    }


def finished_shards(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Shards that Snakemake has said it finished; one that it has not is done again, whatever its file."""
    output, jobs, done = "", {}, set()
    for line in (folder / "said").read_text().splitlines():
        word, _, what = line.strip().partition(": ")
        if word == "output":
            output = what
        elif word == "jobid":
            jobs[what] = output
        elif word == "Finished jobid":
            done.add(jobs.get(what.partition(" ")[0]))
    return {path: what for path, what in shard_files(folder).items() if str(path.relative_to(folder)) in done}


def in_the_middle(folder: Path, workflow: subprocess.Popen) -> None:
    """Wait until some shards are done and others are not."""
    end = time.monotonic() + 120
    while len(finished_shards(folder)) < 2:
        assert workflow.poll() is None, (folder / "said").read_text()[-3000:]
        assert time.monotonic() < end
        time.sleep(0.02)


def ends_as_undisturbed(folder: Path, undisturbed: Path, kept: dict, *more: str) -> str:
    """Run again; the datasets are those of the undisturbed run and no shard of `kept` was done again."""
    again = run(folder, *arguments(folder), *more)
    assert again.returncode == 0, again.stdout[-3000:]
    assert datasets(folder) == datasets(undisturbed)
    now = shard_files(folder)
    assert {path: now[path] for path in kept} == kept
    assert not list(folder.rglob("*.tmp*"))
    return again.stdout


def simulations(folder: Path) -> list[int]:
    """Processes that simulate for the run in a folder."""
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 1) for line in listed.splitlines()[1:]]
    script = f"{folder}/.snakemake/scripts/"
    return [int(pid) for pid, what in lines if script in what and ".shards.py" in what and "bash" not in what]


def unlocked(folder: Path) -> None:
    """What the message after a kill says to do."""
    locked = run(folder, *arguments(folder))
    assert locked.returncode != 0
    assert "--unlock" in locked.stdout
    assert run(folder, *arguments(folder), "--unlock").returncode == 0


def test_the_whole_workflow_is_killed(folder, undisturbed):
    """kill -9 of Snakemake and its jobs: the lock stays and says so; unlock and run again."""
    workflow = start(folder, *arguments(folder))
    in_the_middle(folder, workflow)
    os.killpg(workflow.pid, signal.SIGKILL)
    workflow.wait(60)
    kept = finished_shards(folder)
    unlocked(folder)
    ends_as_undisturbed(folder, undisturbed, kept)


def test_a_job_is_killed(folder, undisturbed):
    """kill -9 of one simulation: the others go on, the run fails and names it; run again."""
    workflow = start(folder, *arguments(folder))
    in_the_middle(folder, workflow)
    end = time.monotonic() + 60
    while not (jobs := simulations(folder)) and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(jobs[0], signal.SIGKILL)
    assert workflow.wait(200) != 0
    assert "Error in rule shards" in (folder / "said").read_text()
    ends_as_undisturbed(folder, undisturbed, finished_shards(folder))


def test_interrupted(folder, undisturbed):
    """SIGINT to the workflow alone: it waits for running jobs, ends, leaves no lock; run again."""
    workflow = start(folder, *arguments(folder))
    in_the_middle(folder, workflow)
    started = time.monotonic()
    workflow.send_signal(signal.SIGINT)
    assert workflow.wait(60) != 0
    assert time.monotonic() - started < 30
    ends_as_undisturbed(folder, undisturbed, finished_shards(folder))


@pytest.mark.parametrize("how", ["in the foreground", "in the background"])
def test_interrupted_by_the_keyboard(folder, undisturbed, how):
    """SIGINT to the workflow and all its jobs, as Ctrl-C gives it, also where a shell has made the run deaf to it."""
    if how == "in the background":
        deaf = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by what is started
    try:
        workflow = start(folder, *arguments(folder))
    finally:
        if how == "in the background":
            signal.signal(signal.SIGINT, deaf)
    in_the_middle(folder, workflow)
    started = time.monotonic()
    os.killpg(workflow.pid, signal.SIGINT)
    assert workflow.wait(60) != 0
    assert time.monotonic() - started < 15
    # not one line of this package; Snakemake's own preamble of a job only just begun may show its trace
    assert not re.search(r'File ".*/gradgap/.*line', (folder / "said").read_text())
    ends_as_undisturbed(folder, undisturbed, finished_shards(folder))


def test_a_full_disk(folder, undisturbed):
    """Results on a file system of 200 kB: the job that meets its end fails and says why; with space, run again."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    results = folder / "results"
    results.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", results], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = run(folder, *arguments(folder))
        assert done.returncode != 0
        assert "No space left on device" in done.stdout
        subprocess.run(["mount", "-o", "remount,size=100m", results], check=True)
        ends_as_undisturbed(folder, undisturbed, {})
    finally:
        subprocess.run(["umount", results], check=True)


def test_damaged_shards(finished, undisturbed):
    """The next aggregation refuses each by name and prints the remedy; after the remedy, run again."""
    kept = shard_files(finished)
    truncated, empty, flipped, replaced, other = sorted(
        path for path in kept if "/phase_diagram/" in str(path)
    )[:5]
    truncated.write_bytes(truncated.read_bytes()[:-99])
    empty.write_bytes(b"")
    content = bytearray(flipped.read_bytes())
    content[len(content) // 3] ^= 0xFF
    flipped.write_bytes(content)
    shutil.copy(other, replaced)  # of other points under its name
    bad = {truncated, empty, flipped, replaced}
    done = run(finished, *arguments(finished))
    assert done.returncode != 0
    (remedy,) = {line.partition("Remedy: ")[2] for line in done.stdout.splitlines() if "Remedy: " in line}
    subprocess.run(remedy.partition("&&")[0], shell=True, cwd=finished, check=True)
    assert set(shard_files(finished)) == set(kept) - bad
    ends_as_undisturbed(finished, undisturbed, {path: what for path, what in kept.items() if path not in bad})


def test_two_runs_at_once(folder, undisturbed):
    """The second is turned away at once; the first ends as if alone."""
    workflow = start(folder, *arguments(folder))
    in_the_middle(folder, workflow)
    second = run(folder, *arguments(folder))
    assert second.returncode != 0
    assert "lock" in second.stdout.lower()
    assert workflow.wait(200) == 0
    assert datasets(folder) == datasets(undisturbed)


def test_a_read_only_results_folder(folder, undisturbed):
    """The run fails and says which path; once it may be written, run again."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system read-only")
    results = folder / "results"
    results.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", results], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = run(folder, *arguments(folder))
        assert done.returncode != 0
        assert "Read-only file system: 'results/" in done.stdout.replace(f"{folder}/", "")
        subprocess.run(["mount", "-o", "remount,rw", results], check=True)
        ends_as_undisturbed(folder, undisturbed, {})
    finally:
        subprocess.run(["umount", results], check=True)


def test_records_of_the_workflow_are_lost(finished, undisturbed):
    """Without Snakemake's own records the shards are still whole and still used."""
    kept = shard_files(finished)
    shutil.rmtree(finished / ".snakemake")
    ends_as_undisturbed(finished, undisturbed, kept)
