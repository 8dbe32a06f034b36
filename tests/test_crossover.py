"""Prediction of sampled thresholds: its limits against simulation of their own definitions."""

import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.theory import sampled_groups
from gradgap.thresholds import sampled
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

SUM = "seq-mean-token-sum"
WINDOW, START = 1.0, 0.8


def alone_by_simulation(kick, responses, wrong, walkers=20_000):
    """Share kept by walkers that a lone response moves, from the definition; mean and standard error."""
    draws = np.random.default_rng(5)
    start = brentq(lambda y: sampled_groups.long_failure_rate(y, WINDOW) - START, -8, 0)
    x = np.full(walkers, start)
    kept = np.zeros(walkers)
    tail = responses // 10
    for response in range(responses):
        z = x + draws.standard_normal(walkers)
        fails = np.abs(z) > WINDOW
        moves = fails if wrong else ~fails
        x = np.where(moves, x + (-kick if wrong else kick) * (z - x), x)
        if response >= responses - tail:
            kept += 1 - (ndtr(-WINDOW - x) + ndtr(x - WINDOW))
    kept /= tail * (1 - sampled_groups.long_failure_rate(0.0, WINDOW))
    return kept.mean(), kept.std() / math.sqrt(walkers)


@pytest.mark.parametrize(
    ("kick", "wrong"), [(0.3, True), (0.8, True), (1.5, True), (0.5, False), (1.9, False)]
)
def test_share_kept_by_lone_responses_is_that_of_simulated_walkers(kick, wrong):
    mean, error = alone_by_simulation(kick, 100, wrong)
    found = sampled_groups.kept_alone(kick, WINDOW, START, 100, wrong=wrong)
    assert abs(found - mean) < 4 * error


def alone_by_quadrature(kick, responses, wrong):
    """Share kept by another way: u_k as a cubic spline, and Simpson's rule for its recursion."""

    def rate(y, window):
        return ndtr(-window - y) + ndtr(y - window)

    start = brentq(lambda y: rate(y, WINDOW) - START, 0, 8)
    x = np.linspace(0, 15, 300)
    value = (1 - rate(x, WINDOW)) / (1 - rate(0.0, WINDOW))
    factor = -kick if wrong else kick
    total, tail = 0.0, responses // 10
    z, h = np.linspace(-WINDOW if not wrong else 0, WINDOW if not wrong else 24, 2001, retstep=True)
    simpson = h / 3 * np.array([1, *([4, 2] * 999), 4, 1])
    for k in range(1, responses + 1):
        spline = CubicSpline(np.concatenate([-x[:0:-1], x]), np.concatenate([value[:0:-1], value]))

        def expected(here, spline=spline):
            out = 0.0
            for points in [WINDOW + z, -WINDOW - z] if wrong else [z]:
                end = here + factor * (points - here)
                inside = np.where(np.abs(end) < 15, spline(np.clip(end, -15, 15)), 0.0)
                out += simpson @ (norm.pdf(points - here) * inside)
            return out

        moving = rate(x, WINDOW) if wrong else 1 - rate(x, WINDOW)
        value = (1 - moving) * value + np.array([expected(here) for here in x])
        if k > responses - tail:
            total += float(CubicSpline(x, value)(start))
    return total / tail


@pytest.mark.parametrize(("kick", "wrong"), [(0.8, True), (1.9, False)])
def test_grid_of_lone_responses_is_fine_enough(kick, wrong, monkeypatch):
    """To 1e-5 of a plain recursion on splines; a grid three times as coarse is caught by the same comparison."""
    reference = alone_by_quadrature(kick, 20, wrong)
    assert abs(sampled_groups.kept_alone(kick, WINDOW, START, 20, wrong=wrong) - reference) < 1e-5
    monkeypatch.setattr(sampled_groups, "_SPACING", 3 * sampled_groups._SPACING)
    coarse = sampled_groups.kept_alone(kick, WINDOW, START, 20, wrong=wrong)
    assert abs(coarse - reference) > 1e-5


