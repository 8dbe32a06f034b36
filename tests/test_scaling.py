"""Exponents and verdicts."""

import numpy as np
import pandas as pd
import pytest
from gradgap.inference import power_laws
from gradgap.theory import closed_forms
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
    assert closed_forms.length_exponent(family, advantage, aggregation) == a
    if b is not None:
        assert closed_forms.failure_exponent(family, advantage, aggregation) == b
    else:
        assert np.isnan(closed_forms.failure_exponent(family, advantage, aggregation))


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
    assert 925 <= covered <= 975


def test_too_few_points_give_no_fit():
    assert power_laws.fit([1, 2], [1, 2]) is None
    assert power_laws.fit([1, 1, 1], [1, 2, 3]) is None
    assert power_laws.fit([1, 2, 3], [1, np.nan, 3]) is None


@pytest.mark.parametrize(
    ("predicted", "low", "exponent", "high", "sampled", "verdict"),
    [
        (-1.0, -0.99, -0.98, -0.97, False, "confirmed"),  # outside the interval, within 0.03
        (-1.0, -0.97, -0.96, -0.95, False, "refuted"),
        (-1.0, -0.99, -0.98, -0.97, True, "refuted"),  # a sampled one has its interval only
        (-1.0, -1.3, -0.9, -0.5, True, "confirmed"),
        (-1.0, -1.3, -0.9, -0.5, False, "confirmed"),
    ],
)
def test_verdicts(predicted, low, exponent, high, sampled, verdict):
    assert (
        power_laws.verdict(predicted, power_laws.Fit(exponent, low, high, 1.0, 5), sampled=sampled) == verdict
    )


def test_rows_fill_the_table():
    labels = {"study": "s", "family": "f", "advantage": "a", "aggregation": "g"}
    table = power_laws.table(
        [power_laws.row(labels, "length", -1.0, power_laws.fit([1, 2, 4, 8], [8, 4, 2, 1]))]
    )
    assert list(table.columns) == power_laws.COLUMNS
    assert table.verdict.item() == "confirmed"
    assert table.measured.item() == pytest.approx(-1)
    assert isinstance(power_laws.table([]), pd.DataFrame)
