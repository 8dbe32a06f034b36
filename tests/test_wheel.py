"""The package as others install it: a wheel in an empty environment, far from this repository."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from _small import only, run_stages, write_config
from gradgap.report import documentation
from gradgap.sweep.study import STUDIES

pytestmark = pytest.mark.workflow
RAW = only("stagnation")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, root):
    """The wheel, built from the source distribution of a copy of the sources, without any network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"):
        shutil.copy(root / name, source)
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(root / "workflow/scripts", source / "workflow/scripts", ignore=ignore)
    make = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
    subprocess.run([sys.executable, "-c", make], check=True, cwd=source, capture_output=True)
    (released,) = (source / "dist").glob("*.tar.gz")
    with tarfile.open(released) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml"} <= held
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*build, "--wheel-dir", str(source), str(released)], check=True)
    (found,) = source.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def gradgap(wheel, tmp_path_factory):
    """The command of the installed wheel, run in a folder outside of the repository."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "venv", with_pip=False, symlinks=True)
    python = home / "venv/bin/python"
    # without PYTHONPATH, on which pip would find what `make dist` leaves in the sources, and install nothing
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True, env=environment)
    # what the package depends on, from the environment of the tests, but not the package in place there
    (folder,) = (home / "venv/lib").glob("python*/site-packages")
    (folder / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environment["NUMBA_CACHE_DIR"] = str(home / "cache")

    def call(*arguments, cwd=home, code=0):
        found = subprocess.run(
            [str(home / "venv/bin/gradgap"), *map(str, arguments)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == code, found.stdout + found.stderr
        return found.stdout

    where = subprocess.run(
        [str(python), "-c", "import gradgap; print(gradgap.__file__)"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(folder)
    return call


def test_the_wheel_holds_what_the_package_reads(wheel, root):
    """Every file of the package that is no Python: captions, page templates and what else there is."""
    package = root / "workflow/scripts/gradgap"
    needed = {
        f"gradgap/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    }
    assert {f"gradgap/studies/{name}/caption.rst" for name in STUDIES.discover()} <= needed
    assert {f"gradgap/report/explorer.{ending}" for ending in ("html", "css", "js")} <= needed
    assert "gradgap/report/index.html" in needed
    with zipfile.ZipFile(wheel) as archive:
        assert needed <= set(archive.namelist())


def test_threshold_and_run(gradgap):
    bandit = ("counting", "--length", "64", "--success-rate", "0.2")
    found = json.loads(gradgap("threshold", *bandit, "--json"))
    rate = found["critical"]
    assert rate > 0
    ran = json.loads(gradgap("run", *bandit, "--learning-rate", rate / 10, "--iterations", "500", "--json"))
    assert ran["outcome"] == "converged"


def test_plan_and_verify(gradgap, tmp_path):
    written = write_config(RAW, tmp_path / "mine.yaml")
    results = run_stages(RAW, tmp_path / "results")
    planned = json.loads(
        gradgap("plan", "--configfile", written, "--results", results, "--json", cwd=tmp_path)
    )
    assert planned["points"] > 0
    assert gradgap("verify", results, "--configfile", written, cwd=tmp_path) == "all is well\n"
    figure = results / "figures/stagnation.svg"
    figure.write_bytes(b"")
    said = gradgap("verify", "results", "--configfile", "mine.yaml", cwd=tmp_path, code=1)
    assert said.startswith("results/figures/stagnation.svg: differs from its recorded digest\nremedy: rm -f ")


@pytest.mark.parametrize("page", documentation.PAGES)
def test_pages_are_made_without_the_repository(gradgap, page):
    assert gradgap("reference", page).startswith("# ")
