"""The instrument: identities by enumeration, estimates against bandits whose answer is known, and each refusal."""

import json
import math
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from gradgap import cli
from gradgap.bandits import enumerated as policies
from gradgap.errors import ConfigError
from gradgap.numerics.binomial import window
from gradgap.probe import Headroom, HeadroomController, Record, Status, climb, pool, probe, read
from gradgap.probe.weights import (
    blend,
    contributions,
    crossing,
    effective,
    excess,
    log_mean_exp,
    log_odds,
)
from scipy.optimize import brentq

STEPS = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])


class Line:
    """A `counting` or `gated` bandit along a step of θ: sampler, log-probabilities, and the truth."""

    def __init__(self, length, half_width, share, theta, step):
        self.length, self.half_width, self.share = length, half_width, share
        self.theta, self.step = theta, step

    def at(self, t):
        return self.theta + t * self.step

    def success(self, t):
        return 1 - self.share * window(self.at(t), self.length, self.half_width)[1]

    def slope(self, t=0.0):
        """dJ/dθ."""
        success, failure, up, down = window(self.at(t), self.length, self.half_width)
        return self.share * success * failure * (up + down)

    def moved(self, t, step=None):
        """The bandit from t on."""
        return Line(self.length, self.half_width, self.share, self.at(t), self.step if step is None else step)

    def draw(self, generator, size, t=0.0):
        """Rewards, and responses as pairs (long, ones)."""
        long = generator.random(size) < self.share
        ones = generator.binomial(int(self.length), 1 / (1 + math.exp(-self.at(t))), size)
        right = ~long | (np.abs(ones - self.length // 2) <= self.half_width)
        return right.astype(float), np.stack([long, ones], axis=1)

    def score(self, responses, t):
        theta = self.at(t)
        own = responses[:, 1] * theta - self.length * np.log1p(np.exp(theta))
        short = math.log1p(-self.share) if self.share < 1 else 0.0
        return np.where(responses[:, 0] == 1, own + math.log(self.share), short)

    def scored(self, responses, steps):
        return np.stack([self.score(responses, t) for t in steps], axis=1)


def counting(spreads, headroom, length=64, share=1.0):
    """A bandit that starts so many standard deviations from the middle, and a step of known headroom."""
    theta = -2 * spreads / math.sqrt(length)
    return Line(length, round(math.sqrt(length) / 2), share, theta, 2 * abs(theta) / headroom)


# --- identities ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def enumerated():
    """Every response of a tiny policy: its probability along a line, and whether it is right."""
    generator = np.random.default_rng(5)
    while True:  # some random policies end early and have few responses
        policy, direction = policies.draw(generator, 4, 3, 4)
        line = policy.line(direction)
        if len(line.right) >= 12:
            break

    def probability(t):
        moved = policies.Line(line.tree, line.logit + t * line.slope, line.slope, line.right)
        return moved.responses()[0]

    return probability, line


@pytest.mark.parametrize("t", [-1.0, 0.3, 2.0])
def test_log_odds_gained_are_the_difference_of_the_outcomes_cumulants(enumerated, t):
    probability, line = enumerated
    start, moved = probability(0.0), probability(t)
    change = np.log(moved / start)[:, None]
    one, none = (log_mean_exp(change[mask], start[mask])[0] for mask in (line.right, ~line.right))
    success0, failure0 = line.at(0.0)[:2]
    success, failure = line.at(t)[:2]
    assert one - none == pytest.approx(math.log(success / failure) - math.log(success0 / failure0), abs=1e-12)
    # each outcome by itself knows the same: J e^K₁ is the success rate, (1 − J) e^K₀ the failure rate
    assert success0 * math.exp(one) == pytest.approx(success, rel=1e-12)
    assert failure0 * math.exp(none) == pytest.approx(failure, rel=1e-12)


def test_contributions_are_unbiased_for_any_two_responses(enumerated):
    # the expectation over every pair of responses, by enumeration
    probability, line = enumerated
    start, moved = probability(0.0), probability(0.7)
    weights = (moved / start - 1)[:, None]
    mean = 0.0
    for i in range(len(start)):
        for j in range(len(start)):
            pair = np.array([i, j])
            both = contributions(np.full(2, 0.5), weights[pair], line.right[pair], None).sum()
            mean += start[i] * start[j] * both
    assert mean == pytest.approx(line.at(0.7)[0] - line.at(0.0)[0], abs=1e-12)


def test_contributions_are_unbiased_with_prompts_of_unequal_groups(enumerated):
    probability, line = enumerated
    start, moved = probability(0.0), probability(0.7)
    other, other_moved = probability(-0.5), probability(0.4)
    top = np.argsort(-start)[:12]  # a coarser policy, so that triples can be enumerated
    first, first_moved = start[top] / start[top].sum(), moved[top] / moved[top].sum()
    second, second_moved = other[top] / other[top].sum(), other_moved[top] / other_moved[top].sum()
    right = line.right[top]
    prompt = np.array([0, 0, 1])
    weight = np.array([0.25, 0.25, 0.5])
    mean = 0.0
    for i in range(12):
        for j in range(12):
            for k in range(12):
                ratio = np.array(
                    [first_moved[i] / first[i], first_moved[j] / first[j], second_moved[k] / second[k]]
                )
                total = contributions(weight, (ratio - 1)[:, None], right[[i, j, k]], prompt).sum()
                mean += first[i] * first[j] * second[k] * total
    truth = 0.5 * ((first_moved - first) @ right) + 0.5 * ((second_moved - second) @ right)
    assert mean == pytest.approx(truth, abs=1e-12)


def test_blend_is_exact_on_parabolas_and_keeps_the_trial_steps():
    steps = np.array([-1.0, 0.0, 0.5, 2.0, 7.0])
    at = np.linspace(-1, 7, 41)
    matrix = blend(steps, at)
    assert matrix @ (3 - steps + 2 * steps**2) == pytest.approx(3 - at + 2 * at**2, abs=1e-10)
    assert blend(steps, steps) == pytest.approx(np.eye(5), abs=1e-12)
    assert blend(np.array([0.0, 2.0]), np.array([0.5])) == pytest.approx(np.array([[0.75, 0.25]]))


def test_weights_of_thousands_of_nats_do_not_overflow():
    change = np.array([[-2000.0], [1500.0], [1500.0]])
    assert log_mean_exp(change, np.ones(3))[0] == pytest.approx(1500 + math.log(2 / 3))
    assert effective(change, np.ones(3))[0] == pytest.approx(2.0)
    assert np.isfinite(excess(change)).all()


def test_log_odds_from_a_gain_keep_their_digits():
    assert log_odds(np.array([1e-14]), 0.25)[0] == pytest.approx(1e-14 / (0.25 * 0.75), rel=1e-10)
    assert log_odds(np.array([0.25]), 0.5)[0] == pytest.approx(math.log(3))


def test_crossing_is_the_first_one():
    t = np.linspace(0.1, 5, 50)
    assert crossing(t, t * (1.234 - t)) == pytest.approx(1.234)
    assert crossing(t, t * (0.03 - t)) == pytest.approx(0.03)
    assert crossing(t, t * np.cos(t)) == pytest.approx(math.pi / 2, abs=1e-3)
    assert crossing(t, -t) == 0
    assert crossing(t, t) == np.inf


# --- probe against exact answers ----------------------------------------------------------------------------


def test_truth_of_the_bandits_is_what_the_tests_take_it_for():
    line = counting(0.3, 4.0)
    edge = brentq(lambda t: line.success(t) - line.success(0.0), 2.0, 6.0)
    assert edge == pytest.approx(4.0)


@pytest.mark.parametrize(("share", "spreads"), [(1.0, 0.25), (0.3, 0.3)])  # counting, and gated
def test_probe_finds_the_exact_headroom_and_gain(share, spreads):
    line = counting(spreads, 4.0, share=share)
    rewards, responses = line.draw(np.random.default_rng(3), 20_000)
    found = probe(rewards, line.scored(responses, STEPS), STEPS, seed=1)
    assert found.status is Status.measured
    assert found.headroom == pytest.approx(4.0, rel=0.1)
    assert found.headroom_interval[0] < 4.0 < found.headroom_interval[1]
    assert found.gain == pytest.approx(line.success(1.0) - line.success(0.0), rel=0.15)
    assert found.mean_weight == pytest.approx(1.0, abs=0.01)
    assert found.responses == 20_000


def test_effective_sizes_are_those_of_the_weights():
    line = counting(0.25, 4.0)
    rewards, responses = line.draw(np.random.default_rng(3), 5_000)
    steps = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    found = probe(rewards, line.scored(responses, steps), steps, seed=1)
    weight = np.exp(line.score(responses, found.headroom) - line.score(responses, 0.0))
    for right, size in ((1, found.effective_right), (0, found.effective_wrong)):
        own = weight[rewards == right]
        assert size == pytest.approx(own.sum() ** 2 / (own**2).sum(), rel=0.01)


def test_interval_covers_and_beyond_reach_is_true():
    generator = np.random.default_rng(11)
    line = counting(0.3, 4.0)
    covered, far = [], 0
    for seed in range(100):
        rewards, responses = line.draw(generator, 512)
        found = probe(rewards, line.scored(responses, STEPS), STEPS, seed=seed, resamples=200)
        if found.status is Status.measured:
            covered.append(found.headroom_interval[0] <= 4.0 <= found.headroom_interval[1])
        else:
            far += 1
    assert len(covered) >= 90
    assert far <= 10
    assert 0.82 <= np.mean(covered) <= 0.98  # 0.9 within 2.5 standard deviations of a hundred trials
    line = counting(1.5, 12.0)  # the edge is three standard deviations of the count away
    for seed in range(20):
        rewards, responses = line.draw(generator, 512)
        found = probe(rewards, line.scored(responses, STEPS), STEPS, seed=seed, resamples=100)
        assert found.status is Status.beyond_reach
        assert found.headroom == found.reach < 12.0
        assert found.headroom_interval[1] == np.inf


def test_prompts_and_their_weights():
    # two prompts of unequal difficulty and unequal groups; the weights decide whose edge counts
    near, far = counting(0.25, 2.0), counting(0.25, 4.0)
    generator = np.random.default_rng(2)
    parts = [line.draw(generator, size) for line, size in ((near, 6000), (far, 12000))]
    rewards = np.concatenate([part[0] for part in parts])
    steps = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
    logps = np.concatenate(
        [line.scored(part[1], steps) for line, part in zip((near, far), parts, strict=True)]
    )
    prompts = np.repeat(["near", "far"], [6000, 12000])

    def truth(share):
        def gain(t):
            return share * (near.success(t) - near.success(0)) + (1 - share) * (
                far.success(t) - far.success(0)
            )

        return brentq(gain, 0.5, 4.5)

    equal = probe(rewards, logps, steps, prompts=prompts, seed=1, least_share=0.1)
    assert equal.headroom == pytest.approx(truth(0.5), rel=0.1)
    weights = np.where(prompts == "far", 9.0, 1.0)
    mostly_far = probe(rewards, logps, steps, prompts=prompts, weights=weights, seed=1, least_share=0.1)
    assert mostly_far.headroom == pytest.approx(truth(0.1), rel=0.1)
    assert mostly_far.headroom > equal.headroom


def test_the_same_seed_gives_the_same_answer_and_rows_may_stand_in_any_order():
    line = counting(0.25, 4.0)
    rewards, responses = line.draw(np.random.default_rng(3), 400)
    logps = line.scored(responses, STEPS)
    first = probe(rewards, logps, STEPS, seed=4)
    assert probe(rewards, logps, STEPS, seed=4) == first
    assert probe(rewards, logps[:, ::-1], STEPS[::-1], seed=4) == first
    shuffled = np.random.default_rng(1).permutation(400)
    again = probe(rewards[shuffled], logps[shuffled], STEPS, seed=4)
    assert again.headroom == pytest.approx(first.headroom, rel=1e-9)


def test_a_step_against_the_gradient_has_no_headroom():
    line = counting(0.8, 4.0)
    back = line.moved(0.0, -line.step)
    rewards, responses = back.draw(np.random.default_rng(3), 4000)
    found = probe(rewards, back.scored(responses, STEPS), STEPS, seed=1)
    assert found.status is Status.measured
    assert found.headroom == 0
    assert found.gain < 0


def test_void_where_an_outcome_has_too_few_responses():
    line = counting(0.25, 4.0)
    rewards, responses = line.draw(np.random.default_rng(3), 16)
    assert 0 < (rewards == 0).sum() < 8
    found = probe(rewards, line.scored(responses, STEPS), STEPS, seed=1)
    assert found.status is Status.void
    assert math.isnan(found.headroom)
    assert str(found).startswith("void: too few effective responses")


def test_in_sample_responses_are_refused_where_it_can_tell():
    line = counting(0.25, 4.0)
    rewards, responses = line.draw(np.random.default_rng(3), 40)
    logps = line.scored(responses, STEPS)
    with pytest.raises(ConfigError, match="built the update"):
        probe(rewards, logps, STEPS, seed=1, in_sample=True)
    with pytest.raises(ConfigError, match="ids: 3 of 40 responses built the update"):
        probe(rewards, logps, STEPS, seed=1, ids=range(40), built=range(37, 99))
    assert isinstance(probe(rewards, logps, STEPS, seed=1, ids=range(40), built=range(40, 99)), Headroom)
    with pytest.raises(ConfigError, match="built the update"):
        Record(rewards, line.scored(responses, [-1, -0.5, 0]), [-1, -0.5, 0], ids=["a"] * 40, built=["a"])


def test_responses_of_another_policy_show_in_the_mean_weight():
    line = counting(0.25, 4.0)
    steps = np.array([0.0, 1.0, 2.0])
    rewards, responses = line.draw(np.random.default_rng(3), 4000, t=5.0)  # scored as if drawn at t = 0
    found = probe(rewards, line.scored(responses, steps), steps, seed=1)
    p = 1 / (1 + math.exp(-line.at(5.0)))
    normaliser = np.log1p(np.exp(line.at(1.0))) - np.log1p(np.exp(line.at(0.0)))
    exact = math.exp(line.length * (math.log1p(p * math.expm1(line.step)) - normaliser))
    assert found.mean_weight == pytest.approx(exact, abs=4 * found.mean_weight_error)
    assert found.mean_weight - 1 > 5 * found.mean_weight_error
    rewards, responses = line.draw(np.random.default_rng(3), 4000)
    found = probe(rewards, line.scored(responses, steps), steps, seed=1)
    assert abs(found.mean_weight - 1) < 4 * found.mean_weight_error


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rewards": [1.0, 1.0, 1.0]}, "only right responses"),
        ({"rewards": [0.0, 0.0, 0.0]}, "only wrong responses"),
        ({"rewards": [0.0, 0.5, 1.0]}, "reward: found 0.5 in row 2"),
        ({"rewards": [0.0, np.nan, 1.0]}, "reward: found nan in row 2"),
        ({"rewards": [0.0, 1.0]}, "logp: found shape"),
        ({"rewards": []}, "one number for each response"),
        ({"rewards": ["a", "b", "c"]}, "reward: not an array of numbers"),
        ({"logps": [[-1.0, -1.0], [-2.0, np.nan], [-1.0, -2.0]]}, "logp@1: found nan in row 2"),
        ({"logps": [[-1.0, -1.0], [0.5, -1.0], [-1.0, -2.0]]}, "logp@0: found a positive value in row 2"),
        ({"logps": [[-1.0, -np.inf], [-2.0, -1.0], [-1.0, -2.0]]}, "logp@1: found -inf in row 1"),
        ({"logps": [[-1.0], [-2.0, -1.0], [-1.0, -2.0]]}, "equal lengths"),
        ({"steps": [0.5, 1.0]}, "steps: found 0.5, 1; allowed: 0"),
        ({"steps": [0.0, 0.0]}, "stands twice"),
        ({"steps": [0.0, -1.0]}, "none above 0"),
        ({"prompts": ["a"]}, "prompt: found shape"),
        ({"weights": [1.0, -1.0, 1.0]}, "weight: found a negative"),
    ],
)
def test_bad_arrays(changed, message):
    arrays = {
        "rewards": [0.0, 1.0, 1.0],
        "logps": [[-1.0, -1.0], [-2.0, -1.0], [-1.0, -2.0]],
        "steps": [0.0, 1.0],
    } | changed
    extra = {name: arrays[name] for name in ("prompts", "weights") if name in arrays}
    with pytest.raises(ConfigError, match=message):
        probe(arrays["rewards"], arrays["logps"], arrays["steps"], seed=1, **extra)


