"""The study of networks: read off made-up thresholds whose laws are known; needs no JAX."""

import re
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
import yaml
from conftest import ROOT
from gradgap import plugins
from gradgap.errors import ConfigError
from gradgap.report import captions, style
from gradgap.sweep import config
from gradgap.sweep.study import STUDIES

LOOK = {"column_width": 89, "page_width": 183, "font_size": 7, "dpi": 60}
TASKS, OPTIMIZERS = ["window", "sum", "gated"], ["sgd", "adam"]
RULES = ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"]
SETTINGS = {
    "length_rule": "grpo/seq-mean-token-sum",
    "rule_length": 16,
    "replicates": 4,
    "iterations": 60,
}


def made_up(powers: dict[str, float], forecast: float) -> xr.Dataset:
    """Thresholds 3·T^power by optimizer, (1−J)^power of their own, and forecasts that are a share of the truth."""
    lengths, failures = np.array([8, 16, 32, 64]), np.array([0.4, 0.2, 0.1, 0.05])
    wobble = np.exp(0.002 * np.array([1, -1, -1, 1]))
    data = xr.Dataset(
        coords={
            "task": TASKS,
            "network": ["recurrent"],
            "length": lengths,
            "optimizer": OPTIMIZERS,
            "learning_rate_ratio": [0.5, 1, 2],
            "success_rate": 1 - failures,
            "failure_rate": ("success_rate", failures),
            "rule": RULES,
            "replicate": [0, 1],
            "iteration": [10, 20],
        }
    )
    by_length = np.stack([3 * lengths ** powers[name] * wobble for name in OPTIMIZERS], axis=-1)
    data["half_kept_learning_rate"] = (
        ("task", "network", "length", "optimizer"),
        np.stack([by_length[None]] * 3),
    )
    by_failure = np.stack([failures**power * wobble for power in (0.5, 0.5)], axis=-1)
    data["failure_half_kept_learning_rate"] = (("success_rate", "optimizer"), by_failure)
    spread = np.array([1.0, 1, 16, 16, 16])
    data["rule_half_kept_learning_rate"] = (
        ("task", "optimizer", "rule"),
        np.array([[spread, spread**0]] * 3),
    )
    data["transformer_half_kept_learning_rate"] = 2 * data.half_kept_learning_rate.sel(
        length=16, network="recurrent", drop=True
    )
    for prefix in ("", "failure_", "rule_", "transformer_"):
        name = f"{prefix}half_kept_learning_rate"
        middle = data[name]
        data[f"{name}_low"], data[f"{name}_high"] = 0.99 * middle, 1.01 * middle
        data[f"{prefix}runs"] = xr.full_like(middle, 30, dtype=int)
    ratio = data.learning_rate_ratio
    data["success_around"] = (
        xr.where(ratio < 1, 1.0, xr.where(ratio > 1, 0.0, 0.5)) + 0 * data.half_kept_learning_rate
    )
    safe = data.half_kept_learning_rate.sel(length=16, network="recurrent", drop=True)
    run = forecast * safe.expand_dims(replicate=data.replicate, axis=-1)
    data["forecast_run"], data["forecast_run_low"], data["forecast_run_high"] = run, 0.8 * run, 1.2 * run
    data["forecast"] = run.expand_dims(iteration=data.iteration, axis=-1)
    data["safe_learning_rate"] = 0.1 * safe.expand_dims(replicate=data.replicate, axis=-1)
    data["safe_success_rate"] = xr.full_like(run, 0.9)
    data["forecast_word"] = xr.full_like(run, 0, dtype=int)
    return data


def analysed(**arguments):
    return STUDIES.find("networks").analyse(made_up(**arguments), SETTINGS)


