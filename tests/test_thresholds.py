"""Thresholds against closed forms, and the two traps of the search."""

import concurrent.futures
import math
import multiprocessing
from types import SimpleNamespace

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.sweep import compute, config, grid
from gradgap.theory import closed_forms
from gradgap.thresholds import exact
from gradgap.thresholds.exact import Search, critical, one_step
from gradgap.training.outcome import Outcome
from gradgap.training.rules import ADVANTAGES
from gradgap.training.run import run


def instances():
    for length in (16, 64, 1000, 65536):
        for success_rate in (1e-6, 0.05, 0.2, 0.6):
            yield FAMILIES.find("counting").instance(length, success_rate)
        for failure_rate in (0.4, 1e-2, 1e-4):
            yield FAMILIES.find("gated").instance(length, 1 - failure_rate, failure_rate)


def test_one_step_critical_steps_are_twice_the_start():
    for instance in instances():
        assert one_step(instance) == pytest.approx(2 * abs(instance.theta0), rel=1e-6)


def test_one_step_is_where_the_success_rate_starts_to_fall():
    instance = FAMILIES.find("gated").instance(64, 0.9)
    step, start = one_step(instance), instance.at(instance.theta0)[1]
    assert instance.at(instance.theta0 + step * (1 - 1e-6))[1] < start
    assert instance.at(instance.theta0 + step * (1 + 1e-6))[1] > start


def test_every_measured_critical_learning_rate_of_the_default_grid(root, capsys):
    """Within 5e-3 of the closed form; the worst ratio of the whole default grid is printed."""
    parsed = config.load(root / "config.yaml")
    todo = [
        block
        for study in parsed.studies.values()
        for block in grid.blocks(study, parsed.shard_points)
        if block.measurement == "thresholds"
    ]
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(compute.compute_block, todo))
    ratios = np.concatenate(
        [
            np.ravel(each["critical_learning_rate"] / each["critical_learning_rate_closed_form"])
            for each in found
        ]
    )
    with capsys.disabled():
        print(
            f"\nα* over closed form: {len(ratios)} thresholds, from {ratios.min():.5f} to {ratios.max():.5f}"
        )
    assert len(ratios) > 800
    assert all((each["search"] == Search.found).all() for each in found)
    assert np.abs(ratios - 1).max() < 5e-3


def test_an_aggregation_rescales_the_critical_learning_rate():
    """The search runs token sums only; searching each aggregation itself gives the same."""
    instance = FAMILIES.find("gated").instance(32, 0.9)
    for aggregation in ("seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm"):
        scaled = critical(instance, "grpo", iterations=500).divided(
            closed_forms.AGGREGATIONS.find(aggregation).divisor(instance)
        )
        for rate, expected in ((scaled.low, True), (scaled.high, False)):
            result = run(instance, "grpo", aggregation, rate, iterations=500)
            assert (result.outcome == Outcome.converged) is expected


def test_learning_rates_below_the_first_converged_one_are_slow_not_critical():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    found = critical(instance, "reinforce", iterations=500)
    assert (
        run(instance, "reinforce", "seq-mean-token-sum", found.low * 1e-4, iterations=500).outcome
        == Outcome.slow
    )
    assert found.search == Search.found
    assert found.high / found.low - 1 <= 1e-3
    assert found.low < found.learning_rate < found.high


@pytest.mark.parametrize("advantage", ["gap", "grpo", "reinforce"])
@pytest.mark.parametrize(("family", "length", "success_rate"), [("counting", 64, 0.2), ("gated", 256, 0.99)])
def test_strides_find_what_a_plain_scan_finds(family, length, success_rate, advantage):
    instance = FAMILIES.find(family).instance(length, success_rate)
    found = critical(instance, advantage, iterations=500, per_decade=16)
    success, failure, gap = instance.at(instance.theta0)
    first_update = ADVANTAGES.find(advantage).coefficient(success, failure, abs(gap)) * abs(gap)
    ladder = one_step(instance) / first_update * 10 ** (np.arange(129) / 16 - 4)
    converged = [
        run(instance, advantage, "seq-mean-token-sum", rate, iterations=500).outcome == Outcome.converged
        for rate in ladder
    ]
    first = converged.index(True)
    above = converged.index(False, first)
    assert ladder[above - 1] <= found.low < found.high <= ladder[above]


def test_a_scan_that_starts_on_no_converged_run_takes_every_rung(monkeypatch):
    """Slow, stagnated, converged, collapsed: no rung of the strides converges."""
    instance = FAMILIES.find("counting").instance(64, 0.2)
    tried = []

    def made_up(instance, advantage, aggregation, learning_rates, **_):
        tried.extend(learning_rates)
        outcomes = [Outcome.slow, Outcome.stagnated, Outcome.converged, Outcome.collapsed]
        return SimpleNamespace(outcome=[outcomes[np.searchsorted(edges, rate)] for rate in learning_rates])

    centre = critical(instance, "gap", iterations=200).learning_rate
    # a stretch of convergence narrower than a stride, between two of its rungs
    edges = centre * np.array([0.1, 0.2, 0.23])
    monkeypatch.setattr(exact, "train", made_up)
    found = critical(instance, "gap", iterations=1)
    assert found.learning_rate == pytest.approx(edges[2], rel=1e-3)
    assert len(tried) > 60


def test_search_that_finds_nothing_says_so():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    never = critical(instance, "reinforce", iterations=1, tolerance=1e-12, decades=1)
    assert never.search == Search.never_converged
    assert math.isnan(never.learning_rate)
    always = critical(instance, "reinforce", iterations=10, tolerance=10.0, decades=1)
    assert always.search == Search.always_converged
    assert math.isnan(always.learning_rate)


def test_curvature_and_map_slope_by_finite_differences():
    """C3 and C4: at α* the map θ → θ + α u(θ) has slope −1 at its fixed point."""
    for family, length, rate in (("counting", 64, 0.2), ("counting", 1000, 0.2), ("gated", 64, 0.99)):
        instance = FAMILIES.find(family).instance(length, rate)
        for advantage in ("gap", "reinforce", "grpo"):
            for aggregation in ("seq-mean-token-sum", "token-mean"):
                rate = closed_forms.critical_closed_form(instance, advantage, aggregation)
                h = 1e-4 / math.sqrt(instance.max_length)

                def update(theta, instance=instance, advantage=advantage, aggregation=aggregation):
                    success, failure, gap = instance.at(theta)
                    coefficient = closed_forms.ADVANTAGES.find(advantage).coefficient(
                        success, failure, abs(gap)
                    )
                    return coefficient * gap / closed_forms.AGGREGATIONS.find(aggregation).divisor(instance)

                slope = 1 + rate * (update(h) - update(-h)) / (2 * h)
                assert slope == pytest.approx(-1, abs=1e-6)


def test_plateau_against_the_iterates():
    """C5: where the unit rule with a fixed step ends."""
    instance = FAMILIES.find("counting").instance(256, 0.2, window=6)
    for step in np.geomspace(0.02, 1.5, 23) * abs(instance.theta0):
        result = run(instance, "unit", "seq-mean-token-sum", step, iterations=1000)
        assert result.final_failure_rate == pytest.approx(
            closed_forms.plateau_closed_form(instance, step), rel=1e-8
        )