def test_grid_reaches_as_far_as_the_walk():
    """A long run wanders far out; a grid with an end that walkers cannot pass keeps too much (λ₁ 0.57 for 0.55)."""
    mean, error = alone_by_simulation(0.9, 1500, True, walkers=4000)
    assert abs(sampled_groups.kept_alone(0.9, WINDOW, START, 1500, wrong=True) - mean) < 4 * error


def test_lone_kick_keeps_half():
    for wrong in (True, False):
        kick = sampled_groups.lone_kick(WINDOW, START, wrong=wrong)
        kept = [sampled_groups.kept_alone(k * kick, WINDOW, START, 250, wrong=wrong) for k in (0.99, 1.01)]
        assert kept[0] > 0.5 > kept[1]


def test_right_responses_alone_are_stable_up_to_a_kick_of_two():
    # x → (1 − λ) x + λZ with Z in the window: |1 − λ| < 1 contracts, and more than 2 throws every walker out
    for kick, kept in ((1.5, 0.5), (3.0, 0.0)):
        found = sampled_groups.kept_alone(kick, WINDOW, START, 1000, wrong=False)
        assert found > kept if kick < 2 else found < 0.01


@pytest.fixture(scope="module")
def gated():
    return FAMILIES.find("gated").instance(64, 0.999, 0.001)


@pytest.mark.parametrize(
    ("advantage", "alone"),
    [  # α times this is the weight of a lone response, hand-computed: all others are right
        ("reinforce", lambda n: 1 / n),
        ("rloo", lambda n: 1 / n),
        ("dr_grpo", lambda n: (n - 1) / n**2),
        ("grpo", lambda n: (n - 1) / n / (math.sqrt(1 / n) + 1e-4) / n),
    ],
)
def test_limits_of_the_prediction(gated, advantage, alone):
    n, half_width, _ = gated.kernels.constants
    limit = sampled.half_kept_exact(gated, advantage, SUM, iterations=200)
    assert sampled_groups.half_kept(gated, advantage, SUM, 2**22, limit) == pytest.approx(limit, rel=0.05)
    kick = sampled_groups.lone_kick((2 * half_width + 1) / math.sqrt(n), 0.8, wrong=advantage != "reinforce")
    predicted = sampled_groups.half_kept(gated, advantage, SUM, 4, limit)
    assert predicted == pytest.approx(4 * kick / n / alone(4), rel=0.01)


def test_crossing_is_midway_on_the_predicted_curve(gated):
    for advantage, power in (("reinforce", 1.0), ("dr_grpo", 1.0), ("grpo", 0.5)):
        limit = sampled.half_kept_exact(gated, advantage, SUM, iterations=200)
        size = sampled_groups.crossing(gated, advantage, SUM, limit) / 0.001
        low, high = round(size / 1.1), round(size * 1.1)
        rates = [sampled_groups.half_kept(gated, advantage, SUM, s, limit) for s in (low, high)]
        assert math.log(rates[1] / rates[0]) / math.log(high / low) == pytest.approx(power / 2, abs=0.02)


def test_token_mean_is_left_open(gated):
    assert math.isnan(sampled_groups.half_kept(gated, "grpo", "token-mean", 16, 1.0))
    assert math.isnan(sampled_groups.crossing(gated, "grpo", "token-mean", 1.0))


@pytest.mark.parametrize("advantage", ["reinforce", "dr_grpo", "grpo"])
@pytest.mark.parametrize("size", [8, 512])
def test_prediction_is_near_what_is_measured(advantage, size):
    instance = FAMILIES.find("gated").instance(64, 0.95, 0.05)
    limit = sampled.half_kept_exact(instance, advantage, SUM, iterations=200)
    found = sampled.half_kept(
        instance,
        advantage,
        SUM,
        group_size=size,
        iterations=200,
        replicates=16,
        seed=2,
        coordinates={"advantage": advantage, "group_size": str(size)},
    )
    predicted = sampled_groups.half_kept(instance, advantage, SUM, size, limit)
    assert found.learning_rate / predicted == pytest.approx(1, abs=0.3)
