"""Extending from outside: the examples of docs/extend.md, found, run, and seen in the results of the workflow."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from gradgap import plugins
from gradgap.errors import ConfigError


def in_folder(folder, *command, root):
    """Run a command in a folder with the package of this checkout; its output, whatever its end."""
    environment = os.environ | {"PYTHONPATH": str(root / "workflow/scripts")}
    environment.pop("GRADGAP_PLUGINS", None)
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def examples(root, tmp_path):
    """A copy of examples/, outside the checkout."""
    ignore = shutil.ignore_patterns("results", ".snakemake", "__pycache__")
    return shutil.copytree(root / "examples", tmp_path / "examples", ignore=ignore)


@pytest.mark.workflow
def test_one_file_each_adds_a_rule_a_schedule_a_family_and_a_study(root, examples):
    snakefile = str(root / "Snakefile")
    done = in_folder(examples, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2", root=root)
    assert done.returncode == 0, done.stderr[-3000:]
    results = examples / "results"
    lengths = xr.load_dataset(results / "datasets/length_scaling.nc")
    assert "pair" in lengths.family
    assert "squared" in lengths.advantage
    # the last fixed point of θ' = θ + α c g / divisor loses stability at α c |g'| = 2 · divisor; for two pairs, at
    # p = ½, J = 1/16 and J'' = 2 · ¼ · (−1/8), and c = √(J(1−J)) for grpo, J(1−J)² for the plugin's advantage
    slope = (1 / 16) / (15 / 256)
    for advantage, coefficient in (("grpo", (15 / 256) ** 0.5), ("squared", 1 / 16 * (15 / 16) ** 2)):
        for aggregation, divisor in (("seq-mean-token-sum", 1.0), ("root-mean", lengths.length.values**0.5)):
            point = {"family": "pair", "advantage": advantage, "aggregation": aggregation}
            wanted = 2 / (coefficient * slope) * divisor * np.ones(lengths.sizes["length"])
            assert lengths.critical_learning_rate.sel(point).values == pytest.approx(wanted, rel=0.02)
            # the closed form is the plugin's own
            assert lengths.critical_learning_rate_closed_form.sel(point).values == pytest.approx(
                wanted, rel=1e-9
            )
    stagnation = xr.load_dataset(results / "datasets/stagnation.nc")
    assert {"half-way", "halve-on-falls"} <= set(stagnation.schedule.values)
    patience = xr.load_dataset(results / "datasets/patience.nc")
    assert patience.half_time.attrs["units"] == "updates"
    # a study that is a folder, with an axis and a measurement of its own: at the start 1 − J is the one asked for
    basin = xr.load_dataset(results / "datasets/basin.nc").failure_rate_between
    assert basin.dims == ("family", "length", "success_rate", "part")
    assert basin.sel(part=1).values.ravel() == pytest.approx(0.8, rel=1e-9)
    assert (basin.sel(part=0) < basin.sel(part=0.5)).all()
    assert (results / "analysis/basin.rst").read_text().startswith("**Basin.**")
    table = pd.read_csv(results / "tables/scaling.csv")
    # an aggregation that divides by √T: −½ in the length and, with grpo, +½ in 1 − J, where token sums have it too
    rows = table[(table.aggregation == "root-mean") & (table.advantage == "grpo")].set_index("family")
    assert rows.predicted.to_dict() == {"pair": -0.5, "counting": -0.5, "gated": 0.5}
    assert rows.ci_low["counting"] < -0.5 < rows.ci_high["counting"]
    assert rows.verdict["gated"] == "confirmed"
    assert rows.verdict["pair"] == "refuted"  # its threshold does not know T
    assert {"pair"} <= set(table.family)
    assert {"squared"} <= set(table.advantage)
    assert {"patience"} <= set(table.study)
    assert "nan" not in (results / "analysis/length_scaling.rst").read_text()
    for study in ("length_scaling", "success_rate_scaling", "patience", "basin"):
        for suffix in ("pdf", "svg", "png"):
            assert (results / f"figures/{study}.{suffix}").stat().st_size > 1000
    svg = (results / "figures/length_scaling.svg").read_text()
    assert "squared" in svg
    assert "pair" in svg
    assert "half time" in (results / "figures/patience.svg").read_text()
    assert "half_time" in (results / "explore.html").read_text()
    # an edit of a plugin reruns what depends on it, and only that
    plugin = examples / "gradgap_plugins/patience.py"
    plugin.write_text(plugin.read_text().replace("half time (updates)", "half time in updates"))
    options = ("--snakefile", snakefile, "--cores", "1", "--dry-run")
    done = in_folder(examples, "-m", "snakemake", *options, root=root)
    dry = done.stdout + done.stderr
    assert "study=patience" in dry
    assert "study=length_scaling" not in dry


def test_command_line_finds_plugins_beside_it_and_where_the_variable_says(
    root, examples, tmp_path, monkeypatch
):
    ask = (
        "-m",
        "gradgap",
        "threshold",
        "pair",
        "--length",
        "64",
        "--success-rate",
        "0.05",
        "--advantage",
        "squared",
    )
    assert in_folder(examples, *ask, root=root).returncode == 0
    refused = in_folder(tmp_path, *ask, root=root)
    assert refused.returncode == 2
    assert "pair" in refused.stderr
    monkeypatch.setenv("GRADGAP_PLUGINS", str(examples / "gradgap_plugins"))
    monkeypatch.chdir(tmp_path)
    found = [str(path.relative_to(examples / "gradgap_plugins")) for path in plugins.plugin_files()]
    own = [f"basin/{name}.py" for name in ("__init__", "analysis", "figure")]
    others = ["controller.py", "family.py", "patience.py", "schedule.py"]
    assert found == ["advantage.py", "aggregation.py", *own, *others]
    monkeypatch.setenv("GRADGAP_PLUGINS", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="nowhere"):
        list(plugins.plugin_files())


@pytest.mark.parametrize(
    ("text", "words"),
    [("import no_such_module_at_all", "no_such_module_at_all"), ("def", "SyntaxError")],
)
def test_a_plugin_that_cannot_be_imported_is_named(tmp_path, monkeypatch, text, words):
    folder = tmp_path / plugins.PLUGIN_PACKAGE
    folder.mkdir()
    (folder / "broken.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "gradgap_plugins.broken", raising=False)
    with pytest.raises(ConfigError, match=words) as error:
        plugins.load_plugins()
    assert "broken.py" in str(error.value)
    monkeypatch.delitem(sys.modules, "gradgap_plugins.broken", raising=False)


def test_two_plugins_of_one_name_are_refused(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same_name.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADGAP_PLUGINS", f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}")
    with pytest.raises(ConfigError, match="same name"):
        plugins.load_plugins()
    sys.modules.pop("gradgap_plugins.same_name", None)


@pytest.mark.parametrize("name", ["{study}", "a\nb", "<script>", "x'y", "", "../up", "`role`", "a" * 200])
def test_names_that_no_file_or_page_can_bear_are_refused(name):
    with pytest.raises(ConfigError, match="a name is letters, digits, spaces"):
        plugins.Registry("thing").add(name)
