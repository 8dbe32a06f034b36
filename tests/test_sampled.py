"""Sampled dynamics: responses as the exact family has them, runs, outcomes, refusals."""

import dataclasses
import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES, groups
from gradgap.errors import ConfigError
from gradgap.numerics import streams
from gradgap.training import run as dynamics
from gradgap.training import sampled

SUM = "seq-mean-token-sum"


def draw(instance, theta, size, seed=0):
    """One group of responses: arrays of reward, score, length and count, a row each."""
    group, workspace = np.empty((groups.COLUMNS, size + 1)), np.empty(instance.workspace)
    state = streams.state(seed, {"theta": repr(theta)})
    rows, drawn = instance.sample(state, theta, instance.parameters, size, 1, group, workspace)
    assert drawn == 1
    columns = [groups.REWARD, groups.SCORE, groups.LENGTH, groups.COUNT]
    return group[columns, :rows]


@pytest.mark.parametrize(
    ("family", "length", "success_rate"),
    [("counting", 64, 0.2), ("counting", 4096, 0.3), ("gated", 64, 0.99)],
)
@pytest.mark.parametrize("share", [1.0, 0.3, -0.5])
def test_sampled_responses_have_the_exact_rates_and_gap(family, length, success_rate, share):
    instance = FAMILIES.find(family).instance(length, success_rate)
    theta, size = share * instance.theta0, 400_000
    rewards, scores, lengths, counts = draw(instance, theta, size)
    success, failure, gap = instance.at(theta)
    assert counts.sum() == size
    right = float(counts @ rewards)
    assert abs(right / size - success) < 4 * math.sqrt(success * failure / size)
    wrong = scores[rewards == 0]
    assert abs(wrong.mean() + success * gap) < 4 * wrong.std() / math.sqrt(len(wrong))  # E[s | wrong] = −J g
    spread = math.sqrt(float(counts @ scores**2)) / size
    assert abs(counts @ scores) / size < 4 * spread  # E[s] = 0
    spread = math.sqrt(float(counts @ (lengths - instance.length) ** 2)) / size
    assert abs(counts @ lengths / size - instance.length) <= 4 * spread
    p = 1 / (1 + math.exp(-theta))
    ones = scores + instance.max_length * p
    long = lengths > 1
    assert ones[long] == pytest.approx(np.round(ones[long]), abs=1e-6)  # a count, less its mean
    assert (
        rewards[long] == (abs(np.round(ones[long]) - length_of(instance) / 2) <= half_width(instance))
    ).all()


def length_of(instance):
    return instance.parameters[0]


def half_width(instance):
    return instance.parameters[1]


def run(instance, rate, **options):
    settings = {"group_size": 16, "iterations": 300, "state": streams.state(1, {"replicate": "0"})}
    return sampled.run(instance, "rloo", SUM, rate, **(settings | options))


@pytest.fixture(scope="module")
def counting():
    return FAMILIES.find("counting").instance(64, 0.2)


def test_a_run_is_its_stream(counting):
    first, again = run(counting, 0.1, path=True), run(counting, 0.1, path=True)
    other = run(counting, 0.1, path=True, state=streams.state(1, {"replicate": "1"}))
    assert np.array_equal(first.failure_rate, again.failure_rate)
    assert not np.array_equal(first.failure_rate, other.failure_rate)
    assert first.failure_rate[0] == counting.at(counting.theta0)[1]
    assert first.final_failure_rate == pytest.approx(first.failure_rate[-31:-1].mean(), rel=0.05)
    assert first.success_rate + first.failure_rate == pytest.approx(np.ones(301))


@pytest.mark.parametrize(
    ("rate", "outcome"),
    [(1e-6, "slow"), (0.02, "converged"), (0.4, "stagnated"), (20.0, "collapsed")],
)
def test_outcomes(counting, rate, outcome):
    assert run(counting, rate).outcome.name == outcome


@pytest.mark.parametrize("schedule", ["constant", "failure-rate"])
@pytest.mark.parametrize("length", [16, 64])
def test_final_rates_need_no_outcome(length, schedule):
    gated = FAMILIES.find("gated").instance(length, 0.98)
    judged = run(gated, 0.2, schedule=schedule)
    final = run(gated, 0.2, schedule=schedule, outcome=False)
    assert final.outcome is None
    assert final.final_success_rate == judged.final_success_rate
    assert final.final_failure_rate == judged.final_failure_rate


@pytest.mark.parametrize("advantage", ["reinforce", "dr_grpo", "grpo"])
@pytest.mark.parametrize("family", ["counting", "gated"])
def test_very_large_groups_follow_the_exact_run(family, advantage):
    instance = FAMILIES.find(family).instance(64, {"counting": 0.2, "gated": 0.9}[family])
    rate = {"reinforce": 0.05, "dr_grpo": 0.05, "grpo": 0.02}[advantage]
    exact = dynamics.run(instance, advantage, SUM, rate, iterations=20, path=True)
    noisy = sampled.run(
        instance,
        advantage,
        SUM,
        rate,
        group_size=200_000,
        iterations=20,
        state=streams.state(1, {}),
        path=True,
    )
    moved = exact.failure_rate[0] - exact.failure_rate[-1]
    assert moved > 0.05 * exact.failure_rate[0]
    assert noisy.failure_rate == pytest.approx(exact.failure_rate, abs=0.02 * moved)


def test_groups_all_right_or_all_wrong_move_nothing():
    lost = FAMILIES.find("counting").instance(64, 0.2)
    lost = dataclasses.replace(lost, theta0=-30.0)  # every response wrong
    for advantage in ("reinforce", "rloo", "dr_grpo", "grpo"):
        updates = sampled.updates(
            lost, advantage, SUM, -30.0, group_size=8, state=streams.state(1, {}), count=100
        )
        assert not updates.any()


def test_runs_are_long_enough_to_see_failures():
    instance = FAMILIES.find("gated").instance(64, 0.99, 0.01)
    assert sampled.iterations_to_judge(instance, 4, 200) == 5000  # 5000 · 4 · 0.01 = 200
    assert sampled.iterations_to_judge(instance, 1024, 200) == 200


def test_a_family_without_sampler_is_refused(counting):
    with pytest.raises(ConfigError, match="'counting' has no sampler"):
        run(dataclasses.replace(counting, sample=None), 0.1)
