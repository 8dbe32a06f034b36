"""The compiled training loop against the plain one, and its shortcuts against doing without them."""

import math
import subprocess
import sys

import numpy as np
import pytest
from gradgap.bandits import FAMILIES, Rates, Sample
from gradgap.errors import ConfigError
from gradgap.numerics import streams
from gradgap.numerics.compiler import kernel
from gradgap.training import plain
from gradgap.training.optimizers import OPTIMIZERS
from gradgap.training.run import run, train, updates
from gradgap.training.schedules import SCHEDULES

SUM, MEAN = "seq-mean-token-sum", "seq-mean-token-mean"


def bandit(family):
    return FAMILIES.find(family).instance(16, 0.95 if family == "gated" else 0.3)


@pytest.mark.parametrize("family", ["counting", "gated", "contextual"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS.discover()))
def test_exact_runs_are_those_of_the_plain_loop(family, optimizer):
    for rate, schedule in ((0.03, "constant"), (0.5, "cosine")):
        options = {"schedule": schedule, "optimizer": optimizer, "clip_norm": 0.7, "iterations": 40}
        ours = run(bandit(family), "grpo", MEAN, rate, path=True, **options)
        theirs = plain.train(bandit(family), "grpo", MEAN, rate, record=np.arange(41), **options)
        np.testing.assert_allclose(ours.failure_rate, theirs.failure_rate, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(ours.theta, theirs.theta, rtol=1e-9, atol=1e-12)
        assert ours.outcome == theirs.outcome


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lion"])
def test_sampled_runs_are_those_of_the_plain_loop(optimizer):
    """On counting both draw the same numbers in the same order, all responses being of one length."""
    state = streams.state(3, {"replicate": "1"})
    options = {"optimizer": optimizer, "iterations": 40, "group_size": 6}
    ours = run(bandit("counting"), "grpo", MEAN, 0.1, path=True, state=state, **options)
    theirs = plain.train(
        bandit("counting"),
        "grpo",
        MEAN,
        0.1,
        state=state.copy(),
        tolerance=1e-2,
        record=np.arange(41),
        **options,
    )
    np.testing.assert_allclose(ours.failure_rate, theirs.failure_rate, rtol=1e-9)
    assert ours.outcome == theirs.outcome


def test_with_dynamic_sampling_only_the_standstills_of_the_plain_loop_are_missing():
    """The plain loop stands still for an iteration where no group is mixed; the engine draws again at once."""
    state = streams.state(3, {"replicate": "1"})
    options = {"group_size": 3, "dynamic_sampling": True}
    ours = run(bandit("counting"), "grpo", MEAN, 0.1, path=True, state=state, iterations=40, **options)
    theirs = plain.train(
        bandit("counting"),
        "grpo",
        MEAN,
        0.1,
        state=state.copy(),
        iterations=120,
        record=np.arange(121),
        **options,
    )
    ours, theirs = (
        path[np.append(True, np.diff(path) != 0)] for path in (ours.failure_rate, theirs.failure_rate)
    )
    assert 35 < len(ours) < len(theirs) < 110
    np.testing.assert_allclose(ours, theirs[: len(ours)], rtol=1e-9)


def test_a_batch_is_its_runs_one_by_one():
    rates = [0.01, 0.3, 4.0]
    for family in ("counting", "gated", "contextual"):
        states = [streams.state(9, {"replicate": str(i)}) for i in range(3)]
        options = {"iterations": 30, "group_size": 8}
        together = train(bandit(family), "rloo", SUM, rates, states=states, record=[0, 7, 30], **options)
        for rate, state, found in zip(rates, states, together, strict=True):
            alone = run(bandit(family), "rloo", SUM, rate, state=state, record=[0, 7, 30], **options)
            assert np.array_equal(found.prompt_failure_rate, alone.prompt_failure_rate)
            assert np.array_equal(found.theta, alone.theta)
            assert found.outcome == alone.outcome


def test_a_kernel_that_raises_ends_the_run_with_its_error():
    @kernel
    def fails(iteration, iterations, failure_rate, start_failure_rate):
        if iteration > 2.0:
            raise ValueError("no more")
        return 1  # a whole number is as good as a float

    SCHEDULES["fails"] = fails
    try:
        whole = run(bandit("counting"), "grpo", SUM, 0.5, iterations=2, schedule="fails")
        assert (
            whole.final_failure_rate
            == run(bandit("counting"), "grpo", SUM, 0.5, iterations=2).final_failure_rate
        )
        with pytest.raises(ValueError, match="no more"):
            run(bandit("counting"), "grpo", SUM, 0.5, iterations=10, schedule="fails")
    finally:
        del SCHEDULES["fails"]


@pytest.mark.parametrize("rate", [0.5, 3.0, 9.0, 40.0])
def test_a_settled_run_is_what_it_would_be_without_the_shortcut(rate):
    """A schedule that is 1 throughout but is not the constant one takes the long way."""
    SCHEDULES["one"] = kernel(lambda iteration, iterations, failure_rate, start_failure_rate: 1.0)
    try:
        for family in ("counting", "contextual"):
            short = run(bandit(family), "grpo", SUM, rate, iterations=400, path=True)
            long = run(bandit(family), "grpo", SUM, rate, iterations=400, path=True, schedule="one")
            assert np.array_equal(short.failure_rate, long.failure_rate)
            assert short.final_failure_rate == long.final_failure_rate
            assert short.outcome == long.outcome
    finally:
        del SCHEDULES["one"]


def test_an_optimizer_that_remembers_moves_on_when_nothing_is_learned():
    """On `gated` most groups score nothing: plain steps stand still there, momentum coasts."""
    rare = FAMILIES.find("gated").instance(64, 0.98)
    moved = {}
    for optimizer in ("sgd", "momentum"):
        theta = []
        for iterations in range(1, 60):
            options = {"iterations": iterations, "group_size": 4, "state": streams.state(1, {})}
            theta.append(run(rare, "grpo", SUM, 1e-3, optimizer=optimizer, **options).theta[0])
        steps = np.diff(theta)
        first = int(np.flatnonzero(np.array(theta) != rare.theta0)[0])
        moved[optimizer] = np.count_nonzero(steps[first : first + 20])
    assert moved["momentum"] > moved["sgd"]


def test_decay_moves_what_an_idle_step_of_sgd_does_not():
    rare = FAMILIES.find("gated").instance(64, 0.9999)
    options = {"iterations": 5, "group_size": 2, "state": streams.state(1, {}), "optimizer": "sgd"}
    still = run(rare, "grpo", SUM, 0.1, **options)
    decayed = run(rare, "grpo", SUM, 0.1, optimizer_settings={"weight_decay": 0.5}, **options)
    assert still.theta[0] == rare.theta0
    assert decayed.theta[0] == pytest.approx(rare.theta0 * (1 - 0.05) ** 5)


def test_dynamic_sampling_spends_no_iteration_on_groups_of_one_outcome():
    rare = FAMILIES.find("gated").instance(16, 0.99)
    state = streams.state(4, {})
    plainly = run(rare, "grpo", SUM, 1e-4, iterations=50, group_size=4, state=state)
    dynamic = run(rare, "grpo", SUM, 1e-4, iterations=50, group_size=4, state=state, dynamic_sampling=True)
    # each update is mixed now, and far fewer than half were before
    assert abs(dynamic.theta[0] - rare.theta0) > 5 * abs(plainly.theta[0] - rare.theta0)


def test_clipping_bounds_a_step():
    for family in ("counting", "contextual"):
        before = bandit(family)
        after = run(before, "gap", SUM, 1.0, iterations=1, clip_norm=0.125)
        assert np.linalg.norm(after.theta - before.start) == pytest.approx(0.125)
        free = run(before, "gap", SUM, 1.0, iterations=1)
        assert np.linalg.norm(free.theta - before.start) > 0.2


class Coin:
    """A policy in plain Python: one token, right with probability σ(θ)."""

    start = np.array([-1.0])
    length, max_length, score_length, best_failure, kernels = 1.0, 1, 1, 0.0, None

    def rates(self, theta):
        p = 1 / (1 + math.exp(-theta[0]))
        return Rates(np.array([p]), np.array([1 - p]), np.array([[1.0]]))  # ℓ = θ

    def sample(self, theta, size, state):
        p = self.rates(theta).success[0]
        heads = np.array([float(streams.uniform(state) < p) for _ in range(size)])
        return [Sample(heads, np.ones(size), (heads - p)[:, None])]


def test_a_policy_without_kernels_is_trained_by_the_same_call():
    found = train(Coin(), "gap", SUM, [0.1, 1.0], iterations=20, record=[0, 20])
    assert [each.theta[0] for each in found] == pytest.approx([1.0, 19.0])
    sampled = run(
        Coin(), "rloo", SUM, 2.0, iterations=200, group_size=16, state=streams.state(1, {}), optimizer="adam"
    )
    assert sampled.final_success_rate > 0.9


def test_what_cannot_be_sampled_is_refused():
    counting = bandit("counting")
    with pytest.raises(ConfigError, match="group has 2 responses or more"):
        run(counting, "grpo", SUM, 1.0, iterations=1, group_size=1, state=streams.state(1, {}))
    with pytest.raises(ConfigError, match="random stream"):
        run(counting, "grpo", SUM, 1.0, iterations=1, group_size=4)
    silent = counting.replace(kernels=counting.kernels._replace(outcomes=None))
    with pytest.raises(ConfigError, match="no sampler"):
        updates(silent, "grpo", SUM, 0.0, group_size=4, state=streams.state(1, {}), count=1)


def test_importing_the_engine_changes_no_setting_of_numba(root):
    script = (
        "import numba; before = dict(vars(numba.config)); import gradgap.training.run; "
        "assert {k: v for k, v in vars(numba.config).items() if k.isupper()} "
        "== {k: v for k, v in before.items() if k.isupper()}"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={"PYTHONPATH": str(root / "workflow/scripts")}
    )


def test_only_documented_parts_of_numba_are_used(root):
    package = root / "workflow/scripts/gradgap"
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for private in ("numba.core", "numba.experimental", "_nrt"):
            assert private not in text, path


def test_a_batch_of_runs_is_its_runs():
    runs = train(bandit("contextual"), "grpo", SUM, [0.1, 3.0, 50.0], iterations=40, record=[0, 40])
    assert len(runs) == 3
    for i, each in enumerate(runs):
        assert each.outcome == runs.outcome[i]
        assert each.final_success_rate == runs.final_success_rate[i]
        assert each.final_failure_rate == runs.final_failure_rate[i]
        assert each.final_success_rate + each.final_failure_rate == pytest.approx(1)
    assert [run.theta[0] for run in runs[1:]] == runs.theta[1:, 0].tolist()


def test_batches_that_score_nothing_are_counted_and_not_made():
    """A rare family's runs end as they do when each iteration is looked at, as `record` makes the engine do."""
    rare = FAMILIES.find("gated").instance(64, 0.999)
    options = {"iterations": 3000, "group_size": 8, "state": streams.state(6, {})}
    skipped = run(rare, "grpo", SUM, 0.02, **options)
    watched = run(rare, "grpo", SUM, 0.02, path=True, **options)
    assert np.array_equal(skipped.theta, watched.theta)
    assert skipped.final_failure_rate == pytest.approx(watched.failure_rate[-300:].mean(), rel=1e-12)
    assert skipped.outcome == watched.outcome
