"""Binomial windows against sums in 50 digits, and masses against scipy."""

import numpy as np
import pytest
from gradgap.numerics.binomial import _fraction, _sum_up, pmf, window
from scipy import stats


def points(count, smallest, largest, seed):
    """Random (θ, n, B): windows from one count to ten standard deviations, starts from the middle to far out."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = 2 * max(1, round(10 ** rng.uniform(smallest, largest) / 2))
        half_width = int(rng.integers(0, max(1, min(n // 2, int(5 * np.sqrt(n)) + 1))))
        theta = rng.choice([-1, 1]) * 10 ** rng.uniform(-2.5, 1.6) * 2 / np.sqrt(n)
        yield theta, n, half_width


def worst_error(cases, exact_window):
    """Largest relative error of J, 1 − J and the gap where they can be represented, and how many were judged."""
    worst, judged, extremes = 0.0, 0, [1.0, 1.0]
    for theta, n, half_width in cases:
        found = window(theta, n, half_width)
        gap = found[2] + found[3]
        exact = exact_window(theta, n, half_width)
        for k, (value, true) in enumerate(zip((found[0], found[1], gap), exact, strict=True)):
            if abs(true) > 1e-300:
                worst = max(worst, abs(float(value / true - 1)))
                judged += 1
                if k < 2:
                    extremes[k] = min(extremes[k], float(true))
    return worst, judged, extremes


def test_rates_and_gap_at_a_thousand_random_points(exact_window, capsys):
    worst, judged, extremes = worst_error(points(1000, 0.31, 3.0, 0), exact_window)
    with capsys.disabled():
        print(f"\nJ, 1-J, gap: worst relative error {worst:.1e} of {judged}; least J, 1-J seen: {extremes}")
    assert judged > 2500
    assert extremes[0] < 1e-100  # both tails were reached
    assert extremes[1] < 1e-20
    assert worst < 1e-10


def test_rates_and_gap_at_long_lengths(exact_window):
    worst, judged, _ = worst_error(points(25, 4.0, 6.0, 1), exact_window)
    assert judged > 50
    assert worst < 1e-10


@pytest.mark.parametrize(
    ("theta", "half_width", "what"),
    [(0.0, 3561, "1 - J near 1e-12"), (-0.0761, 500, "J near 1e-300"), (0.0, 0, "the narrowest window")],
)
def test_a_million_tokens_at_the_edges(theta, half_width, what, exact_window):
    found = window(theta, 10**6, half_width)
    success, failure, _ = exact_window(theta, 10**6, half_width)
    assert found[0] == pytest.approx(float(success), rel=1e-10), what
    assert found[1] == pytest.approx(float(failure), rel=1e-10), what
    if "1e-12" in what:
        assert 1e-13 < found[1] < 1e-11
    if "1e-300" in what:
        assert 1e-305 < found[0] < 1e-290


@pytest.mark.parametrize("n", [4, 64, 1001, 30_000, 10**6])
@pytest.mark.parametrize("p", [0.5, 0.2, 0.001])
def test_a_tail_as_a_fraction_and_as_a_sum(n, p):
    q = 1 - p
    for deviations in (0.05, 0.5, 1, 3, 8, 20):
        k = int(np.ceil((n + 1) * p + deviations * np.sqrt(n * p * q)))
        if k <= n:
            found = _fraction(float(k), float(n - k + 1), k - (n + 1) * p, p, q)
            assert found == pytest.approx(_sum_up(k, n, n, p / q), rel=3e-12)
            if n <= 1001:
                terms = np.arange(k, n + 1)
                relative = np.exp(stats.binom.logpmf(terms, n, p) - stats.binom.logpmf(k, n, p))
                assert found == pytest.approx(relative.sum(), rel=1e-10)


def test_slopes_stay_finite_where_rates_underflow():
    success, failure, success_slope, failure_slope = window(-50.0, 1000, 10)
    assert success == 0.0
    assert failure == 1.0
    # far below the window log J ≈ log f(low), whose slope is low − np
    assert success_slope == pytest.approx(490, rel=1e-6)
    assert failure_slope == 0.0
    _, failure, _, failure_slope = window(-1e-3, 10**5, 40000)
    assert failure == 0.0
    assert np.isfinite(failure_slope)
    assert failure_slope > 0


def test_even_in_theta():
    for theta, n, half_width in points(50, 0.5, 4, 2):
        left, right = window(-abs(theta), n, half_width), window(abs(theta), n, half_width)
        assert left[:2] == right[:2]
        assert left[2:] == tuple(-slope for slope in right[2:])


def test_masses_against_scipy():
    rng = np.random.default_rng(3)
    for _ in range(300):
        n = int(10 ** rng.uniform(0, 5))
        k = int(rng.integers(0, n + 1))
        p = float(np.clip((k + rng.normal() * np.sqrt(n)) / n, 1e-6, 1 - 1e-6))
        assert pmf(k, n, p, 1 - p) == pytest.approx(stats.binom.pmf(k, n, p), rel=1e-9)
    assert pmf(0, 10, 0.0, 1.0) == 1.0
    assert pmf(3, 10, 0.0, 1.0) == 0.0
    assert pmf(10, 10, 1.0, 0.0) == 1.0
