"""Where noisy falling curves cross a level: against brute force, and against curves whose crossing is known."""

import math

import numpy as np
import pytest
from gradgap.inference import crossings
from scipy.optimize import isotonic_regression


def by_brute_force(values):
    """The formula of isotonic regression: at each place, the least of the largest means of stretches around it."""
    n = len(values)
    return [min(max(np.mean(values[i : j + 1]) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
def test_the_nearest_falling_curve(n):
    rng = np.random.default_rng(n)
    curves = np.linspace(1, 0, n) + rng.normal(size=(20, n)) * rng.choice([0, 0.1, 1], size=(20, 1))
    together = crossings.non_increasing(curves)
    for values, found in zip(curves, together, strict=True):
        assert found == pytest.approx(by_brute_force(values), abs=1e-12)
        assert found == pytest.approx(isotonic_regression(values, increasing=False).x, abs=1e-12)
        assert found.tolist() == crossings.non_increasing(values).tolist()


def test_several_crossings_are_those_of_each_curve_alone():
    x, rng = np.arange(7.0), np.random.default_rng(2)
    curves = np.vstack([np.linspace(1, 0, 7) + 0.3 * rng.normal(size=(50, 7)), np.ones(7), np.zeros(7)])
    found = crossings.crossings(x, curves)
    assert found.tolist() == [crossings.crossing(x, values) for values in curves]
    for values, at in zip(curves[:50], found, strict=False):
        if math.isfinite(at):  # by NumPy's interpolation, which needs an increasing abscissa
            fitted = isotonic_regression(values, increasing=False).x
            assert np.interp(at, x, fitted) == pytest.approx(0.5)
    assert found[-2:].tolist() == [math.inf, -math.inf]


def test_ties_are_kept():
    assert crossings.non_increasing([1, 1, 0.4, 0.6, 0, 0]).tolist() == [1, 1, 0.5, 0.5, 0, 0]


def test_crossing_of_a_clean_curve():
    rungs = np.arange(10, 20)
    assert crossings.crossing(rungs, np.linspace(0.9, 0.0, 10)) == pytest.approx(14.0)
    assert crossings.crossing(rungs, np.linspace(0.95, 0.05, 10)) == pytest.approx(14.5)
    assert crossings.crossing(rungs, np.linspace(0.9, 0.0, 10), level=0.25) == pytest.approx(16.5)


def test_crossing_smooths_noise_and_says_where_there_is_none():
    rungs = np.arange(6)
    # pooled: 1, 1, 0.5, 0.5, 0, 0
    assert crossings.crossing(rungs, np.array([1, 1, 0.4, 0.6, 0, 0])) == pytest.approx(3.0)
    assert crossings.crossing(rungs, np.ones(6)) == math.inf
    assert crossings.crossing(rungs, np.zeros(6)) == -math.inf


def test_what_rises_before_the_peak_is_slow_and_not_lost():
    x = np.linspace(0, 4, 41)
    rise, fall = np.minimum(1, x), 1 / (1 + np.exp(6 * (x - 3)))
    found = crossings.half_kept(x, (rise * fall)[:, None], np.random.default_rng(0))
    assert found.at == pytest.approx(3, abs=0.01)
    assert found.low == found.at == found.high  # one replicate has no spread


@pytest.mark.parametrize("values", [np.linspace(0.2, 0.9, 41), np.full(41, 0.3), np.full(41, 0.8)])
def test_no_fall_through_the_level_is_no_threshold(values):
    found = crossings.half_kept(np.arange(41.0), values[:, None], np.random.default_rng(0))
    assert np.isnan([found.at, found.low, found.high]).all()


def test_resamples_beyond_the_grid_leave_the_end_open():
    kept = np.array([[1.0, 1.0, 1.0], [0.9, 0.9, 0.0]])[:, [2, 0, 1]] * 1.0
    kept[1] = [0.0, 0.0, 1.0]  # two in three fall; a resample of the third alone, three times, does not
    found = crossings.half_kept(np.array([0.0, 1.0]), kept, np.random.default_rng(0))
    assert math.isfinite(found.at)
    assert found.high == math.inf


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_covers_the_truth(paired):
    """200 data sets of logistic curves with noise: about 95 % of the intervals hold the true crossing."""
    rng = np.random.default_rng(5)
    x, truth = np.arange(12.0), 5.5
    mean = 1 / (1 + np.exp(x - truth))
    held = 0
    for _ in range(200):
        values = mean[:, None] + 0.2 * rng.normal(size=(12, 16))
        found = crossings.half_kept(x, values, rng, resamples=200, paired=paired)
        held += found.low <= truth <= found.high
    assert 174 <= held <= 200  # 190 expected, deviation 3.1: five deviations
