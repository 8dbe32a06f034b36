"""Half-kept learning rates under optimizers, against plain loops, binomial sums and closed forms of their own."""

import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.errors import ConfigError
from gradgap.measurements import optimizer_thresholds as measurement
from gradgap.numerics import streams
from gradgap.sweep.axes import expand
from gradgap.sweep.measurement import MEASUREMENTS, measure
from gradgap.theory import closed_forms
from gradgap.theory import optimizers as theory
from gradgap.thresholds import sampled
from gradgap.training.run import train, updates
from scipy import optimize, stats

RULE = {"advantage": "dr_grpo", "aggregation": "seq-mean-token-sum"}
COUNTING = {"family": "counting", "success_rate": "0.2", **RULE}
GATED = {"family": "gated", "length": "64", **RULE}
SETTINGS = {"iterations": 600, "sampled_iterations": 50, "replicates": 6, "seed": 3, "window": 1.0}


def kept(theta, length):
    """Share of the best success rate on `counting`, window 1, from the binomial distribution itself."""
    half = math.floor(math.sqrt(length) / 2 + 1e-9)

    def success(theta):
        count = stats.binom(length, 1 / (1 + np.exp(-np.asarray(theta))))
        return count.cdf(length // 2 + half) - count.cdf(length // 2 - half - 1)

    return success(theta) / success(0.0)


def exact(name, axes, **at):
    return measure(f"optimizer_{name}", {**COUNTING, **at, **axes}, SETTINGS)[f"half_kept_{name}"]


def test_plain_ascent_is_what_it_was_without_an_optimizer():
    found = exact("lengths", {"optimizer": ("sgd",), "length": ("64", "256")})[0]
    for length, rate in zip((64, 256), found, strict=True):
        instance = FAMILIES.find("counting").instance(length, 0.2)
        assert rate == sampled.half_kept_exact(instance, *RULE.values(), iterations=600)


def test_sampled_plain_ascent_is_what_it_was_with_the_same_stream():
    point = {**GATED, "success_rate": "0.95", "optimizer": "sgd", "group_size": "16"}
    del point["aggregation"], point["advantage"]
    found = measure("optimizer_plain_rules", {**point, "rule": ("GRPO",)}, SETTINGS)
    instance = FAMILIES.find("gated").instance(64, 0.95, 0.05)
    again = sampled.half_kept(
        instance,
        "grpo",
        "seq-mean-token-mean",
        group_size=16,
        iterations=50,
        replicates=6,
        seed=3,
        coordinates={**point, "rule": "GRPO"},
    )
    ends = [found[f"half_kept_plain_rules{end}"][0] for end in ("", "_low", "_high")]
    assert ends == [again.learning_rate, again.low, again.high]
    assert found["long_length_plain_rules"][0] == instance.max_length


def test_sign_descent_keeps_half_where_a_plain_loop_does():
    """Steps of ±α from 24 starts, success rates from binomial sums: no code of the package but the start."""
    length = 256
    instance = FAMILIES.find("counting").instance(length, 0.2)
    starts = instance.theta0 * np.linspace(0.8, 1.2, 24)

    def mean_kept(rate):
        theta, last = starts.copy(), []
        for step in range(600):
            theta = theta - rate * np.sign(theta)
            if step >= 540:
                last.append(kept(theta, length))
        return np.mean(last)

    [rate] = exact("lengths", {"optimizer": ("sign",)}, length=str(length))
    # the ladder has 16 rungs a decade and interpolates between them
    assert mean_kept(rate * 0.97) > 0.5 > mean_kept(rate * 1.03)


def test_sign_descent_has_its_closed_form():
    """α√N/2 = 2.82 as N grows (O2), here from the normal distribution by quadrature of its own."""
    start = optimize.brentq(lambda x: stats.norm.cdf(1 - x) - stats.norm.cdf(-1 - x) - 0.2, 0, 9)

    def share(x):
        inside = stats.norm.cdf(1 - x) - stats.norm.cdf(-1 - x)
        return inside / (2 * stats.norm.cdf(1) - 1)

    at = start * np.linspace(0.8, 1.2, 24)
    predicted = optimize.brentq(lambda c: np.mean(share(at) + share(c - at)) / 2 - 0.5, at.max(), 9)
    assert predicted == pytest.approx(2.82, abs=0.005)
    found = exact("lengths", {"optimizer": ("sign",), "length": ("1024", "4096")})[0]
    assert found * np.sqrt([1024, 4096]) / 2 == pytest.approx(predicted, rel=0.02)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "lion", "sign"])
def test_scale_free_optimizers_fall_as_the_root_of_the_length_and_others_as_the_length(optimizer):
    lengths = ("128", "2048")
    free, plain = exact("lengths", {"optimizer": (optimizer, "sgd"), "length": lengths})
    assert math.log(free[1] / free[0], 16) == pytest.approx(-0.5, abs=0.05)
    assert math.log(plain[1] / plain[0], 16) == pytest.approx(-1, abs=0.05)


