"""The workflow on a real Slurm, through profiles/slurm: jobs lost are done again, and the numbers are the same.

`make test-slurm` runs this; it needs slurm-wlm and munge, and installs nothing.
"""

import signal
import subprocess
import time

import pytest
from _slurm import cluster, missing_programs
from _workflow import ROOT, datasets, environ, run, start

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"no Slurm here: {', '.join(missing_programs())} not found (slurm-wlm, munge)",
    ),
]
SMOKE = str(ROOT / "tests" / "smoke.yaml")
TARGETS = ("results/datasets/phase_diagram.nc", "results/datasets/stagnation.nc")
#: What this one machine needs otherwise than a cluster: no accounting, and less patience.
HERE = (
    *("--profile", str(ROOT / "profiles" / "slurm")),
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "4"),
    *("--seconds-between-status-checks", "2"),
    *("--default-resources", "mem_mb=400*attempt", "runtime=attempt"),
    *("--set-resources", "datasets:mem_mb=500*attempt", "analysis:mem_mb=500*attempt"),
)


def queue(environment: dict[str, str], form: str, *states: str) -> list[str]:
    command = ["squeue", "-h", "-r", "-o", form, *(["-t", ",".join(states)] if states else [])]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def wait_for(condition, workflow: subprocess.Popen, seconds: float, what: str):
    end = time.monotonic() + seconds
    while time.monotonic() < end and workflow.poll() is None:
        if found := condition():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {seconds:g} s")


def test_jobs_cancelled_and_over_their_limit_are_done_again(tmp_path):
    """One running job is cancelled, one is stopped until its limit of a minute kills it; nothing is lost."""
    local, remote = tmp_path / "local", tmp_path / "remote"
    local.mkdir()
    remote.mkdir()
    with cluster(tmp_path / "slurm", slots=3) as slurm:
        environment = environ(**{key: slurm[key] for key in ("PATH", "SLURM_CONF")})
        workflow = start(remote, *TARGETS, "--configfile", SMOKE, *HERE, env=environment)
        try:
            running = wait_for(
                lambda: jobs if len(jobs := queue(environment, "%A", "RUNNING")) > 1 else None,
                workflow,
                90,
                "two running jobs",
            )
            hung = running[0]
            # all processes of a job stop, as on a node that hangs; the limit then ends it
            pids = wait_for(lambda: job_pids(environment, hung), workflow, 20, "the processes of a job")
            for pid in pids:
                subprocess.run(["kill", "-STOP", pid], check=False)
            subprocess.run(["scancel", running[1]], env=environment, check=True)
            assert workflow.wait(400) == 0, (remote / "said").read_text()[-3000:]
        finally:
            if workflow.poll() is None:
                workflow.send_signal(signal.SIGINT)
                workflow.wait(30)
        ended = dict(zip(queue(environment, "%A"), queue(environment, "%T"), strict=True))
        states = subprocess.run(
            ["squeue", "-h", "-r", "-t", "all", "-o", "%F_%K %A %T"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    (tmp_path / "states").write_text(states)
    assert not ended
    assert states.count("CANCELLED") == 1
    assert states.count("TIMEOUT") == 1
    assert run(local, *TARGETS, "--configfile", SMOKE).returncode == 0
    assert datasets(remote) == datasets(local)
    assert len(datasets(local)) == 2


def test_job_arrays_give_the_same(tmp_path):
    """The choice that the profile names but does not make: simulations as tasks of arrays."""
    local, remote = tmp_path / "local", tmp_path / "remote"
    local.mkdir()
    remote.mkdir()
    with cluster(tmp_path / "slurm", slots=3) as slurm:
        environment = environ(**{key: slurm[key] for key in ("PATH", "SLURM_CONF")})
        arrays = ("--slurm-array-jobs", "shards", "--slurm-array-limit", "40")
        done = run(remote, *TARGETS, "--configfile", SMOKE, *HERE, *arrays, env=environment)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Submitted array job" in done.stdout
    assert run(local, *TARGETS, "--configfile", SMOKE).returncode == 0
    assert datasets(remote) == datasets(local)


def job_pids(environment: dict[str, str], job: str) -> list[str]:
    """Processes of a job, its Python among them."""
    lines = subprocess.run(
        ["scontrol", "listpids", job], env=environment, capture_output=True, text=True, check=False
    ).stdout.splitlines()[1:]
    # of all jobs of the node, whatever was asked for: PID JOBID STEPID LOCALID GLOBALID
    pids = [line.split()[0] for line in lines if line.split()[1] == job and line.split()[0].isdigit()]
    return pids if len(pids) > 1 else []