# --- pool ---------------------------------------------------------------------------------------------------

AROUND = np.array([-1.0, -0.5, 0.0, 0.5])


def record_of(line, generator, size, learning_rate=1.0):
    """A record as a run makes it: the step taken, then a batch from the new weights."""
    after = line.moved(1.0)
    rewards, responses = after.draw(generator, size)
    return Record(rewards, after.scored(responses, AROUND), AROUND, learning_rate=learning_rate)


@pytest.mark.parametrize("headroom", [2.0, 4.0, 10.0])
def test_parabola_is_seen_from_the_start_of_the_step(headroom):
    # near the middle J is a parabola in θ, and a step of 1/headroom of the way to the mirror image has that headroom;
    # seen from the end of the step what is left would be two steps less
    line = counting(0.02, headroom)
    generator = np.random.default_rng(1)
    records = [record_of(line, generator, 100_000) for _ in range(2)]
    slope, curvature = np.mean([record.derivatives for record in records], axis=0)
    start = line.success(0.0)
    d1 = (line.success(1.001) - line.success(0.999)) / 0.002
    d2 = (line.success(1.1) - 2 * line.success(1.0) + line.success(0.9)) / 0.01
    assert 2 * (d1 - d2) / -d2 == pytest.approx(headroom, rel=0.01)
    assert 2 * d1 / -d2 == pytest.approx(headroom - 2, abs=0.02)
    assert curvature == pytest.approx(d2, rel=0.35)
    assert line.success(headroom) == pytest.approx(start)
    assert slope - curvature == pytest.approx(d1 - d2, abs=0.35 * abs(d2) * headroom)