def test_scale_free_optimizers_fall_as_the_root_of_the_failure_rate():
    axes = {"optimizer": ("adam", "sgd"), "success_rate": ("0.9", "0.999")}
    free, plain = measure("optimizer_failure_rates", {**GATED, **axes}, SETTINGS)["half_kept_failure_rates"]
    assert math.log10(free[1] / free[0]) / -2 == pytest.approx(0.5, abs=0.03)
    assert math.log10(plain[1] / plain[0]) / -2 == pytest.approx(0, abs=0.03)


def test_a_clip_that_binds_leaves_the_two_cycle():
    """α½ c = 2A, A where half is kept, from binomial sums (O7); measured is 2 % above."""
    axes = {"clip_norm": ("0.02", "0.2")}
    found = exact("clips", axes, length="256", optimizer="sgd")
    distance = optimize.brentq(lambda theta: kept(theta, 256) - 0.5, 0, 1)
    assert found * [0.02, 0.2] == pytest.approx(2 * distance, rel=0.04)


def test_adam_in_groups_depends_on_beta2_where_failures_are_rare():
    """Below n(1−J) = 1−β2 a lone failure is a kick of α/√(1−β2): a shorter memory is safer (O9)."""
    at = {**GATED, "optimizer": "adam", "success_rate": "0.998", "group_size": "4"}
    found = measure("optimizer_groups", {**at, "beta2": ("0.999", "0.95")}, SETTINGS)
    long, short = found["half_kept_groups"]
    assert short > 1.8 * long
    assert found["half_kept_groups_low"][0] <= long <= found["half_kept_groups_high"][0]


def test_dynamic_sampling_is_another_measurement():
    at = {**GATED, "optimizer": "adam", "success_rate": "0.98", "group_size": "4"}
    found = [
        measure("optimizer_mixed_groups", {**at, "dynamic_sampling": (which,)}, SETTINGS)
        for which in ("all", "mixed")
    ]
    everything, mixed = (one["half_kept_mixed_groups"][0] for one in found)
    assert mixed > 1.5 * everything


def test_options_are_those_of_the_point():
    assert measurement.options_at({}) == {"optimizer": "sgd", "optimizer_settings": {}}
    found = measurement.options_at(
        {
            "optimizer": "adam",
            "beta1": "0.8",
            "clip_norm": "0.5",
            "schedule": "cosine",
            "dynamic_sampling": "mixed",
        }
    )
    assert found == {
        "optimizer": "adam",
        "optimizer_settings": {"beta1": 0.8},
        "clip_norm": 0.5,
        "schedule": "cosine",
        "dynamic_sampling": True,
    }
    assert measurement.options_at({"dynamic_sampling": "all"})["dynamic_sampling"] is False


