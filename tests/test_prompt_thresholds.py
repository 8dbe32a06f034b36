"""Half-kept learning rates of prompts that share parameters, under plain ascent and Adam."""

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.errors import ConfigError
from gradgap.numerics import streams
from gradgap.sweep.measurement import MEASUREMENTS, measure
from gradgap.theory.optimizers import shared_length_exponent
from gradgap.thresholds import sampled
from gradgap.training.run import run, updates

SUM, MEAN = "seq-mean-token-sum", "seq-mean-token-mean"
SETTINGS = {"sampled_iterations": 60, "replicates": 8, "seed": 3}
AT = {"family": "contextual", "success_rate": "0.3"}


def prompts(length, count=8):
    family = FAMILIES.find("contextual")
    return [family.instance(length, 0.3, replicate=replicate) for replicate in range(count)]


def half_kept(length, aggregation=SUM, group_size=None, **options):
    size = {"iterations": 60, "seed": 3, "coordinates": {}, "group_size": group_size}
    return sampled.half_kept_of_prompts(prompts(length), "dr_grpo", aggregation, **size, **options)


def adam(updates, eps):
    """Steps of Adam by the formulas of the paper."""
    m = v = np.zeros(len(updates[0]))
    steps = []
    for t, u in enumerate(updates, 1):
        m, v = 0.9 * m + 0.1 * u, 0.999 * v + 0.001 * u**2
        steps.append(m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + eps))
    return steps


def test_sampled_runs_under_adam_are_updates_put_through_adam():
    """Updates are drawn one by one from the same stream, and Adam is written out again."""
    instance, rate = prompts(16, 1)[0], 0.8
    state = streams.state(3, {"replicate": "1"})
    found = run(
        instance, "grpo", MEAN, rate, iterations=30, group_size=6, state=state, optimizer="adam", path=True
    )
    theta, drawn, failures = instance.start, [], [instance.at(instance.start)[1]]
    for _ in range(30):
        drawn.append(updates(instance, "grpo", MEAN, theta, group_size=6, state=state, count=1)[0])
        theta = theta + rate * adam(drawn, 1e-8)[-1]
        failures.append(instance.at(theta)[1])
    assert np.ptp(failures) > 0.1  # it went somewhere
    np.testing.assert_allclose(found.failure_rate, failures, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.theta, theta, rtol=1e-9)


def test_a_collapsed_policy_is_right_as_often_as_one_far_away_in_random_directions():
    generator = np.random.default_rng(0)
    found = [
        instance.rates(1e6 * generator.standard_normal(8)).success.mean()
        for instance in prompts(16, 300)
        for _ in range(10)
    ]
    assert 1 - prompts(16, 1)[0].collapsed_failure == pytest.approx(4.0**-4)
    assert np.mean(found) == pytest.approx(4.0**-4, abs=4 * np.std(found) / np.sqrt(len(found)))


@pytest.mark.parametrize("group_size", [None, 8])
def test_under_adam_a_divisor_of_the_update_changes_nothing(group_size):
    """O1, proved for eps = 0: all responses are 64 tokens long, a power of two, so that no bit is rounded."""
    free = {"optimizer": "adam", "optimizer_settings": {"eps": 0.0}, "group_size": group_size}
    assert half_kept(64, SUM, **free) == half_kept(64, MEAN, **free)
    plain, divided = (half_kept(64, of, group_size=group_size).learning_rate for of in (SUM, MEAN))
    assert divided == pytest.approx(64 * plain, rel=0.1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("group_size", [None, 8])
def test_the_half_kept_learning_rate_knows_no_length(optimizer, group_size):
    """K5: within the noise of eight instances."""
    long, longer = (
        half_kept(length, optimizer=optimizer, group_size=group_size).learning_rate for length in (1024, 4096)
    )
    assert longer == pytest.approx(long, rel=0.15)
    assert shared_length_exponent(optimizer, SUM) == 0


def test_exact_adam_keeps_half_where_the_limit_of_long_responses_does():
    """K4 written out: log J_q = log J₀ · mean of exp(−⟨x, δ⟩), J_q ∇log J_q averaged, Adam by its formulas."""
    instances = prompts(4096)

    def kept(rate):
        ends = []
        for instance in instances:
            differences = instance.differences
            x, past, last = np.zeros(8), [], []
            for k in range(60):
                with np.errstate(over="ignore"):
                    odds = (
                        np.log(0.3)
                        * np.exp(-differences @ x)
                        / differences[0].shape[0]
                        / differences.shape[2]
                    )
                    success = np.exp(odds.sum(axis=(1, 2)))
                    slope = np.where(
                        success[:, None] > 0,
                        success[:, None] * -np.einsum("qca,qcaj->qj", odds, differences),
                        0,
                    )
                past.append(slope.mean(axis=0))
                x = x + rate * adam(past, 1e-8)[-1]
                with np.errstate(over="ignore"):
                    odds = (
                        np.log(0.3)
                        * np.exp(-differences @ x)
                        / differences[0].shape[0]
                        / differences.shape[2]
                    )
                if k >= 54:
                    last.append(np.exp(odds.sum(axis=(1, 2))).mean())
            ends.append(np.mean(last))
        return np.mean(ends)

    rate = half_kept(4096, optimizer="adam").learning_rate
    assert kept(rate / 1.3) > 0.5 > kept(rate * 1.3)


def test_a_measurement_is_that_search():
    at = {**AT, "advantage": "dr_grpo", "aggregation": SUM}
    found = measure("prompt_optimizers", {**at, "optimizer": ("adam",), "length": ("64",)}, SETTINGS)
    point = {**at, "optimizer": "adam", "length": "64"}
    own = sampled.half_kept_of_prompts(
        [FAMILIES.find("contextual").instance(64, 0.3, replicate=r, seed=3) for r in range(8)],
        "dr_grpo",
        SUM,
        iterations=60,
        seed=3,
        coordinates=point,
        optimizer="adam",
        optimizer_settings={},
    )
    assert found["half_kept_prompt_optimizers"].ravel() == [own.learning_rate]
    assert found["half_kept_prompt_optimizers_low"].ravel() == [own.low]


@pytest.mark.parametrize(
    ("axes", "words"), [({"length": ("30",)}, "multiple of 4"), ({"rule": ("gap/token-mean",)}, "gap")]
)
def test_what_cannot_be_computed_is_refused_before_anything_runs(axes, words):
    base = {**{name: (value,) for name, value in AT.items()}, "length": ("32",), "rule": ("GRPO",)}
    with pytest.raises(ConfigError, match=words):
        MEASUREMENTS.find("prompt_adam_rules").check({**base, **axes, "group_size": ("16",)}, SETTINGS)