def descent(share, noise, size, steps=20, theta=-0.08, seed=4):
    """Records of a run of θ' = θ + α (J′ + noise) at a share of the critical rate, and what its parabolas are."""
    line = counting(-theta * 4, 1.0)
    critical = 2 * 1e-3 / -line.moved(0.0, 1e-3 - line.theta).slope(1.0)  # 2/|J″(0)|
    generator = np.random.default_rng(seed)
    records, exact, first = [], [], counting(0.08 * 4, 1.0).slope()
    for _ in range(steps):
        line = line.moved(0.0, share * critical * (line.slope() + noise * generator.normal() * first))
        records.append(record_of(line, generator, size, share * critical))
        after = line.success(1.0)
        moves = AROUND[AROUND != 0]
        half, straight, _ = np.polyfit(
            [*moves, 0], [*(line.success(1 + t) - after for t in moves), 0], 2, w=[*np.ones(3), 1e6]
        )
        exact.append((straight, 2 * half))
        line = line.moved(1.0)
    straight, curvature = np.sum(exact, axis=0)
    return critical, records, 2 * (straight - curvature) / -curvature


def test_pool_recovers_the_critical_learning_rate_from_a_safe_run():
    critical, records, exact = descent(1 / 5, 0.0, 20_000, steps=8)
    found = pool(records, seed=1)
    assert exact == pytest.approx(5.0, rel=0.05)
    assert found.status is Status.measured
    assert found.headroom * records[0].learning_rate == pytest.approx(critical, rel=0.15)


