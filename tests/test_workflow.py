"""The workflow itself, on a tiny configuration in a copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
import yaml
from gradgap.inference import equivalence

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
            "learning_rate": {"from": 0.05, "to": 5, "per_decade": 2},
            "iteration": [10],
            "iterations": 200,
        },
    },
}

#: Its studies, for tests in which fewer points show as much.
FEWER = {
    **TINY["studies"],
    "length_scaling": TINY["studies"]["length_scaling"] | {"length": [16, 64], "advantage": ["grpo"]},
}


@pytest.fixture
def project(tmp_path_factory, root):
    """A copy of the project that a test may edit, in one place for all tests: numba keeps compiled code by path."""
    tmp_path = tmp_path_factory.getbasetemp() / "project"
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
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
    environment = os.environ | {"PYTHONPATH": str(project / "workflow/scripts")}  # the package of the copy
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
    assert set(table.verdict) <= {verdict.value for verdict in equivalence.Verdict}
    rst = (results / "analysis" / "length_scaling.rst").read_text()
    assert f"Of {len(table)} exponents from {table.search.nunique()} independent searches" in rst

    # a file that was touched but not changed reruns nothing
    package = project / "workflow" / "scripts" / "gradgap"
    for touched in (
        package / "numerics" / "binomial.py",
        package / "report" / "explorer.html",
        project / "workflow" / "scripts" / "shards.py",
        project / "Snakefile",
    ):
        os.utime(touched)
    assert would_run(project) == {}

    # a script reruns its stage
    append(project / "workflow" / "scripts" / "explore.py")
    assert would_run(project) == {"explore": 1, "all": 1}
    snakemake(project)

    # a figure's module reruns that figure only, and the page that shows it
    append(package / "studies" / "stagnation" / "figure.py")
    assert would_run(project) == {"figures": 1, "index": 1, "all": 1}
    snakemake(project)

    # a new length runs the shards that now hold it, and what follows from them
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["studies"]["length_scaling"]["length"].append(512)
    (project / "config.yaml").write_text(yaml.safe_dump(config))
    jobs = would_run(project)
    # the one shard of the study
    after = {"datasets": 1, "analysis": 1, "figures": 1, "tables": 1, "explore": 1, "index": 1, "all": 1}
    assert jobs == {"shards": 1, **after}
    config["studies"]["length_scaling"]["length"].remove(512)
    (project / "config.yaml").write_text(yaml.safe_dump(config))

    # a kernel reruns the shards that have blocks that use it, and simulates no other blocks
    append(package / "thresholds" / "exact.py")
    assert would_run(project)["shards"] == 2
    snakemake(project, "results/datasets/stagnation.nc")
    (file,) = (results / "shards" / "stagnation").glob("*.npz")  # the former file is gone
    log = (results / "logs" / "shards" / "stagnation" / f"{file.stem}.log").read_text()
    instances, runs, plateaus = re.findall(r"simulated (\d+) of (\d+) points", log)
    assert instances[0] == instances[1] != "0"
    assert runs[0] == plateaus[0] == "0" != runs[1]
    append(package / "numerics" / "binomial.py")
    shards = len(list((results / "shards").rglob("*.npz")))
    assert would_run(project)["shards"] == shards


def test_results_copied_into_a_fresh_checkout_are_up_to_date(project, tmp_path_factory):
    (project / "config.yaml").write_text(
        yaml.safe_dump(TINY | {"studies": {"stagnation": TINY["studies"]["stagnation"]}})
    )
    snakemake(project)
    clone = tmp_path_factory.mktemp("clone")
    for path in project.iterdir():
        if path.name in ("results", ".snakemake"):
            shutil.copytree(path, clone / path.name)
        elif path.is_dir():  # a checkout's files are as old as the checkout
            shutil.copytree(path, clone / path.name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(path, clone / path.name)
    assert would_run(clone) == {}


def test_cores_and_shards_leave_no_trace_in_the_datasets(project):
    found = {}
    for cores, points in ((1, 1), (2, 1000)):
        (project / "config.yaml").write_text(
            yaml.safe_dump(TINY | {"shard_points": points, "studies": FEWER})
        )
        shutil.rmtree(project / "results", ignore_errors=True)
        targets = [f"results/datasets/{study}.nc" for study in TINY["studies"]]
        snakemake(project, *targets, cores=cores)
        found[points] = {target: (project / target).read_bytes() for target in targets}
        count = len(list((project / "results" / "shards").rglob("*.npz")))
        assert (count > 12) == (points == 1)
        datasets = {target: xr.load_dataset(project / target) for target in targets}
        found[points, "opened"] = datasets
    for target, one in found[1, "opened"].items():
        other = found[1000, "opened"][target]
        assert one.identical(other)
        for name in one.data_vars:
            assert one[name].values.tobytes() == other[name].values.tobytes()
    assert found[1] == found[1000]  # the files themselves


def command(project, *arguments):
    """Run the package's command line in the copy."""
    return subprocess.run(
        [sys.executable, "-m", "gradgap", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )


def verified(project, *arguments):
    """What `gradgap verify` says of the copy: wrong files by path, and the remedy."""
    found = subprocess.run(
        [sys.executable, "-m", "gradgap", "verify", *arguments, "--json"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "workflow/scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    return json.loads(found.stdout)


def test_the_remedy_that_verify_prints_heals_the_folder(project):
    """With a configuration and a folder of their own; one damaged file a kind, alone and then all at once."""
    (project / "mine.yaml").write_text(yaml.safe_dump(TINY | {"studies": FEWER}))
    (project / "mine").mkdir()
    snakemake(project, "--configfile", "mine.yaml", "--directory", "mine")
    results, where = project / "mine" / "results", ("mine/results", "--configfile", "mine.yaml")
    environment = os.environ | {
        "PYTHONPATH": str(project / "workflow/scripts"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    made = [
        "snakemake",
        "--configfile",
        "mine.yaml",
        "--directory",
        "mine",
        "--report",
        "results/report.html",
    ]
    subprocess.run(made, cwd=project, env=environment, check=True, capture_output=True)
    record = [sys.executable, "-m", "gradgap.report.digests"]
    record += [str(results / "digests/report/report.json"), str(results / "report.html")]
    subprocess.run(record, cwd=project, env=environment, check=True)
    assert verified(project, *where)["wrong"] == {}

    def damage(pattern):
        path = sorted(results.glob(pattern))[0]
        path.write_bytes(path.read_bytes()[:-40] + b"damaged")
        return str(Path("mine/results") / path.relative_to(results))

    kinds = [
        "shards/*/*.npz",
        "datasets/*.nc",
        "analysis/*.scaling.csv",
        "analysis/*.rst",
        "figures/*.pdf",
        "figures/*.png",
        "tables/*.html",
        "reproduce.md",
        "explore.html",
        "index.html",
        "digests/figures/stagnation.json",
        "report.html",
    ]
    # a dataset and an answer are read by other jobs only: alone, nothing that the reader sees is missing
    for patterns in ([kinds[0]], ["datasets/*.nc"], ["analysis/*.answer.txt"], [kinds[-1]], kinds):
        bad = {damage(pattern) for pattern in patterns}
        found = verified(project, *where)
        assert set(found["wrong"]) == bad
        healed = subprocess.run(
            found["remedy"],
            shell=True,
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert healed.returncode == 0, found["remedy"] + healed.stderr[-2000:]
        assert verified(project, *where)["wrong"] == {}, found["remedy"]


def contents(folder):
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    }


def test_two_configurations_side_by_side(project):
    """Each run has a place of its own: both are complete and verified, and neither touches the other."""
    tiny = {"stagnation": TINY["studies"]["stagnation"]}
    (project / "config.yaml").write_text(yaml.safe_dump(TINY | {"studies": tiny}))
    other = TINY | {
        "name": "mine",
        "seed": 2,
        "studies": {"stagnation": tiny["stagnation"] | {"length": [256]}},
    }
    (project / "mine.yaml").write_text(yaml.safe_dump(other))
    snakemake(project)
    first = contents(project / "results")
    snakemake(project, "--configfile", "mine.yaml")
    results = project / "results" / "mine"
    assert {
        path: what for path, what in contents(project / "results").items() if results not in path.parents
    } == first
    with xr.open_dataset(results / "datasets" / "stagnation.nc") as dataset:
        assert dataset.length.values.tolist() == [256]
    assert (results / "explore.html").is_file()
    assert (results / "index.html").is_file()
    assert "results/mine/figures/stagnation.png" in (results / "reproduce.md").read_text()
    for which in ((), ("--configfile", "mine.yaml")):
        verified = command(project, "verify", *which)
        assert verified.stdout.strip() == "all is well", verified.stdout
        assert "Nothing to be done" in snakemake(project, *which)
        assert "measured" in command(project, "plan", *which).stdout
    made = command(project, "provenance", "--configfile", "mine.yaml").stdout
    assert "results/mine/datasets/stagnation.nc" in made
    differ = command(project, "diff", "results", "results/mine")
    assert differ.returncode == 1
    assert "length only in A: 64" in differ.stdout
    (results / "figures" / "stagnation.png").write_bytes(b"damaged")
    bad = command(project, "verify", "--configfile", "mine.yaml")
    assert bad.returncode == 1
    remedy = bad.stdout.rpartition("remedy: ")[2].strip()
    assert "--configfile mine.yaml" in remedy
    assert (
        subprocess.run(
            remedy,
            shell=True,
            cwd=project,
            env=os.environ | {"PYTHONPATH": ""},
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    assert command(project, "verify", "--configfile", "mine.yaml").returncode == 0
