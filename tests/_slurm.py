"""A real Slurm on this machine for the length of a test: one node on loopback, in a folder of its own."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = (
    "munged",
    "munge",
    "slurmctld",
    "slurmd",
    "sbatch",
    "squeue",
    "scancel",
    "scontrol",
    "sinfo",
    "srun",
)

_CONF = """\
ClusterName=gradgap
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=600
KillWait=5
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={slots} RealMemory={memory}
PartitionName=all Nodes={host} Default=YES MaxTime=60 State=UP
"""


def missing_programs() -> list[str]:
    """Programs of Slurm and munge that this machine has not got."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def _wait(what: str, ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"no Slurm: {what} did not come within {seconds:g} s")
        time.sleep(0.2)


def _ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@contextlib.contextmanager
def cluster(folder: Path, slots: int = 8) -> Iterator[dict[str, str]]:
    """Start munged, slurmctld and slurmd; stop them by their pids at the end.

    Yields
    ------
    dict
        Environment in which the commands of Slurm talk to this cluster.
    """
    folder.mkdir(mode=0o755)
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    conf, host = folder / "slurm.conf", socket.gethostname().partition(".")[0]
    conf.write_text(
        _CONF.format(
            host=host,
            user=getpass.getuser(),
            folder=folder,
            ports=_ports(2),
            slots=slots,
            memory=slots * 2000,
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    environment["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin"
    # jobs run with SLURM_* dropped from their environment, so srun must be told again which cluster it is of
    real = shutil.which("srun", path=environment["PATH"])
    wrapper = folder / "bin" / "srun"
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {real} "$@"\n')
    wrapper.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)

    def answers(*command: str, word: str = "") -> bool:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0 and word in done.stdout

    files = {name: f"{folder}/munge.{name}" for name in ("socket", "pid", "log", "seed")}
    commands = {
        "munged": [
            "munged",
            "--foreground",
            "--force",
            f"--socket={files['socket']}",
            f"--key-file={key}",
            f"--pid-file={files['pid']}",
            f"--log-file={files['log']}",
            f"--seed-file={files['seed']}",
        ],
        "slurmctld": ["slurmctld", "-D", "-c", "-f", str(conf)],
        "slurmd": ["slurmd", "-D", "-f", str(conf), "-N", host],
    }
    ready = {
        "munged": lambda: answers("munge", "-n", f"--socket={files['socket']}"),
        "slurmctld": lambda: answers("scontrol", "ping", word="UP"),
        "slurmd": lambda: answers("sinfo", "-h", "-o", "%T", word="idle"),
    }
    daemons: list[subprocess.Popen] = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.out").open("w") as out:
                daemons.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
            _wait(name, ready[name])
        yield environment
    finally:
        jobs = subprocess.run(
            ["squeue", "-h", "-o", "%A"], env=environment, capture_output=True, text=True, check=False
        )
        if jobs.stdout.split():
            subprocess.run(["scancel", *jobs.stdout.split()], env=environment, check=False)
            time.sleep(2)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