def test_pooled_interval_covers_what_exact_success_rates_would_say():
    # with noise the answer is that of the run, not of the expected update: the noise floor pulls it towards 1
    covered = []
    for seed in range(40):
        _, records, exact = descent(1 / 5, 0.4, 512, seed=seed)
        low, high = pool(records, seed=seed, resamples=200).headroom_interval
        covered.append(low <= exact <= high)
    assert 0.75 <= np.mean(covered) <= 1.0


def test_at_the_noise_floor_the_headroom_is_one():
    values = [descent(1 / 5, 3.0, 64, steps=200, theta=0.0, seed=seed)[2] for seed in range(4)]
    assert np.mean(values) == pytest.approx(1.0, abs=0.25)


def test_records_of_unequal_learning_rates_agree_on_the_edge():
    generator = np.random.default_rng(6)
    records = []
    for learning_rate in (0.5, 1.0, 2.0) * 6:
        line = counting(0.3, 6.0 / learning_rate)  # the edge lies at a learning rate of 6
        records.append(record_of(line, generator, 4096, learning_rate))
    found = pool(records, seed=1)
    assert found.headroom * 2.0 == pytest.approx(6.0, rel=0.25)
    assert found.headroom_interval[0] * 2.0 < 6.0 * 1.1


def test_pool_is_void_on_one_outcome_and_refuses_bad_records():
    logps = np.full((30, 4), -1.0)
    found = pool([Record(np.ones(30), logps, AROUND)] * 3, seed=1)
    assert found.status is Status.void
    with pytest.raises(ConfigError, match="records: found none"):
        pool([], seed=1)
    with pytest.raises(ConfigError, match="allowed: −1"):
        Record(np.ones(30), logps, [0.0, 0.5, 1.0, 2.0])
    with pytest.raises(ConfigError, match="learning_rate: 0"):
        Record(np.ones(30), logps, AROUND, learning_rate=0)


