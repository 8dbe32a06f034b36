"""Which parts of the package import which: the contracts of pyproject.toml, and what a job has in memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from _small import only, run_missing
from gradgap.report import figure_data
from gradgap.sweep import config
from gradgap.sweep.dataset import Contents

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"


def test_rooms_import_each_other_in_the_directions_of_the_contracts(root):
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
        "--no-cache",
    ]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 broken" in found.stdout


def loaded_after(code: str, folder: Path) -> set[str]:
    """Modules that a process has in memory once it has run some code beside the scripts of the rules."""
    tell = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    environment.pop("GRADGAP_PLUGINS", None)
    found = subprocess.run(
        [sys.executable, "-c", code + tell], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return set(json.loads(found.stdout.splitlines()[-1]))


def test_a_dataset_job_imports_no_compiler_no_study_and_no_measurement(tmp_path):
    raw = only("phase_diagram")
    files = [str(path) for path in run_missing(raw, tmp_path)]
    contents = vars(Contents.of(config.parse(raw).studies["phase_diagram"]))
    (tmp_path / "job.json").write_text(json.dumps([files, "made.nc", "made.json", contents]))
    code = "import datasets, json; datasets.main(*json.load(open('job.json')))"
    loaded = loaded_after(code, tmp_path)
    assert (tmp_path / "made.nc").stat().st_size > 10_000
    assert "gradgap.sweep.dataset" in loaded
    assert not loaded & {"numba", "llvmlite", "matplotlib", "gradgap.studies", "gradgap.measurements"}


@pytest.mark.parametrize("study", ["phase_diagram", "bound_audit"])
def test_a_figure_job_imports_no_compiler(smoke, tmp_path, study):
    analysis = smoke(study) / "analysis"
    assert figure_data.read(analysis / f"{study}.csv")
    job = [
        str(analysis / f"{study}.csv"),
        str(analysis / f"{study}.scaling.csv"),
        {"png": "made.png"},
        "made.json",
        f"gradgap.studies.{study}.figure",
        {"column_width": 89, "page_width": 183, "font_size": 7, "dpi": 50},
    ]
    (tmp_path / "job.json").write_text(json.dumps(job))
    loaded = loaded_after("import figures, json; figures.main(*json.load(open('job.json')))", tmp_path)
    assert (tmp_path / "made.png").stat().st_size > 5_000
    assert "matplotlib" in loaded
    assert not loaded & {"numba", "llvmlite", "gradgap.training", "gradgap.measurements"}


def test_declarations_of_studies_cost_nothing_to_import(tmp_path):
    loaded = loaded_after("from gradgap.sweep.study import STUDIES; assert STUDIES.discover()", tmp_path)
    assert "gradgap.studies.contextual" in loaded
    assert not loaded & {"numpy", "numba", "scipy", "pandas", "xarray", "matplotlib", "gradgap.measurements"}
