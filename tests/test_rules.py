"""Expected updates against brute force: every response of a tiny bandit, every rule, from its definition."""

import itertools
import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.bandits.counting import make
from gradgap.errors import ConfigError
from gradgap.theory.closed_forms import critical_closed_form
from gradgap.training.rules import ADVANTAGES, AGGREGATIONS, PRESETS, rule

EXACT = ["gap", "unit", "reinforce", "rloo", "dr_grpo", "grpo", "max_rl"]
AGGREGATED = ["seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm"]


def responses(n, width, share, theta):
    """Every response as (probability, reward, score, length)."""
    p = 1 / (1 + math.exp(-theta))
    yield 1 - share, 1, 0.0, 1
    for tokens in itertools.product((0, 1), repeat=n):
        ones = sum(tokens)
        probability = share * p**ones * (1 - p) ** (n - ones)
        yield probability, int(abs(ones - n // 2) <= width), sum(token - p for token in tokens), n


def expected_update(advantage, aggregation, table):
    """The update of an infinite group, from the definition of each advantage and aggregation."""
    table = [row for row in table if row[0] > 0]
    success = math.fsum(p for p, r, _, _ in table if r)
    means = [math.fsum(p * s for p, r, s, _ in table if r == right) for right in (1, 0)]
    gap = means[0] / success - means[1] / (1 - success)
    deviation = math.sqrt(success * (1 - success))
    advantages = {
        "reinforce": lambda r: r,
        "rloo": lambda r: r - success,
        "dr_grpo": lambda r: r - success,
        "grpo": lambda r: (r - success) / deviation,
        "max_rl": lambda r: (r - success) / success,
        # exact-only rules are defined by their update: weights whose mean update it is
        "gap": lambda r: r / success - (1 - r) / (1 - success),
        "unit": lambda r: (r / success - (1 - r) / (1 - success)) / abs(gap),
    }
    weigh = advantages[advantage]
    longest = max(length for *_, length in table)
    if aggregation == "seq-mean-token-sum":
        return math.fsum(p * weigh(r) * s for p, r, s, _ in table)
    if aggregation == "seq-mean-token-mean":
        return math.fsum(p * weigh(r) * s / length for p, r, s, length in table)
    if aggregation == "token-mean":
        return math.fsum(p * weigh(r) * s for p, r, s, _ in table) / math.fsum(p * n for p, _, _, n in table)
    return math.fsum(p * weigh(r) * s / longest for p, r, s, _ in table)


@pytest.mark.parametrize("advantage", EXACT)
@pytest.mark.parametrize("aggregation", AGGREGATED)
@pytest.mark.parametrize(("n", "width", "share"), [(4, 1, 1.0), (6, 1, 1.0), (8, 2, 0.3), (6, 0, 0.02)])
def test_expected_update_by_enumeration(advantage, aggregation, n, width, share):
    for theta in (-1.3, -0.4, 0.6):
        instance = make("gated" if share < 1 else "counting", n, width, share, theta)
        success, failure, gap = instance.at(theta)
        update = ADVANTAGES.find(advantage).coefficient(success, failure, abs(gap)) * gap
        update /= AGGREGATIONS.find(aggregation).divisor(instance)
        expected = expected_update(advantage, aggregation, list(responses(n, width, share, theta)))
        assert update == pytest.approx(expected, rel=1e-11)


def test_presets_name_known_rules():
    for name, (advantage, aggregation) in PRESETS.items():
        assert rule(name) == (advantage, aggregation)
        assert advantage in ADVANTAGES
        assert aggregation in AGGREGATIONS
    assert rule("gap/token-mean") == ("gap", "token-mean")


@pytest.mark.parametrize("name", ["PPO", "ppo/token-mean", "grpo/token-median"])
def test_unknown_rules_are_refused(name):
    with pytest.raises(ConfigError, match="unknown"):
        rule(name)


def test_unit_does_not_move_where_there_is_no_gap():
    assert ADVANTAGES.find("unit").coefficient(0.5, 0.5, 0.0) == 0.0
    assert np.isclose(ADVANTAGES.find("unit").coefficient(0.5, 0.5, 4.0) * 4.0, 1.0)


def test_exponents_of_an_aggregation_from_outside():
    """Dividing by the root of the long length halves the law in T, and leaves half a power of 1 − J."""
    from gradgap.theory.exponents import failure_exponent, length_exponent
    from gradgap.training.rules import Aggregation

    AGGREGATIONS["root"] = Aggregation(lambda instance: math.sqrt(instance.score_length))
    try:
        assert AGGREGATIONS["root"].powers == (0.0, 0.5, 0.0)
        assert length_exponent("gated", "gap", "root") == -0.5
        assert failure_exponent("gated", "gap", "root") == 0.5
        # the closed form itself has these slopes
        gated = FAMILIES.find("gated")
        rates = [
            critical_closed_form(gated.instance(length, 1 - failure, failure), "gap", "root")
            for length, failure in ((4096, 1e-3), (16384, 1e-3), (4096, 4e-3))
        ]
        assert math.log(rates[1] / rates[0], 4) == pytest.approx(-0.5, abs=0.01)
        assert math.log(rates[2] / rates[0], 4) == pytest.approx(0.5, abs=0.01)
    finally:
        del AGGREGATIONS["root"]