# --- climb --------------------------------------------------------------------------------------------------


def test_climb_reaches_an_edge_that_one_batch_cannot_see():
    line = counting(1.2, 20.0)
    generator = np.random.default_rng(8)
    drawn = []

    def rollout(t, size):
        drawn.append((t, size))
        return line.draw(generator, size, t)

    found = climb(rollout, line.score, seed=1)
    assert found.status is Status.measured
    assert found.headroom == pytest.approx(20.0, rel=0.15)
    assert sum(size for _, size in drawn) == found.responses <= 1024
    rewards, responses = line.draw(generator, 1024)
    steps = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    assert probe(rewards, line.scored(responses, steps), steps, seed=1).status is Status.beyond_reach


def test_climb_with_prompts_and_climb_that_finds_nothing():
    line = counting(0.8, 8.0)
    generator = np.random.default_rng(8)

    def rollout(t, size):
        rewards, responses = line.draw(generator, size, t)
        return rewards, responses, np.arange(size) % 32

    found = climb(rollout, line.score, seed=1)
    assert found.headroom == pytest.approx(8.0, rel=0.25)
    short = climb(lambda t, size: line.draw(generator, size, t), line.score, seed=1, farthest=3.0, first=1.0)
    assert short.status is Status.beyond_reach
    assert short.headroom <= 3.0


