"""Another workflow loads this one as a module, with its own configuration and a prefix for all results."""

import subprocess
import sys

import pytest
from _small import only, write_config
from _workflow import ROOT, datasets, environ, run

OUTER = """
configfile: "outer.yaml"


module gradgap:
    snakefile:
        "{snakefile}"
    config:
        config["sweep"]
    prefix:
        "sweep"


use rule * from gradgap as gradgap_*


rule summary:
    input:
        rules.gradgap_datasets.output[0].format(study="stagnation"),
    output:
        "summary.txt",
    shell:
        "wc -c < {{input}} > {{output}}"


rule everything:
    default_target: True
    input:
        "summary.txt",
        rules.gradgap_all.input,
"""


@pytest.mark.workflow
def test_the_workflow_is_a_module(tmp_path):
    """All of its files stand below the prefix, its own config.yaml is not read, its numbers are the same."""
    raw = only("stagnation", figures={"dpi": 60})
    outer, alone = tmp_path / "outer", tmp_path / "alone"
    outer.mkdir()
    alone.mkdir()
    (outer / "Snakefile").write_text(OUTER.format(snakefile=ROOT / "Snakefile"))
    write_config({"sweep": raw}, outer / "outer.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2"],
        cwd=outer,
        env=environ(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert not (outer / "results").exists()
    found = sorted(path.stem for path in (outer / "sweep" / "results" / "figures").iterdir())
    assert found == ["stagnation"] * 3
    written = write_config(raw, alone / "config.yaml")
    assert run(alone, "results/datasets/stagnation.nc", "--configfile", str(written)).returncode == 0
    assert datasets(outer / "sweep") == datasets(alone)
    assert int((outer / "summary.txt").read_text()) == len(datasets(alone)["stagnation.nc"])
