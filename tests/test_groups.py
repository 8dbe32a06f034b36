"""Groups: advantages and aggregations by hand, their identities, and expectations by enumeration of all groups."""

import itertools
import math

import numpy as np
import pytest
from gradgap.bandits import counting, groups
from gradgap.errors import ConfigError
from gradgap.numerics import streams
from gradgap.training import rules, sampled
from scipy import stats

ADVANTAGES = ("reinforce", "rloo", "dr_grpo", "grpo")
AGGREGATIONS = ("seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm")


def advantage(name, rewards):
    """Advantages of a group: the weights with token sums, times n."""
    return rules.weights(name, "seq-mean-token-sum", rewards, np.ones(len(rewards)), 1) * len(rewards)


S = math.sqrt(1 / 4)  # ddof=1 deviation of one right, or one wrong, of four: n/(n−1) · ¼ · ¾ = ¼


@pytest.mark.parametrize(
    ("name", "rewards", "expected"),
    [
        ("reinforce", [1, 0, 0, 0], [1, 0, 0, 0]),
        ("reinforce", [1, 1, 1, 1], [1, 1, 1, 1]),
        ("reinforce", [0, 0, 0, 0], [0, 0, 0, 0]),
        ("rloo", [1, 0, 0, 0], [1, -1 / 3, -1 / 3, -1 / 3]),
        ("rloo", [0, 1, 1, 1], [-1, 1 / 3, 1 / 3, 1 / 3]),
        ("rloo", [1, 1, 1, 1], [0, 0, 0, 0]),
        ("rloo", [0, 0, 0, 0], [0, 0, 0, 0]),
        ("dr_grpo", [1, 0, 0, 0], [3 / 4, -1 / 4, -1 / 4, -1 / 4]),
        ("dr_grpo", [1, 1, 0, 0], [1 / 2, 1 / 2, -1 / 2, -1 / 2]),
        ("dr_grpo", [1, 1, 1, 1], [0, 0, 0, 0]),
        ("dr_grpo", [0, 0, 0, 0], [0, 0, 0, 0]),
        ("grpo", [1, 0, 0, 0], [0.75 / (S + 1e-4), *[-0.25 / (S + 1e-4)] * 3]),
        ("grpo", [0, 1, 1, 1], [-0.75 / (S + 1e-4), *[0.25 / (S + 1e-4)] * 3]),
        ("grpo", [1, 1, 1, 1], [0, 0, 0, 0]),
        ("grpo", [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_advantages_by_hand(name, rewards, expected):
    assert advantage(name, rewards) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("n", range(2, 9))
def test_advantages_are_those_of_numpy(n):
    for rewards in itertools.product([0.0, 1.0], repeat=n):
        r = np.array(rewards)
        s = r.std(ddof=1)
        assert advantage("dr_grpo", r) == pytest.approx(r - r.mean(), abs=1e-15)
        assert advantage("rloo", r) == pytest.approx(r - (r.sum() - r) / (n - 1), abs=1e-15)
        z = (r - r.mean()) / (s + 1e-4) if s > 0 else 0 * r
        assert advantage("grpo", r) == pytest.approx(z, abs=1e-13)
        # the identities of binary rewards
        assert advantage("rloo", r) == pytest.approx(n / (n - 1) * advantage("dr_grpo", r), abs=1e-15)
        assert s == pytest.approx(math.sqrt(n / (n - 1) * r.mean() * (1 - r.mean())), abs=1e-15)


@pytest.mark.parametrize(
    ("name", "expected"),
    [  # lengths 2, 4, 10 of at most 20; one of three right: centred rewards 2/3, −1/3, −1/3
        ("seq-mean-token-sum", [2 / 9, -1 / 9, -1 / 9]),
        ("seq-mean-token-mean", [2 / 9 / 2, -1 / 9 / 4, -1 / 9 / 10]),
        ("token-mean", [2 / 3 / 16, -1 / 3 / 16, -1 / 3 / 16]),
        ("seq-mean-token-sum-norm", [2 / 9 / 20, -1 / 9 / 20, -1 / 9 / 20]),
    ],
)
def test_aggregations_by_hand_with_unequal_lengths(name, expected):
    assert rules.weights("dr_grpo", name, [1, 0, 0], [2, 4, 10], 20) == pytest.approx(expected)


@pytest.mark.parametrize("name", rules.AGGREGATIONS)
def test_rows_that_stand_for_several_responses_weigh_as_those_do(name):
    whole = rules.weights("grpo", name, [1, 1, 1, 0, 0], [1, 1, 1, 6, 6], 9)
    group = np.zeros((groups.COLUMNS, 2))
    group[groups.REWARD], group[groups.LENGTH], group[groups.COUNT] = (1, 0), (1, 6), (3, 2)
    rules._weigh(*rules.sampled("grpo", name), group, 9.0)
    assert group[groups.WEIGHT].tolist() == [whole[0], whole[-1]]


def tiny(family):
    """Responses of four tokens, right at 1 to 3 ones; gated: three in ten, the rest one token and right."""
    return counting.make(family, 4, 1, 0.3 if family == "gated" else 1.0, -0.4)


def outcomes(instance, theta):
    """Every different response: probability, reward, score and length, from the definition."""
    n, half_width, share = instance.parameters
    p = 1 / (1 + math.exp(-theta))
    found = [
        (share * stats.binom.pmf(k, n, p), float(abs(k - n / 2) <= half_width), k - n * p, n)
        for k in range(int(n) + 1)
    ]
    return found + ([(1 - share, 1.0, 0.0, 1.0)] if share < 1 else [])


def enumerated(instance, theta, advantage, aggregation, n):
    """E[u] over all groups of n responses, as multisets with their multinomial probabilities."""
    table = outcomes(instance, theta)
    total = 0.0
    for group in itertools.combinations_with_replacement(range(len(table)), n):
        counts = np.bincount(group)
        ways = math.factorial(n) / math.prod(math.factorial(c) for c in counts)
        probability = ways * math.prod(table[i][0] for i in group)
        rewards, scores, lengths = (np.array([table[i][column] for i in group]) for column in (1, 2, 3))
        w = rules.weights(advantage, aggregation, rewards, lengths, instance.max_length)
        total += probability * float(w @ scores)
    return total


def coefficient(advantage, n, success):
    """E[u]/g with token sums in a group of n: E[s | right] = (1−J) g and E[s | wrong] = −J g, as E[s] = 0."""
    total = 0.0
    for k in range(n + 1):
        mean = k / n
        a_right = {"reinforce": 1.0, "rloo": 1 - (k - 1) / (n - 1), "dr_grpo": 1 - mean}
        a_wrong = {"reinforce": 0.0, "rloo": -k / (n - 1), "dr_grpo": -mean}
        if advantage == "grpo":
            s = math.sqrt(n / (n - 1) * mean * (1 - mean))
            a_right["grpo"] = (1 - mean) / (s + 1e-4) if 0 < k < n else 0.0
            a_wrong["grpo"] = -mean / (s + 1e-4) if 0 < k < n else 0.0
        weight = mean * a_right[advantage] * (1 - success) - (1 - mean) * a_wrong[advantage] * success
        total += stats.binom.pmf(k, n, success) * weight
    return total


THETA = 0.7


@pytest.mark.parametrize("family", ["counting", "gated"])
@pytest.mark.parametrize("n", range(2, 9))
def test_enumerated_groups_give_the_analytic_expectation(family, n):
    instance = tiny(family)
    success, failure, gap = instance.at(THETA)
    for advantage_name in ADVANTAGES:
        exact = coefficient(advantage_name, n, success) * gap
        found = enumerated(instance, THETA, advantage_name, "seq-mean-token-sum", n)
        assert found == pytest.approx(exact, rel=1e-11)
        if advantage_name != "grpo":  # a baseline changes the mean by a factor at the most
            factor = (n - 1) / n if advantage_name == "dr_grpo" else 1.0
            assert found == pytest.approx(factor * success * failure * gap, rel=1e-11)
    for aggregation in ("seq-mean-token-mean", "seq-mean-token-sum-norm"):  # all scores come from four tokens
        found = enumerated(instance, THETA, "dr_grpo", aggregation, n)
        assert found == pytest.approx((n - 1) / n * success * failure * gap / 4, rel=1e-11)


@pytest.mark.parametrize("family", ["counting", "gated"])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("advantage_name", ADVANTAGES)
def test_mean_of_sampled_updates_is_the_enumerated_expectation(family, aggregation, advantage_name):
    instance, n = tiny(family), 5
    state = streams.state(3, {"family": family, "aggregation": aggregation, "advantage": advantage_name})
    drawn = sampled.updates(
        instance, advantage_name, aggregation, THETA, group_size=n, state=state, count=200_000
    )
    expected = enumerated(instance, THETA, advantage_name, aggregation, n)
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / math.sqrt(len(drawn))
    assert abs(expected) > 10 * drawn.std() / math.sqrt(len(drawn))  # so that a wrong factor would show


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("advantage_name", ADVANTAGES)
def test_large_groups_give_the_expected_update_of_the_exact_dynamics(aggregation, advantage_name):
    instance = counting.Gated().instance(64, 0.9, 0.1)
    theta, n = 0.6 * instance.theta0, 20_000
    state = streams.state(4, {"aggregation": aggregation, "advantage": advantage_name})
    drawn = sampled.updates(
        instance, advantage_name, aggregation, theta, group_size=n, state=state, count=400
    )
    success, failure, gap = instance.at(theta)
    c = rules.ADVANTAGES[advantage_name].coefficient(success, failure, abs(gap))
    expected = c * gap / rules.AGGREGATIONS[aggregation].divisor(instance)
    error = drawn.std() / math.sqrt(len(drawn))
    assert abs(drawn.mean() - expected) < 4 * error + 2e-3 * abs(expected)  # the factor of z-scoring, 1e-4/s
    assert error < 0.01 * abs(expected)


@pytest.mark.parametrize(
    ("pair", "word"),
    [(("gap", "token-mean"), "gap"), (("unit", "token-mean"), "unit"), (("grpo", "mean"), "mean")],
)
def test_rules_without_a_sampled_form_are_refused(pair, word):
    with pytest.raises(ConfigError, match=word):
        rules.weights(*pair, [1, 0], [1, 1], 1)