def test_climb_refuses_bad_settings():
    for name, value in (("first", 0), ("batch", 2), ("most", 100), ("farthest", 0.5), ("precision", 1)):
        with pytest.raises(ConfigError, match=name):
            climb(lambda t, size: None, lambda responses, t: None, seed=1, **{name: value})


# --- controller ---------------------------------------------------------------------------------------------


class Fixed:
    """A record that says what a parabola of a given edge would."""

    def __init__(self, edge, learning_rate):
        self.learning_rate = learning_rate
        curvature = -2.0 * learning_rate**2
        self.derivatives = (learning_rate * edge + curvature, curvature)


@pytest.mark.parametrize("start", [0.001, 0.1, 2.0])
def test_controller_holds_headroom_at_its_target(start):
    controller = HeadroomController(start, target=2.5, highest=10.0)
    rates = [start]
    for _ in range(120):
        rates.append(controller.update(Fixed(1.0, rates[-1])))
    assert rates[-1] == pytest.approx(1 / 2.5, rel=0.02)
    assert controller.edge == pytest.approx(1.0)
    assert controller.headroom == pytest.approx(2.5, rel=0.02)
    factors = np.array(rates[1:]) / rates[:-1]
    assert factors.max() <= 1.2 * (1 + 1e-12)
    assert factors.min() >= (1 - 1e-12) / 1.2
    assert (factors[:2] == 1).all()  # the warm-up


def test_controller_respects_its_limits_and_goes_up_where_there_is_no_edge():
    controller = HeadroomController(1.0, highest=1.5)
    for _ in range(10):
        rate = controller.update(Straight())
    assert rate == 1.5
    controller = HeadroomController(1.0, lowest=0.7)
    for _ in range(10):
        rate = controller.update(Fixed(0.0, controller.learning_rate))
    assert rate == 0.7


def test_controller_stays_where_nothing_is_said_and_shrinks_where_steps_harm():
    controller = HeadroomController(1.0)
    silent, harmful = Fixed(0.0, 1.0), Fixed(0.0, 1.0)
    silent.derivatives = (0.0, 0.0)
    harmful.derivatives = (-1.0, 0.5)
    for _ in range(5):
        assert controller.update(silent) == 1.0
    assert controller.update(harmful) == pytest.approx(1 / 1.2)


class Straight:
    """A record in which J does not curve."""

    learning_rate = 1.0
    derivatives = (1.0, 0.0)


# --- the room itself ----------------------------------------------------------------------------------------


def test_probe_needs_numpy_alone_and_imports_quickly():
    code = (
        "import sys, time; start = time.process_time(); import gradgap.probe; took = time.process_time() - start\n"
        "import json; print(json.dumps([took, sorted({name.split('.')[0] for name in sys.modules}),"
        " sorted(name for name in sys.modules if name.startswith('gradgap'))]))"
    )
    took, modules, own = min(
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                cwd=Path(__file__).parents[1] / "workflow" / "scripts",
            ).stdout
        )
        for _ in range(3)
    )
    assert took < 0.3
    absent = {"scipy", "numba", "pandas", "matplotlib", "xarray", "snakemake"}
    assert not absent & set(modules)
    allowed = ("gradgap", "gradgap.errors", "gradgap.inference")
    assert all(name in allowed or name.startswith("gradgap.probe") for name in own)


