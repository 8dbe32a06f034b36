"""The conda environments hold what requirements.lock holds."""

import ast
import re
import sys

import pytest
import yaml
from gradgap.fingerprint import closure, source_file
from gradgap.sweep.grid import measurement_of
from gradgap.sweep.study import STUDIES

PYTHON = "3.11"
LOCKS = ("requirements.lock", "requirements-networks.lock")


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


@pytest.mark.parametrize(
    ("environment", "module"),
    [
        ("simulate", "gradgap.sweep.compute"),
        ("datasets", "gradgap.sweep.dataset"),
        ("datasets", "gradgap.report.captions"),
        ("datasets", "gradgap.report.tables"),
        ("figures", "gradgap.report.figures"),
        ("explore", "gradgap.report.explorer"),
    ],
)
def test_environment_holds_what_the_modules_import(root, environment, module):
    """Every third-party module that a job imports, of itself or by discovery, is pinned."""
    names = {"yaml": "pyyaml", "netCDF4": "netcdf4"}
    STUDIES.discover()  # imports every study, family and simulation, as all jobs but `explore` do
    found = (
        []
        if environment == "explore"
        else [name for name in sys.modules if re.match(r"gradgap\.(studies|families|simulations)\.", name)]
    )
    imported = set()
    for path in filter(None, map(source_file, closure([module, *found]))):
        for node in ast.parse(path.read_text()).body:  # at the top: what is imported in any case
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    imported -= {"gradgap", *sys.stdlib_module_names}
    assert {names.get(name, name) for name in imported} <= set(pins(root / f"envs/{environment}.yaml"))