def test_a_schedule_changes_the_threshold():
    """Warm-up spares exact Adam its bias-corrected first steps, which do the harm (O8): 2.7 times and more."""
    at = {**COUNTING, "length": "64", "optimizer": ("adam",)}
    plain, warm = (
        measure("optimizer_lengths", {**at, "schedule": schedule}, SETTINGS)["half_kept_lengths"][0]
        for schedule in ("constant", "warmup-10")
    )
    assert warm > 2 * plain


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (
            {"optimizer": ("adam", "sgd"), "beta2": ("0.9",)},
            "optimizer 'sgd': unknown optimizer setting 'beta2'",
        ),
        ({"optimizer": ("sgd",), "rule": ("gap/token-mean",)}, "gap"),
        ({"minibatches": ("1", "3"), "rule": ("GRPO",)}, "minibatches: 3 is not allowed for groups of 4"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_anything_runs(axes, words):
    base = {"family": ("gated",), "length": ("64",), "success_rate": ("0.9",), "group_size": ("4",)}
    with pytest.raises(ConfigError, match=words):
        MEASUREMENTS.find("optimizer_groups").check({**base, **axes}, {})


def test_axes_of_settings():
    assert expand("beta2", [0.999, 0.95], "k") == ("0.999", "0.95")
    assert expand("momentum", [0, 0.9], "k") == ("0", "0.9")
    assert expand("clip_norm", {"from": 0.01, "to": 1, "per_decade": 1}, "k") == ("0.01", "0.1", "1")


#: `counting` with 1024 tokens: the instance, half its standard deviation's inverse, and the width of its window.
BANDIT = FAMILIES.find("counting").instance(1024, 0.2)
SCALE = math.sqrt(1024) / 2
WIDTH = (2 * BANDIT.kernels.constants[1] + 1) / math.sqrt(1024)


def ended(starts, rates, iterations, **options):
    """What exact runs of the engine keep, each from its own start and at its own learning rate."""
    starts, rates = np.broadcast_arrays(np.atleast_1d(starts), rates)
    options |= {"iterations": iterations, "starts": starts[:, None].astype(float)}
    return train(BANDIT, *RULE.values(), rates, **options)


def test_the_engine_is_on_the_plateau_of_sign_descent():
    """O2: of each start, and of starts spread over a whole step; the count is not quite normal at N = 1024."""
    pairs = np.array([(x, step) for x in (0.3, 1.0, 1.9) for step in (0.2, 0.7, 2.5)])
    runs = ended(-pairs[:, 0] / SCALE, pairs[:, 1] / SCALE, 400, optimizer="sign")
    predicted = [theory.sign_plateau(*pair, WIDTH) for pair in pairs]
    assert sampled.kept(BANDIT, runs.final_failure_rate) == pytest.approx(predicted, abs=5e-3)
    for factor, more in ((0.99, True), (1.01, False)):
        step = factor * theory.phase_averaged(WIDTH)
        runs = ended(-step * (np.arange(64) + 0.5) / 64 / SCALE, step / SCALE, 200, optimizer="sign")
        assert (sampled.kept(BANDIT, runs.final_failure_rate).mean() > 0.5) == more


@pytest.mark.parametrize(
    ("beta1", "beta2", "above"), [(0.0, 0.99, 0.01), (0.5, 0.99, 0.1), (0.9, 0.999, 0.1)]
)
def test_the_engine_is_on_the_plateau_of_adam(beta1, beta2, above):
    """O3, up to a tenth above it; the rms of θ from J, as 1 − J − (1 − J_max) is |J″|θ²/2 near the best θ."""
    rates = np.array([0.01, 0.03, 0.1]) / SCALE
    settings = {"beta1": beta1, "beta2": beta2}
    runs = ended(BANDIT.theta0, rates, 100_000, optimizer="adam", optimizer_settings=settings)
    curvature = FAMILIES.find("counting").curvature(BANDIT)
    found = np.sqrt(2 * (runs.final_failure_rate - BANDIT.best_failure) / curvature)
    ratio = found / [theory.adam_plateau(rate, beta1) for rate in rates]
    assert 0.99 < ratio.min() <= ratio.max() < 1 + above


def test_an_exact_run_of_adam_with_a_long_memory_ends_at_the_best_theta_itself():
    """A finding: it shrinks until rounding makes θ exactly 0, before the average of squares forgets the start."""
    settings = {"beta1": 0.5, "beta2": 0.999}
    runs = ended(
        BANDIT.theta0, np.array([0.03]) / SCALE, 20_000, optimizer="adam", optimizer_settings=settings
    )
    assert runs.theta.tolist() == [[0.0]]


def test_eps_makes_adam_plain_ascent_in_the_engine():
    """O8: α½ grows by 1 + eps/|u₀|, u₀ the first update."""
    success, failure, gap = BANDIT.at(BANDIT.theta0)
    first = success * failure * gap
    rates = {
        ratio: sampled.half_kept_exact(
            BANDIT,
            *RULE.values(),
            iterations=600,
            optimizer="adam",
            optimizer_settings={"eps": ratio * first},
        )
        for ratio in (0.0, 0.1, 10.0)
    }
    for ratio in (0.1, 10.0):
        predicted = theory.eps_half_kept(rates[0.0], ratio * first, first)
        assert rates[ratio] == pytest.approx(predicted, rel=0.03)


@pytest.mark.parametrize("momentum", [0.3, 0.9])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_momentum_in_the_engine_is_stable_up_to_its_limit(optimizer, momentum):
    """O4, from a start so near the best θ that updates are linear."""
    settings = {"momentum": momentum}
    critical = closed_forms.critical_closed_form(BANDIT, *RULE.values())
    limit = theory.stability_factor(optimizer, settings) * critical
    options = {"optimizer": optimizer, "optimizer_settings": settings}
    away = abs(ended(1e-6 * BANDIT.theta0, np.array([0.99, 1.01]) * limit, 2000, **options).theta[:, 0])
    assert away[0] < 1e-6 * abs(BANDIT.theta0) < away[1]


@pytest.mark.parametrize(("failure", "size"), [(0.2, 4), (0.0125, 64)])
def test_root_mean_square_of_the_updates_that_the_engine_draws(failure, size):
    """O9, at the best θ; the standard error of the draws is some 0.5 %."""
    bandit = FAMILIES.find("gated").instance(64, 1 - failure, failure)
    length, half, share = bandit.kernels.constants
    stream = {"group_size": size, "state": streams.state(2, {}), "count": 100_000}
    found = updates(bandit, *RULE.values(), 0.0, **stream)
    predicted = theory.update_rms(length, share, size, (2 * half + 1) / math.sqrt(length))
    assert np.sqrt((found**2).mean()) == pytest.approx(predicted, rel=0.02)