def test_a_large_batch_fits_in_little_memory():
    line = counting(0.25, 4.0)
    rewards, responses = line.draw(np.random.default_rng(3), 4096)
    logps = line.scored(responses, STEPS)
    tracemalloc.start()
    probe(rewards, logps, STEPS, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


# --- files and the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arrays():
    line = counting(0.25, 4.0)
    rewards, responses = line.draw(np.random.default_rng(3), 1024)
    return rewards, line.scored(responses, STEPS), np.arange(1024) % 128


def write(path, rewards, logps, prompts, steps=STEPS):
    names = [f"logp@{t:g}" for t in steps]
    if path.suffix == ".npz":
        columns = {name: logps[:, i] for i, name in enumerate(names)}
        np.savez(path, reward=rewards, prompt=prompts, **columns)
    elif path.suffix == ".csv":
        rows = [",".join(["prompt", "reward", *names])]
        for r, p, row in zip(rewards, prompts, logps, strict=True):
            rows.append(",".join([f"q{p}", f"{r:g}", *(repr(float(x)) for x in row)]))
        path.write_text("\n".join(rows) + "\n")
    else:
        rows = [
            json.dumps({"prompt": f"q{p}", "reward": int(r)} | dict(zip(names, map(float, row), strict=True)))
            for r, p, row in zip(rewards, prompts, logps, strict=True)
        ]
        path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".npz"])
