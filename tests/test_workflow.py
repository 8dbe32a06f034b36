"""The workflow itself, on a tiny configuration in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
import yaml

pytestmark = pytest.mark.workflow

TINY = {
    "seed": 1,
    "figures": {"dpi": 60},
    "studies": {
        "length_scaling": {
            "family": ["counting"],
            "length": [16, 64, 128, 256],
            "advantage": ["grpo", "reinforce"],
            "aggregation": ["seq-mean-token-sum", "token-mean"],
            "success_rate": {"counting": 0.2},
            "iterations": 200,
            "scan_per_decade": 4,
            "rule": ["GRPO"],
            "group_size": [8],
            "sampled_iterations": 20,
            "replicates": 2,
        },
        "stagnation": {
            "length": [64],
            "success_rate": [0.2],
            "step_size": {"from": 0.05, "to": 5, "per_decade": 2},
            "iteration": [10],
            "iterations": 200,
        },
    },
}


@pytest.fixture
def project(tmp_path, root):
    """A copy of the project that a test may edit."""
    for name in ("Snakefile", "workflow", "profiles", "envs"):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(TINY))
    return tmp_path


def snakemake(project, *arguments, cores=2):
    """Run the workflow of the copy; say what it said."""
    environment = os.environ | {"PYTHONPATH": ""}  # the copy finds its own package
    found = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = found.stdout + found.stderr
    assert found.returncode == 0, said[-3000:]
    return said


def would_run(project):
    """How many jobs of each rule a dry run names."""
    said = snakemake(project, "--dry-run")
    table = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\ntotal", said, re.DOTALL)
    if table is None:
        assert "Nothing to be done" in said
        return {}
    return {line.split()[0]: int(line.split()[1]) for line in table[1].splitlines()}


def append(path, text="\n# edited\n"):
    path.write_text(path.read_text() + text)


def test_from_config_to_figures_and_what_an_edit_reruns(project):
    said = snakemake(project)
    assert "Nothing to be done" in snakemake(project)
    results = project / "results"
    for study in TINY["studies"]:
        for ending in ("pdf", "svg", "png"):
            assert (results / "figures" / f"{study}.{ending}").stat().st_size > 5000, said
        with xr.open_dataset(results / "datasets" / f"{study}.nc") as dataset:
            assert dataset.attrs["study"] == study
        panels = pd.read_csv(results / "analysis" / f"{study}.csv")
        assert "panel" in panels.columns
        assert "{{" not in (results / "analysis" / f"{study}.rst").read_text()
    table = pd.read_csv(results / "tables" / "scaling.csv")
    assert set(table.study) == {"length_scaling"}  # stagnation has no exponent
    assert set(table.verdict) <= {"confirmed", "refuted"}
    rst = (results / "analysis" / "length_scaling.rst").read_text()
    assert f"{(table.verdict == 'confirmed').sum()} of {len(table)} exponents are confirmed" in rst

    # a file that was touched but not changed reruns nothing
    package = project / "workflow" / "scripts" / "gradgap"
    os.utime(package / "numerics" / "binomial.py")
    assert would_run(project) == {}

    # a figure's module reruns that figure only
    append(package / "studies" / "stagnation" / "figure.py")
    assert would_run(project) == {"figures": 1, "all": 1}
    snakemake(project)

    # a new length runs the shards that now hold it, and what follows from them
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["studies"]["length_scaling"]["length"].append(512)
    (project / "config.yaml").write_text(yaml.safe_dump(config))
    jobs = would_run(project)
    # the one shard of thresholds, that of sampled thresholds, and that of instances
    after = {"datasets": 1, "analysis": 1, "figures": 1, "tables": 1, "explore": 1, "all": 1}
    assert jobs == {"shards": 3, **after}
    config["studies"]["length_scaling"]["length"].remove(512)
    (project / "config.yaml").write_text(yaml.safe_dump(config))

    # a kernel reruns the shards that use it
    append(package / "thresholds" / "exact.py")
    assert (
        would_run(project)["shards"] == 1 + 1 + 2
    )  # thresholds, exact and sampled, and the instances of both studies
    append(package / "numerics" / "binomial.py")
    shards = len(list((results / "shards").rglob("*.npz")))
    assert would_run(project)["shards"] == shards


def test_cores_and_shards_leave_no_trace_in_the_datasets(project):
    found = {}
    for cores, points in ((1, 1), (2, 1000)):
        (project / "config.yaml").write_text(yaml.safe_dump(TINY | {"shard_points": points}))
        shutil.rmtree(project / "results", ignore_errors=True)
        targets = [f"results/datasets/{study}.nc" for study in TINY["studies"]]
        snakemake(project, *targets, cores=cores)
        found[points] = {target: (project / target).read_bytes() for target in targets}
        count = len(list((project / "results" / "shards").rglob("*.npz")))
        assert (count > 30) == (points == 1)
        datasets = {target: xr.load_dataset(project / target) for target in targets}
        found[points, "opened"] = datasets
    for target, one in found[1, "opened"].items():
        other = found[1000, "opened"][target]
        assert one.identical(other)
        for name in one.data_vars:
            assert one[name].values.tobytes() == other[name].values.tobytes()
    assert found[1] == found[1000]  # the files themselves
