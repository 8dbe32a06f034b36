"""The bootstrap against what is known of it."""

import math

import numpy as np
import pytest
from gradgap.inference import bootstrap


@pytest.mark.parametrize("paired", [True, False])
def test_means_spread_as_their_standard_error(paired):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 40))
    again = bootstrap.means(values, rng, resamples=20_000, paired=paired)
    assert again.mean(axis=0) == pytest.approx(values.mean(axis=1), abs=0.01)
    assert again.std(axis=0) == pytest.approx(values.std(axis=1) / math.sqrt(40), rel=0.03)


def test_paired_means_keep_what_replicates_share():
    rng = np.random.default_rng(1)
    values = np.tile(rng.normal(size=30), (2, 1))
    one, two = bootstrap.means(values, rng, paired=True).T
    assert np.array_equal(one, two)
    one, two = bootstrap.means(values, rng, resamples=4000, paired=False).T
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.08


def test_intervals_are_quantiles():
    values = np.random.default_rng(2).normal(size=1001)
    ordered = np.sort(values)
    assert bootstrap.interval(values) == pytest.approx((ordered[25], ordered[975]))
    assert bootstrap.interval(values, 0.5) == pytest.approx((ordered[250], ordered[750]))


def test_intervals_of_estimates_that_are_missing_or_infinite():
    assert np.isnan(bootstrap.interval([math.nan, math.nan])).all()
    assert bootstrap.interval([1.0, math.nan, 1.0]) == (1.0, 1.0)
    assert bootstrap.interval([0.0] * 90 + [math.inf] * 10) == (0.0, math.inf)
    assert bootstrap.interval([0.0] * 999 + [math.inf]) == (0.0, 0.0)


def test_cases_stay_in_their_group_and_are_drawn_evenly():
    groups = np.array(["a", "b", "a", "b", "b"])
    picks = bootstrap.cases(groups, np.random.default_rng(3), 6000)
    assert (groups[picks] == groups).all()
    shares = [(picks[:, 1] == k).mean() for k in (1, 3, 4)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.03)
