"""Learning curves, and what the studies that use them find, against iterations done by hand and known plateaus."""

import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.errors import ConfigError
from gradgap.measurements import exact_runs
from gradgap.sweep import compute, config, grid, store
from gradgap.sweep.measurement import measure
from helpers import assembled

GATED = {"family": ("gated",), "length": ("32",), "success_rate": ("0.9",), "rule": ("GRPO",)}
SETTINGS = {"iterations": 50, "tolerance": 1e-4}


def by_hand(learning_rate, iterations):
    """1 − J along θ' = θ + α √(J(1−J)) g / N on the bandit of `GATED`, and that bandit."""
    instance = FAMILIES.find("gated").instance(32, 0.9, 0.1)
    theta, failures = instance.theta0, []
    for _ in range(iterations + 1):
        success, failure, gap = instance.at(theta)
        failures.append(failure)
        theta += learning_rate * math.sqrt(success * failure) * gap / instance.score_length
    return np.array(failures), instance


def test_curve_is_the_iteration_done_by_hand():
    axes = GATED | {"learning_rate": ("5", "20", "200"), "iteration": ("1", "7", "50")}
    found = measure("exact_runs", axes, SETTINGS)["curve_failure_rate"]
    assert found.shape == (1, 1, 1, 1, 3, 3)
    for i, step in enumerate((5.0, 20.0, 200.0)):
        np.testing.assert_allclose(found[0, 0, 0, 0, i], by_hand(step, 50)[0][[1, 7, 50]], rtol=1e-9)


def test_step_ratio_counts_in_units_of_where_the_slope_of_the_map_is_minus_one():
    """α* found by differentiating the map θ → θ' at the best θ, not by the closed form that the simulation uses."""
    _, instance = by_hand(1.0, 1)

    def update(theta):
        success, failure, gap = instance.at(theta)
        return math.sqrt(success * failure) * gap / instance.score_length

    h = 1e-5
    threshold = 2 / -((update(h) - update(-h)) / (2 * h))
    axes = GATED | {"learning_rate_ratio": ("0.5",), "iteration": ("1", "3")}
    found = measure("exact_runs", axes, SETTINGS)["curve_failure_rate"].ravel()
    np.testing.assert_allclose(found, by_hand(0.5 * threshold, 3)[0][[1, 3]], rtol=1e-6)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (GATED | {"learning_rate": ("1",), "iteration": ("51",)}, ("iteration", "51", "50")),
        (
            GATED | {"rule": ("unit/token-mean",), "learning_rate_ratio": ("1",), "iteration": ("1",)},
            ("learning_rate_ratio", "unit"),
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused(axes, words):
    with pytest.raises(ConfigError) as error:
        exact_runs.check(axes, SETTINGS)
    assert all(word in str(error.value) for word in words)


def findings(name, section, folder):
    """What a study finds with that section of a configuration."""
    study = config.parse({"studies": {name: section}}).studies[name]
    paths = []
    for shard in grid.shards(study, 10**9):
        paths.append(folder / f"{shard.name}.npz")
        store.write(paths[-1], shard, compute.compute(shard))
    return study.study.analyse(assembled(study, paths), study.settings)


def test_learning_curves_fall_on_the_two_sides_of_the_threshold(tmp_path):
    section = {
        "length": [16, 64],
        "failure_rate": [0.1],
        "rule": ["REINFORCE", "GRPO"],
        "learning_rate_ratio": [0.3, 0.9, 1.1, 2, 10],
        "iteration": [1, 10],
        "iterations": 400,
        "scan_per_decade": 4,
    }
    analysis = findings("learning_curves", section, tmp_path)
    exact_runs = analysis.panels["runs"]
    counted = (
        exact_runs.assign(above=exact_runs.learning_rate_ratio > 1)
        .groupby("above")
        .outcome.value_counts()
        .to_dict()
    )
    assert analysis.findings["runs"] == 20
    assert analysis.findings["below"] == 8
    fell = sum(counted.get((False, outcome), 0) for outcome in ("stagnated", "collapsed"))
    assert analysis.findings["fell_below"] == fell
    assert analysis.findings["converged_above"] == counted.get((True, "converged"), 0)
    assert analysis.findings["last_converged"] <= analysis.findings["first_fallen"]
    far = exact_runs[exact_runs.learning_rate_ratio == 10]
    assert (far.gain < 0).all()  # below the start
    assert exact_runs[exact_runs.learning_rate_ratio == 0.3].gain.to_numpy() == pytest.approx(1, abs=1e-4)


def test_stagnation_counts_the_same_in_parts_of_any_size(tmp_path, monkeypatch):
    from gradgap.studies.stagnation import analysis as stagnation

    section = {
        "length": [16, 64],
        "success_rate": [0.1, 0.2],
        "schedule": ["constant", "failure-rate", "inverse-sqrt"],
        "learning_rate": [0.001, 0.1, 0.5, 1, 3, 10],
        "iteration": [10, 20, 50, 100],
        "iterations": 100,
        "window": 3,
    }
    whole = findings("stagnation", section, tmp_path)
    assert 0 < whole.findings["stalled"] < whole.findings["arrived"] < whole.findings["fixed"] == 24
    monkeypatch.setattr(stagnation, "AT_ONCE", 5)
    again = findings("stagnation", section, tmp_path)
    assert again.findings == whole.findings
    monkeypatch.setattr(stagnation, "MOST", 36)  # every second step is drawn; all are counted
    few = findings("stagnation", section, tmp_path)
    assert sorted(few.panels["plateaus"].learning_rate.unique()) == [0.001, 0.5, 3]
    assert {**few.findings, "schedules": None} == {**whole.findings, "schedules": None}
    for schedule, found in whole.findings["schedules"].items():
        assert {**few.findings["schedules"][schedule], "exponents": None} == {**found, "exponents": None}


def test_stagnation_judges_only_runs_that_arrived(tmp_path):
    section = {
        "length": [64],
        "success_rate": [0.2],
        "learning_rate": [0.001, 0.1, 0.5, 1],
        "iteration": [10, 20, 50, 100],
        "iterations": 100,
    }
    analysis = findings("stagnation", section, tmp_path)
    plateaus = analysis.panels["plateaus"]
    fixed = plateaus[plateaus.schedule == "constant"].set_index("learning_rate")
    assert list(fixed.arrived) == [False, True, True, True]  # |θ₀| ≈ 2.4: 2400 updates, 24, 5, 2
    assert (analysis.findings["arrived"], analysis.findings["fixed"]) == (3, 4)
    assert analysis.findings["worst_ratio"] < 1e-9
    # the plateau by hand: the end of the walk is a hop across 0
    x = math.fmod(abs(fixed.theta0.iloc[0]), 0.5)
    instance = FAMILIES.find("counting").instance(64, 0.2, window=6)
    assert fixed.final_failure_rate[0.5] == pytest.approx((instance.at(x)[1] + instance.at(x - 0.5)[1]) / 2)
    shrinking = analysis.findings["schedules"]["failure-rate"]
    assert shrinking["runs"] == 4
    assert shrinking["reached"] + shrinking["fell"] + shrinking["under_way"] == 4