def test_laws_that_hold_are_confirmed_and_others_refuted():
    found = analysed(powers={"sgd": -1.0, "adam": -0.9}, forecast=0.5)
    table = found.scaling.set_index(["family", "optimizer", "axis"])
    assert len(table) == 8
    for task in TASKS:
        sgd = table.loc[(f"{task}, recurrent", "sgd", "length")]
        adam = table.loc[(f"{task}, recurrent", "adam", "length")]
        assert (sgd.predicted, sgd.verdict) == (-1.0, "confirmed")
        assert (adam.predicted, adam.verdict) == (-0.5, "refuted")
        np.testing.assert_allclose([sgd.measured, adam.measured], [-1, -0.9], atol=0.01)
    for name in OPTIMIZERS:
        row = table.loc[("gated, recurrent", name, "failure_rate")]
        assert (row.predicted, row.verdict) == (0.5, "confirmed")


def test_spreads_forecasts_and_sharpness_are_read_off():
    found = analysed(powers={"sgd": -1.0, "adam": -0.5}, forecast=0.5).findings
    assert {(s["optimizer"], s["spread"]) for s in found["spreads"]} == {("sgd", 16.0), ("adam", 1.0)}
    assert len(found["ratios"]) == 6
    for ratio in found["ratios"]:
        np.testing.assert_allclose([ratio["low"], ratio["median"], ratio["high"]], 0.5)
        np.testing.assert_allclose([ratio["share"], ratio["end"]], [0.1, 0.9])
    np.testing.assert_allclose([other["ratio"] for other in found["transformers"]], [2.0] * 6)
    assert (found["below"], found["above"]) == (1.0, 0.0)
    assert found["runs"] == 30 * found["thresholds"] == 30 * (24 + 8 + 30 + 6)


def test_figures_and_caption_are_made():
    analysis = analysed(powers={"sgd": -1.0, "adam": -0.5}, forecast=0.5)
    study = STUDIES.find("networks")
    drawn = {}
    for name, module in study.figures("networks").items():
        figure = plugins.module(module).draw(analysis.panels, analysis.scaling, style.Look.from_config(LOOK))
        figure.canvas.draw()
        drawn[name] = [[line.get_ydata() for line in axes.get_lines()] for axes in figure.axes]
        plt.close(figure)
    assert [len(axes) for axes in drawn.values()] == [9, 3]
    # SGD on window: forecasts at half the collapse, which is drawn across
    collapse = float(analysis.panels["forecasts"].half_kept_learning_rate.iloc[0])
    ends = [np.unique(line) for line in drawn["networks_forecasts"][0]]
    for expected in (0.5 * collapse, collapse, 0.1 * collapse):
        assert any(len(line) == 1 and np.isclose(line[0], expected) for line in ends)
    text = captions.fill(captions.template("networks"), analysis, SETTINGS)
    assert "window, recurrent, sgd, in T: -1.00" in text
    assert "Of 8 exponents from 8 independent searches: 8 confirmed." in text


@pytest.mark.parametrize("path", ["networks.yaml", "tests/networks.yaml"])
def test_without_jax_the_configuration_says_what_is_missing(path):
    """In one line, before any work starts; every other study goes on without it."""
    script = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'jax' else find(n, *a)\n"
        "from gradgap.errors import ConfigError\nfrom gradgap.sweep import config\n"
        "config.load('tests/smoke.yaml')\n"
        f"try:\n    config.load({path!r})\nexcept ConfigError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "workflow/scripts"), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )
    assert done.stdout.count("\n") == 1
    # where nothing of it is there at all, the others are named too
    assert re.search(r"networks: jax(, jaxlib, optax)? not installed", done.stdout)


def test_a_wrong_task_is_told_by_name():
    raw = yaml.safe_load((ROOT / "tests/networks.yaml").read_text())
    raw["studies"]["networks"]["task"] = ["product"]
    with pytest.raises(ConfigError, match=r"studies.networks.task\[0\]: unknown task 'product'"):
        config.parse(raw)


def test_the_run_is_named_after_its_file_and_so_has_a_folder_of_its_own():
    """So that the default study and this one leave each other's results alone, and docs/reproduce.md says where."""
    file = STUDIES.find("networks").config_file
    assert f"{yaml.safe_load((ROOT / file).read_text())['name']}.yaml" == file