def test_every_kind_of_file_gives_the_numbers_of_the_arrays(tmp_path, arrays, capsys, suffix):
    rewards, logps, prompts = arrays
    path = write(tmp_path / f"responses{suffix}", rewards, logps, prompts)
    table = read(path)
    assert np.array_equal(table.logps, logps)
    assert cli.main(["probe", str(path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    # labels sort as text, so the blocks are drawn in another order than numbers would be
    direct = probe(rewards, logps, STEPS, prompts=[f"q{p}" for p in prompts], seed=0)
    keys = ["gain", "headroom", "headroom_interval", "reach", "effective_right", "effective_wrong", "status"]
    assert [key for key in printed if key in keys] == keys
    assert printed["headroom"] == pytest.approx(direct.headroom, rel=1e-9)
    if suffix != ".npz":
        assert printed["headroom_interval"] == pytest.approx(list(direct.headroom_interval), rel=1e-9)
    assert printed["status"] == "measured"


def test_the_command_prints_three_numbers_and_a_word_and_draws(tmp_path, arrays, capsys):
    rewards, logps, prompts = arrays
    path = write(tmp_path / "responses.npz", rewards, logps, prompts)
    figure = tmp_path / "headroom.svg"
    assert cli.main(["probe", str(path), "--figure", str(figure)]) == 0
    text = capsys.readouterr().out
    for word in ("gain", "headroom", "reach", "measured:", "90 % interval"):
        assert word in text
    drawn = figure.read_text()
    for words in ("within reach", "90 % band", "log-odds of success gained", "headroom"):
        assert words in drawn
    few = [*np.nonzero(rewards == 0)[0][:4], *np.nonzero(rewards == 1)[0][:8]]
    path = write(tmp_path / "few.npz", rewards[few], logps[few], prompts[few])
    assert cli.main(["probe", str(path)]) == 0
    assert "void: too few effective responses of an outcome" in capsys.readouterr().out
    path = write(tmp_path / "near.npz", rewards, logps[:, :3], prompts, STEPS[:3])
    assert cli.main(["probe", str(path)]) == 0
    assert "beyond reach: no edge as far as these responses can tell" in capsys.readouterr().out


GOOD = {"reward": [0, 1, 1], "logp@0": [-1.0, -2.0, -3.0], "logp@1": [-1.1, -2.1, -2.9]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", {"reward": None}, "no column 'reward'; found logp@0, logp@1"),
        ("a.npz", {"logp@0": None}, "no column 'logp@0'"),
        ("a.npz", {"logp@1": None}, "at least one other"),
        ("a.npz", {"logp@1": [-1.0]}, "columns of unequal lengths (reward 3, logp@0 3, logp@1 1)"),
        ("a.npz", {"logp@1": [-1.0, np.nan, -1.0]}, "logp@1: found nan in row 2"),
        ("a.npz", {"logp@1": [-1.0, 0.5, -1.0]}, "logp@1: found a positive value in row 2"),
        ("a.npz", {"reward": [0, 1, 2]}, "reward: found 2 in row 3; allowed: 0 (wrong) and 1 (right)"),
        ("a.npz", {"reward": [1, 1, 1]}, "reward: found only right responses"),
        ("a.npz", {"reward": [0, 0, 0]}, "reward: found only wrong responses"),
        ("a.npz", {"logp@half": [-1.0, -1.0, -1.0]}, "'half' is not a number"),
        ("a.npz", b"no archive", "not an npz file"),
        ("a.csv", b"reward,logp@0,logp@1\n1,-1\n", "line 2 has 2 values; allowed: 3"),
        ("a.csv", b"reward,logp@0,logp@1\n1,-1,x\n", "column 'logp@1' holds something that is not a number"),
        ("a.csv", b"", "no column 'reward'; found none"),
        ("a.csv", b"\xff\xfe", "not text in UTF-8"),
        ("a.jsonl", b'{"reward": 1\n', "line 1 is not JSON"),
        ("a.jsonl", b"[1, 2]\n", "line 1 is not an object"),
        ("a.jsonl", b'{"reward": 1, "logp@0": -1}\n{"reward": 0}\n', "line 2 has no 'logp@0'"),
        ("a.jsonl", b'{"reward": 1}\n{"reward": 0, "logp@0": -1}\n', "the first line has no 'logp@0'"),
        ("a.txt", b"", "unknown kind '.txt'"),
        ("absent.csv", None, "no such file"),
    ],
)
def test_bad_files(tmp_path, capsys, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        columns = {key: np.array(value) for key, value in (GOOD | content).items() if value is not None}
        np.savez(path, **columns)
    assert cli.main(["probe", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_parquet_without_a_reader_is_refused_in_one_line(tmp_path, capsys):
    import importlib.util

    if any(importlib.util.find_spec(name) for name in ("pyarrow", "fastparquet")):
        pytest.skip("a reader of Parquet is installed")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    assert cli.main(["probe", str(path)]) == 2
    assert "Parquet needs pyarrow or fastparquet" in capsys.readouterr().err


def test_in_sample_and_a_bad_figure_name_are_refused(tmp_path, arrays, capsys):
    path = write(tmp_path / "a.npz", *arrays)
    assert cli.main(["probe", str(path), "--in-sample"]) == 2
    assert "responses that built the update" in capsys.readouterr().err
    assert cli.main(["probe", str(path), "--figure", "a.gif"]) == 2
    assert "allowed: a name that ends in .svg" in capsys.readouterr().err


def test_the_example_in_the_documentation_prints_what_it_shows(root, tmp_path, monkeypatch, capsys):
    page = (root / "docs" / "probe.md").read_text(encoding="utf-8")
    code = re.search(r"<!-- example -->\n\n```python\n(.*?)```", page, re.DOTALL)
    shown = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code[1], {})
    assert cli.main(["probe", "responses.jsonl", "--figure", "headroom.svg"]) == 0
    assert capsys.readouterr().out == shown[1]
    lines = Path("responses.jsonl").read_text().splitlines()
    right, wrong = ([line for line in lines if f'"reward": {of}' in line] for of in (1, 0))
    Path("few.jsonl").write_text("\n".join([*right[:40], *wrong[:4]]))
    Path("FILE").with_suffix(".jsonl").write_text("\n".join(right))
    printed = re.search(r"Other cases print this.*?\n\n(.*?)\n\n", page, re.DOTALL)[1].splitlines()[2:]
    for row, asked in zip(
        printed, (["few.jsonl"], ["FILE.jsonl"], ["few.jsonl", "--in-sample"]), strict=True
    ):
        code = cli.main(["probe", *asked])
        said = capsys.readouterr()
        assert code == (0 if said.out else 2)
        assert (said.out or said.err).splitlines()[-1].replace("FILE.jsonl", "FILE") == row.split("`")[-2]
    for target in re.findall(r"\]\((?!http)([^)#]+)", page):
        assert (root / "docs" / target).exists(), target
