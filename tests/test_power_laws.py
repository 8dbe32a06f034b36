"""Exponents and verdicts."""

import numpy as np
import pandas as pd
import pytest
from gradgap.inference import power_laws
from gradgap.inference.equivalence import Statement
from gradgap.theory import exponents
from scipy import stats

#: Exponents (a, b) of α* ∝ T^a (1−J)^b as DESIGN tabulates them.
TABLE = [
    ("counting", "gap", "seq-mean-token-sum", -1, None),
    ("counting", "grpo", "seq-mean-token-mean", 0, None),
    ("counting", "dr_grpo", "token-mean", 0, None),
    ("counting", "reinforce", "seq-mean-token-sum-norm", 0, None),
    ("gated", "gap", "seq-mean-token-sum", -1, 1),
    ("gated", "grpo", "seq-mean-token-sum", -1, 0.5),
    ("gated", "reinforce", "seq-mean-token-sum", -1, 0),
    ("gated", "rloo", "seq-mean-token-sum", -1, 0),
    ("gated", "dr_grpo", "seq-mean-token-sum", -1, 0),
    ("gated", "grpo", "token-mean", 0, 0.5),
    ("gated", "dr_grpo", "token-mean", 0, 0),
    ("gated", "grpo", "seq-mean-token-mean", 0, -0.5),
    ("gated", "grpo", "seq-mean-token-sum-norm", 0, -0.5),
    ("gated", "dr_grpo", "seq-mean-token-mean", 0, -1),
    ("gated", "dr_grpo", "seq-mean-token-sum-norm", 0, -1),
]


@pytest.mark.parametrize(("family", "advantage", "aggregation", "a", "b"), TABLE)
def test_predicted_exponents(family, advantage, aggregation, a, b):
    assert exponents.length_exponent(family, advantage, aggregation) == a
    if b is not None:
        assert exponents.failure_exponent(family, advantage, aggregation) == b
    else:
        assert np.isnan(exponents.failure_exponent(family, advantage, aggregation))


def test_a_fit_against_scipy():
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 100, 12)
    y = 3 * x**-0.7 * np.exp(0.1 * rng.normal(size=12))
    line = stats.linregress(np.log(x), np.log(y))
    half = stats.t.ppf(0.975, 10) * line.stderr
    found = power_laws.fit(x, y)
    assert found.exponent == pytest.approx(line.slope)
    assert found.low == pytest.approx(line.slope - half)
    assert found.high == pytest.approx(line.slope + half)
    assert found.factor == pytest.approx(np.exp(line.intercept))
    assert found.n == 12


def test_a_fit_with_groups_against_dummy_variables():
    rng = np.random.default_rng(1)
    x, group = np.tile(np.geomspace(1, 100, 6), 3), np.repeat([0, 1, 2], 6)
    y = np.array([1.0, 5.0, 20.0])[group] * x**0.5 * np.exp(0.05 * rng.normal(size=18))
    design = np.column_stack([np.log(x), *(group == k for k in range(3))]).astype(float)
    solution, residual, *_ = np.linalg.lstsq(design, np.log(y), rcond=None)
    covariance = np.linalg.inv(design.T @ design) * residual[0] / (18 - 4)
    half = stats.t.ppf(0.975, 14) * np.sqrt(covariance[0, 0])
    found = power_laws.fit(x, y, group)
    assert found.exponent == pytest.approx(solution[0])
    assert found.high - found.low == pytest.approx(2 * half)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(2)
    x = np.geomspace(1, 100, 8)
    covered = 0
    for _ in range(1000):
        found = power_laws.fit(x, x**-1 * np.exp(0.2 * rng.normal(size=8)))
        covered += found.low <= -1 <= found.high
    assert 925 <= covered <= 990  # 950 by the residuals; the bootstrap can only make the interval larger


def test_too_few_points_give_no_fit():
    assert power_laws.fit([1, 2], [1, 2]) is None
    assert power_laws.fit([1, 1, 1], [1, 2, 3]) is None
    assert power_laws.fit([1, 2, 3], [1, np.nan, 3]) is None


def test_the_interval_is_the_larger_of_two():
    rng = np.random.default_rng(4)
    kinds = set()
    for _ in range(50):
        x = np.geomspace(1, 100, 6)
        y = x**-1 * np.exp(0.2 * rng.normal(size=6))
        found = power_laws.fit(x, y, seed=int(rng.integers(100)))
        assert found.high - found.exponent == pytest.approx(max(found.residual, found.bootstrap))
        assert found.exponent - found.low == pytest.approx(max(found.residual, found.bootstrap))
        kinds.add(found.residual > found.bootstrap)
    assert True in kinds


def test_the_bootstrap_over_points_against_refits():
    """Half-width by hand: each resample fitted by numpy, its farther 95 % end."""
    rng = np.random.default_rng(5)
    x = np.geomspace(1, 100, 12)
    y = x**0.5 * np.exp(0.3 * rng.standard_t(2, size=12))
    found = power_laws.fit(x, y, seed=11)
    slopes = []
    for _ in range(4000):
        picks = rng.integers(12, size=12)
        slopes.append(np.polyfit(np.log(x[picks]), np.log(y[picks]), 1)[0])
    low, high = np.quantile(slopes, [0.025, 0.975])
    assert found.bootstrap == pytest.approx(max(found.exponent - low, high - found.exponent), rel=0.1)


def test_intervals_of_the_points_carry_over_to_the_exponent():
    """Points on a line to the last digit have no residual; the spread is that of exponents of redrawn points."""
    rng = np.random.default_rng(6)
    x = np.geomspace(1, 100, 5)
    wide = np.array([1.1, 1.3, 1.1, 1.5, 1.2])
    found = power_laws.fit(x, 1 / x, low=1 / x / wide, high=wide / x)
    assert found.residual == pytest.approx(0, abs=1e-12)
    deviation = np.log(wide) / 1.959964
    drawn = [np.polyfit(np.log(x), -np.log(x) + deviation * rng.normal(size=5), 1)[0] for _ in range(20_000)]
    assert found.bootstrap == pytest.approx(1.959964 * np.std(drawn), rel=0.03)
    unknown = power_laws.fit(x, 1 / x, low=np.full(5, np.nan), high=wide / x)
    assert unknown.bootstrap == 0


def test_rows_fill_the_table():
    labels = {"study": "s", "family": "f", "advantage": "a", "aggregation": "g"}
    found = power_laws.fit([1, 2, 4, 8], [8, 4, 2, 1])
    rows = [
        power_laws.row(labels, "length", -1.0, found, closed_form=found, search="one"),
        power_laws.row(labels, "length", 0.0, found, search="one"),
        power_laws.row(labels, "length", 0.0, found, statement=Statement.BOUND, search="one"),
    ]
    table = power_laws.table(rows)
    assert list(table.columns) == power_laws.COLUMNS
    assert table.verdict.tolist() == ["confirmed", "refuted", "not attained"]
    assert table.measured.tolist() == pytest.approx([-1] * 3)
    assert table.closed_form.isna().tolist() == [False, True, True]
    assert set(table.search) == {"s: one"}
    assert table.optimizer.tolist() == ["sgd"] * 3  # where none is named
    named = power_laws.row({**labels, "optimizer": "adam"}, "length", -1.0, found, search="one")
    assert named["optimizer"] == "adam"
    assert isinstance(power_laws.table([]), pd.DataFrame)
