"""The exact families: instances are what they were asked to be, or are refused."""

import itertools
import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.bandits.counting import Counting, evaluate, half_width
from gradgap.errors import ConfigError
from scipy import stats


@pytest.mark.parametrize("length", [16, 100, 4096, 10**6])
@pytest.mark.parametrize("success_rate", [1e-12, 0.01, 0.2, 0.6])
def test_counting_starts_at_the_asked_success_rate(length, success_rate):
    instance = FAMILIES.find("counting").instance(length, success_rate)
    success, failure, gap = instance.at(instance.theta0)
    assert instance.theta0 < 0
    assert gap > 0
    assert success == pytest.approx(success_rate, rel=1e-9)
    assert failure == pytest.approx(1 - success_rate, rel=1e-9)


@pytest.mark.parametrize("length", [16, 1024])
@pytest.mark.parametrize("failure_rate", [0.5, 1e-2, 1e-6])
def test_gated_starts_at_the_asked_success_rate(length, failure_rate):
    instance = FAMILIES.find("gated").instance(length, 1 - failure_rate, failure_rate)
    _, failure, _ = instance.at(instance.theta0)
    assert failure == pytest.approx(failure_rate, rel=1e-12)
    long_length, width, share = instance.parameters
    assert share == pytest.approx(failure_rate / 0.8)
    assert long_length % 2 == 0
    assert width == half_width(int(long_length), 1.0)
    assert instance.length == pytest.approx(share * long_length + 1 - share)
    assert abs(instance.length - length) <= share * (1 + 1e-6)  # N is the nearest even number


def test_gated_with_every_response_long_is_counting():
    counting = FAMILIES.find("counting").instance(64, 0.2)
    gated = FAMILIES.find("gated").instance(64, 0.2, 0.8)
    assert gated.theta0 == pytest.approx(counting.theta0, rel=1e-13)
    for theta in np.linspace(-3, 3, 31):
        assert gated.at(theta) == counting.at(theta)


@pytest.mark.parametrize(("n", "width", "share"), [(4, 1, 1.0), (6, 0, 1.0), (8, 2, 0.3), (10, 1, 0.05)])
@pytest.mark.parametrize("theta", [-1.5, -0.2, 0.0, 0.7])
def test_rates_and_gap_by_enumerating_every_response(n, width, share, theta):
    p = 1 / (1 + math.exp(-theta))
    right = wrong = right_score = wrong_score = 0.0
    for tokens in itertools.product((0, 1), repeat=n):
        ones = sum(tokens)
        probability = share * p**ones * (1 - p) ** (n - ones)
        score = sum(token - p for token in tokens)
        if abs(ones - n // 2) <= width:
            right += probability
            right_score += probability * score
        else:
            wrong += probability
            wrong_score += probability * score
    right += 1 - share  # short responses are right and carry no score
    success, failure, gap = evaluate(theta, np.array([n, width, share]))
    assert success == pytest.approx(right, rel=1e-12)
    assert failure == pytest.approx(wrong, rel=1e-12)
    assert gap == pytest.approx(right_score / right - wrong_score / wrong, rel=1e-11, abs=1e-13)


def test_best_success_rate_is_at_zero():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    best = instance.at(instance.best_theta)[0]
    assert best == pytest.approx(stats.binom.cdf(36, 64, 0.5) - stats.binom.cdf(27, 64, 0.5), rel=1e-12)
    assert all(instance.at(theta)[0] < best for theta in np.linspace(-2, 2, 40))


def test_start_by_deviations():
    instance = Counting().from_deviations(400, 2.0, 7)
    p = 1 / (1 + math.exp(-instance.theta0))
    assert 200 - 400 * p == pytest.approx(2.0 * math.sqrt(400) / 2)


@pytest.mark.parametrize(
    ("family", "length", "success_rate", "settings", "words"),
    [
        ("counting", 17, 0.2, {}, ["length", "17", "even"]),
        ("counting", 0, 0.2, {}, ["length", "0"]),
        ("counting", 64, 0.9, {}, ["success_rate", "0.9", "counting", "0.739"]),
        ("counting", 64, 0.0, {}, ["success_rate", "0"]),
        ("counting", 64, 1.0, {}, ["success_rate", "1"]),
        ("counting", 64, 0.2, {"window": 9}, ["window", "9", "64"]),
        ("gated", 64, 0.1, {}, ["success_rate", "0.1", "0.2"]),
        ("gated", 64, 0.9, {"start_failure_rate": 0.2}, ["start_failure_rate", "0.2", "above 0.25"]),
        ("gated", 64, 0.9, {"start_failure_rate": 1.5}, ["start_failure_rate", "1.5"]),
    ],
)
def test_instances_that_do_not_exist_are_refused(family, length, success_rate, settings, words):
    with pytest.raises(ConfigError) as error:
        FAMILIES.find(family).instance(length, success_rate, **settings)
    for word in words:
        assert word in str(error.value)


def test_unknown_family_is_refused():
    with pytest.raises(ConfigError, match=r"unknown bandit family 'bandit'; known: .*counting.*gated"):
        FAMILIES.find("bandit")
