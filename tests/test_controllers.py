"""Controllers within the engine: against the controller of the probe, the plain loop, and closed forms."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.numerics import streams
from gradgap.probe import HeadroomController
from gradgap.theory.closed_forms import critical_closed_form
from gradgap.training import plain
from gradgap.training.controllers import gained, hold_headroom
from gradgap.training.optimizers import OPTIMIZERS
from gradgap.training.run import run, train
from gradgap.training.schedules import SCHEDULES

SUM, MEAN = "seq-mean-token-sum", "seq-mean-token-mean"


def bandit(family):
    return FAMILIES.find(family).instance(16, 0.95 if family == "gated" else 0.3)


@dataclass
class Exact:
    """What a record of the probe would hold if its success rates were exact: a parabola through three of them."""

    learning_rate: float
    derivatives: tuple[float, float]

    @classmethod
    def of(cls, policy, before, after, rate):
        values, rare = [], policy.rates(before).success < policy.rates(before).failure
        for theta in (before, before + (after - before) / 2, after):
            success, failure, _ = policy.rates(theta)
            values.append(float(np.mean(np.where(rare, success, -failure))))
        half, slope, _ = np.polyfit([-1.0, -0.5, 0.0], np.array(values) - values[2], 2)
        return cls(rate, (slope, 2 * half))


@pytest.mark.parametrize("family", ["counting", "gated", "contextual"])
@pytest.mark.parametrize(
    ("name", "optimizer", "first"), [("headroom-2", "sgd", 0.3), ("headroom-4", "adam", 0.01)]
)
def test_the_rule_is_that_of_the_controller_of_the_probe(family, name, optimizer, first):
    """θ of the engine, and of a loop in Python that asks HeadroomController after each step."""
    policy, iterations = bandit(family), 40
    chosen = OPTIMIZERS.find(optimizer)
    control = HeadroomController(first, target=float(name[-1]), lowest=1e-6 * first)
    theta, memory, step = policy.start.copy(), chosen.memory(len(policy.start)), np.zeros(len(policy.start))
    rates, failures = [], []
    for _ in range(iterations):
        update = plain.expected_update(policy, "grpo", MEAN, theta)
        chosen.move(theta, update, memory, chosen.vector(None), step)
        rates.append(control.learning_rate)
        moved = theta + control.learning_rate * step
        control.update(Exact.of(policy, theta, moved, control.learning_rate))
        theta = moved
        failures.append(float(policy.rates(theta).failure.mean()))
    found = run(
        policy, "grpo", MEAN, first, iterations=iterations, schedule=name, optimizer=optimizer, path=True
    )
    assert max(rates) > 2 * first  # it had something to do
    np.testing.assert_allclose(found.failure_rate[1:], failures, rtol=1e-6)
    np.testing.assert_allclose(found.theta, theta, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("family", ["counting", "gated", "contextual"])
def test_the_engine_does_what_the_plain_loop_does(family):
    options = {"schedule": "headroom-2", "optimizer": "momentum", "clip_norm": 0.7, "iterations": 40}
    ours = run(bandit(family), "grpo", MEAN, 0.03, path=True, **options)
    theirs = plain.train(bandit(family), "grpo", MEAN, 0.03, record=np.arange(41), **options)
    np.testing.assert_allclose(ours.failure_rate, theirs.failure_rate, rtol=1e-7, atol=1e-13)
    assert ours.outcome == theirs.outcome


def test_sampled_runs_are_those_of_the_plain_loop():
    options = {"schedule": "headroom-4", "iterations": 40, "group_size": 6}
    state = streams.state(3, {"replicate": "1"})
    ours = run(bandit("counting"), "grpo", MEAN, 0.1, path=True, state=state, **options)
    theirs = plain.train(
        bandit("counting"),
        "grpo",
        MEAN,
        0.1,
        state=state.copy(),
        record=np.arange(41),
        tolerance=1e-2,
        **options,
    )
    np.testing.assert_allclose(ours.failure_rate, theirs.failure_rate, rtol=1e-7)
    plainly = run(bandit("counting"), "grpo", MEAN, 0.1, path=True, state=state, iterations=40, group_size=6)
    assert not np.allclose(ours.failure_rate, plainly.failure_rate)


def test_each_run_of_a_batch_has_a_memory_of_its_own():
    rates, options = [0.01, 0.3, 4.0], {"iterations": 60, "schedule": "headroom-2"}
    for group_size in (None, 8):
        states = None if group_size is None else [streams.state(9, {"replicate": str(i)}) for i in range(3)]
        how = {**options, "group_size": group_size}
        together = train(bandit("counting"), "rloo", SUM, rates, states=states, **how)
        for i, rate in enumerate(rates):
            alone = run(
                bandit("counting"), "rloo", SUM, rate, state=None if states is None else states[i], **how
            )
            assert np.array_equal(together[i].theta, alone.theta)


@pytest.mark.parametrize("target", [1.5, 3.0])
def test_near_the_best_theta_it_holds_the_share_of_the_critical_learning_rate(target):
    """There J is a parabola whose edge is the critical learning rate α*, so that α settles at α*/target."""
    policy = FAMILIES.find("counting").instance(64, 0.2)
    critical = critical_closed_form(policy, "reinforce", SUM)
    near = np.array([[-1e-3]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCHEDULES, "held", hold_headroom(target, window=4, pace=1.0, most=1e6, warm_up=1))
        found = [
            train(
                policy, "reinforce", SUM, [0.01 * critical], iterations=k, schedule="held", starts=near.copy()
            )[0].theta[0]
            for k in (1, 2)
        ]
    # θ' = θ(1 − 2α/α*) near 0
    assert found[0] / near[0, 0] == pytest.approx(1 - 0.02, abs=1e-5)
    assert found[1] / found[0] == pytest.approx(1 - 2 / target, abs=1e-4)


def test_it_grows_from_a_timid_start_and_saves_a_bold_one():
    policy = FAMILIES.find("counting").instance(64, 0.2)
    critical = critical_closed_form(policy, "reinforce", SUM)
    first = critical * np.array([0.01, 1.2])
    fixed, held = (
        train(policy, "reinforce", SUM, first, iterations=100, schedule=name).final_failure_rate
        for name in ("constant", "headroom-2")
    )
    excess = (held - policy.best_failure) / (fixed - policy.best_failure)
    assert (excess < 1e-3).all()


def test_several_steps_a_batch_are_one_move():
    """With no clip and a shared logit two steps of half the size are nearly one, and so are their headrooms."""
    policy, options = bandit("counting"), {"iterations": 30, "schedule": "headroom-4"}
    one = run(policy, "rloo", SUM, 0.02, **options)
    two = run(policy, "rloo", SUM, 0.01, steps_per_batch=2, **options)
    held = run(policy, "rloo", SUM, 0.01, steps_per_batch=2, iterations=30)
    assert abs(two.theta[0] - one.theta[0]) < 0.2 * abs(held.theta[0] - one.theta[0])


def test_iterations_that_move_nothing_are_not_seen():
    """Skipping batches that score nothing, or looking at each of them, comes to the same."""
    rare = FAMILIES.find("gated").instance(64, 0.999)
    options = {"iterations": 2000, "group_size": 8, "state": streams.state(6, {}), "schedule": "headroom-2"}
    skipped = run(rare, "grpo", SUM, 0.002, outcome=False, **options)
    watched = run(rare, "grpo", SUM, 0.002, path=True, **options)
    assert np.array_equal(skipped.theta, watched.theta)
    assert skipped.theta[0] != rare.theta0


def test_the_gain_keeps_its_digits_on_either_side():
    before, after = np.array([[1e-20, 1.0], [1.0, 1e-20]]), np.array([[3e-20, 1.0], [1.0, 5e-21]])
    assert gained(before, after) == pytest.approx(1.25e-20, rel=1e-12)
    assert math.isclose(gained(after, before), -1.25e-20, rel_tol=1e-12)
