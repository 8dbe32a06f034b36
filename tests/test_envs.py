"""The conda environments hold what requirements.lock holds."""

import contextlib
import os
import re
import subprocess
import sys
from importlib import metadata

import pytest
import yaml
from gradgap.sweep.grid import measurement_of
from gradgap.sweep.study import STUDIES

PYTHON = "3.11"
LOCKS = (
    "requirements.lock",
    "requirements-networks.lock",
    "requirements-trainer.lock",
    "requirements-torch.txt",
)


def locked(root) -> dict[str, str]:
    """Version of every package in the lock files, as it applies to the Python of the environments."""
    found = {}
    lines = [line for name in LOCKS for line in (root / name).read_text().splitlines()]
    for line in lines:
        match = re.match(r"([a-z0-9.-]+)==(\S+)(?: ; (.*?))?\s*\\?$", line)
        if match:
            name, version, marker = match.groups()
            if "python_full_version >=" not in (marker or ""):  # the branch for a newer Python
                assert found.get(name, version) == version  # the extra's lock names the same numpy and scipy
                found[name] = version
    return found


def environments(root):
    return sorted((root / "envs").glob("*.yaml"))


def pins(path) -> dict[str, str]:
    (pip,) = (
        part["pip"] for part in yaml.safe_load(path.read_text())["dependencies"] if isinstance(part, dict)
    )
    return dict(pin.split("==") for pin in pip)


def test_there_is_an_environment_for_every_rule(root):
    named = set()
    for rules in (root / "workflow/rules").glob("*.smk"):
        named |= set(re.findall(r'"\.\./\.\./envs/(\w+)\.yaml"', rules.read_text()))

    STUDIES.discover()
    sweeps = [sweep for study in STUDIES.values() for sweep in study.sweeps.values()]
    named |= {measurement_of(sweep).environment for sweep in sweeps}
    assert named == {path.stem for path in environments(root)}


def test_versions_equal_the_lock_file(root):
    versions = locked(root)
    for path in environments(root):
        for name, version in pins(path).items():
            assert versions[name] == version, f"{path.name}: {name}"
        assert f"python={PYTHON}" in yaml.safe_load(path.read_text())["dependencies"]


def needed(environment: str, root) -> set[str]:
    """The pinned packages of an environment and all that they require, as far as they are installed here."""
    found: set[str] = set()
    stack = list(pins(root / f"envs/{environment}.yaml"))
    while stack:
        name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", stack.pop())[0]).lower()
        if name not in found:
            found.add(name)
            with contextlib.suppress(metadata.PackageNotFoundError):
                stack.extend(text for text in metadata.requires(name) or () if "extra ==" not in text)
    return found


#: Of each script: its environment, and what it imports beside itself when it runs.
JOBS = {
    "shards": ("simulate", "from gradgap.sweep.measurement import MEASUREMENTS; MEASUREMENTS.discover()"),
    "datasets": ("datasets", ""),
    "analysis": ("analysis", "for study in STUDIES.discover().values(): plugins.module(study.analysis)"),
    "figures": ("figures", "for study in STUDIES.discover().values(): plugins.module(study.draw)"),
    "tables": ("analysis", ""),
    "explore": ("explore", ""),
}


@pytest.mark.parametrize("script", JOBS)
def test_an_environment_holds_what_its_jobs_import(root, script):
    """Every third-party module in memory once a job of the package's studies has imported all that it runs."""
    environment, more = JOBS[script]
    code = f"import sys; before = set(sys.modules); import {script}\n"
    if more:
        code += f"from gradgap import plugins; from gradgap.sweep.study import STUDIES\n{more}\n"
    code += "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    paths = os.environ | {"PYTHONPATH": str(root / "workflow/scripts")}
    done = subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=True)
    packages = metadata.packages_distributions()
    imported = {
        re.sub(r"[-_.]+", "-", package).lower()
        for name in done.stdout.split()
        if name not in sys.stdlib_module_names and name in packages and name != script
        for package in packages[name]
    }
    assert "numpy" in imported
    # numpy.f2py takes the second where it is there, and pandas the third, which comes with the extras
    imported -= {"gradgap", "charset-normalizer", "pyarrow"}
    assert imported <= needed(environment, root)


@pytest.mark.parametrize("environment", ["datasets", "figures", "explore"])
def test_where_nothing_is_compiled_there_is_no_compiler(root, environment):
    assert "numba" not in needed(environment, root)
