"""The study of a real trainer: read off made-up edges whose laws are known; needs no PyTorch."""

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
from gradgap.thresholds import brackets
from gradgap.thresholds.exact import Search

LOOK = {"column_width": 89, "page_width": 183, "font_size": 7, "dpi": 60}
SETTINGS = {"loss_length": 16, "trainer_steps": 40, "run_window": 20}


def made_up(powers: dict[str, float], forecast: float) -> xr.Dataset:
    """Edges 3·T^power by optimizer, and forecasts that are a share of them."""
    lengths, optimizers = np.array([12, 24, 48]), ["sgd", "adam"]
    data = xr.Dataset(
        coords={
            "length": lengths,
            "optimizer": optimizers,
            "replicate": [0, 1, 2],
            "loss_type": ["grpo", "dr_grpo", "dapo"],
        }
    )
    wobble = np.exp(0.01 * np.array([-1, 0, 1]))
    for prefix, axis in (("", "length"), ("loss_", "loss_type")):
        x = lengths if axis == "length" else np.ones(3)
        edge = 3 * np.stack([x ** powers[name] for name in optimizers], axis=-1)[..., None] * wobble
        dims = (axis, "optimizer", "replicate")
        data[f"{prefix}half_kept_learning_rate"] = dims, edge
        data[f"{prefix}edge_forecast"] = dims, forecast * edge
        for name, value in (
            ("edge_kept_fixed", 0.1),
            ("edge_kept_controlled", 0.8),
            ("edge_last_rate", 1.0),
            ("edge_clipped", 0.25),
            ("edge_length", 12.0),
            ("edge_runs", 5),
        ):
            data[f"{prefix}{name}"] = dims, np.full(edge.shape, value)
    return data


@pytest.fixture(scope="module")
def analysis():
    return STUDIES.find("trainer").analyse(made_up({"sgd": 0.0, "adam": -1.0}, 0.25), SETTINGS)


def test_a_law_that_holds_is_confirmed_and_another_refuted(analysis):
    found = analysis.scaling.set_index("optimizer")
    assert (found.loc["sgd"].predicted, found.loc["sgd"].verdict) == (0.0, "confirmed")
    assert (found.loc["adam"].predicted, found.loc["adam"].verdict) == (-0.5, "refuted")
    np.testing.assert_allclose(found.measured, [0, -1], atol=1e-6)


def test_forecasts_and_survivors_are_counted(analysis):
    findings = analysis.findings
    assert (findings["edges"], findings["searches"], findings["runs"]) == (36, 36, 180)
    assert (findings["fixed"], findings["controlled"], findings["clipped"]) == (0, 36, 0.25)
    for each in findings["lengths"] + findings["loss_types"]:
        np.testing.assert_allclose([each["forecast"], each["forecast_low"], each["forecast_high"]], 0.25)


def test_an_open_search_and_a_forecast_without_an_edge_are_told():
    data = made_up({"sgd": 0.0, "adam": -0.5}, 0.5)
    for name in ("half_kept_learning_rate", "edge_forecast", "edge_kept_fixed", "edge_kept_controlled"):
        data[name][0, 0, 0] = np.nan
    data["edge_forecast"][1, 1, 0] = np.inf
    found = STUDIES.find("trainer").analyse(data, SETTINGS)
    assert (found.findings["edges"], found.findings["searches"]) == (35, 36)
    by = {(each["length"], each["optimizer"]): each for each in found.findings["lengths"]}
    assert by[12, "sgd"]["runs"] == 2
    assert by[24, "adam"]["forecast_none"] == 1
    np.testing.assert_allclose(by[24, "adam"]["forecast"], 0.5)


def test_figure_and_caption_are_made(analysis):
    figure = plugins.module(STUDIES.find("trainer").draw).draw(
        analysis.panels, analysis.scaling, style.Look.from_config(LOOK)
    )
    figure.canvas.draw()
    drawn = [line.get_ydata() for line in figure.axes[2].get_lines() if len(line.get_ydata()) > 2]
    assert len(drawn) == 4
    assert all(np.allclose(y, 0.25) for y in drawn)
    plt.close(figure)
    text = captions.fill(captions.template("trainer"), analysis, SETTINGS)
    assert "sgd: 0.00, 0.00 (" in text or "sgd: 0.00, -0.00 (" in text
    assert "adam: -0.50, -1.00" in text
    assert "Of 36 runs from five times the edge 0 end at one half or more" in text


@pytest.mark.parametrize("first", [0.01, 0.5, 3.0, 200.0])
def test_a_bracket_holds_the_edge_from_wherever_it_starts(first):
    calls = []

    def keeps(rate):
        calls.append(rate)
        return rate < 3

    found = brackets.bracket(keeps, first)
    assert found.search is Search.found
    assert 3 / 2**0.5 < found.learning_rate < 3 * 2**0.5
    assert found.runs == len(calls) == len(set(calls))


@pytest.mark.parametrize(
    ("keeps", "search"), [(True, Search.always_converged), (False, Search.never_converged)]
)
def test_a_bracket_says_where_there_is_no_edge(keeps, search):
    found = brackets.bracket(lambda rate: keeps, 1.0)
    assert found.search is search
    assert np.isnan(found.learning_rate)


@pytest.mark.parametrize("path", ["trl.yaml", "tests/trl.yaml"])
def test_without_pytorch_the_configuration_says_what_is_missing(path):
    """In one line, before any work starts; every other study goes on without it."""
    script = (
        "from importlib.machinery import PathFinder as p; find = p.find_spec\n"
        "p.find_spec = lambda n, *a: None if n == 'torch' else find(n, *a)\n"
        "from gradgap.errors import ConfigError\nfrom gradgap.sweep import config\n"
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
    assert "trainer: torch" in done.stdout
    assert "requirements-torch.txt" in done.stdout


def test_a_wrong_optimizer_is_told_by_name(monkeypatch):
    raw = yaml.safe_load((ROOT / "tests/trl.yaml").read_text())
    raw["studies"]["trainer"]["optimizer"] = ["momentum"]
    monkeypatch.setitem(sys.modules, "gradgap.trainer", object())
    with pytest.raises(ConfigError, match="optimizer: 'momentum' is not allowed with a trainer"):
        config.parse(raw)


def test_the_run_is_named_after_its_file():
    file = STUDIES.find("trainer").config_file
    assert f"{yaml.safe_load((ROOT / file).read_text())['name']}.yaml" == file
