"""Exact dynamics against a plain implementation, and the four outcomes."""

import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.numerics.compiler import kernel
from gradgap.training.outcome import Outcome
from gradgap.training.run import run
from gradgap.training.schedules import SCHEDULES
from scipy import stats


def plain_run(n, width, share, theta, learning_rate, coefficient, divisor, iterations):
    """The same recurrence with scipy's binomial, written without any of the package."""

    def rates(theta):
        p = 1 / (1 + math.exp(-theta))
        inside = stats.binom.cdf(n // 2 + width, n, p) - stats.binom.cdf(n // 2 - width - 1, n, p)
        edge = stats.binom.pmf([n // 2 - width - 1, n // 2 + width], n - 1, p)
        return 1 - share + share * inside, share * (1 - inside), share * n * p * (1 - p) * (edge[0] - edge[1])

    path = []
    for _ in range(iterations):
        success, failure, slope = rates(theta)
        path.append(success)
        gap = slope / (success * failure)
        theta += learning_rate * coefficient(success, failure, abs(gap)) * gap / divisor
    path.append(rates(theta)[0])
    return np.array(path)


COEFFICIENTS = {
    "gap": lambda success, failure, gap: 1.0,
    "unit": lambda success, failure, gap: 1 / gap,
    "reinforce": lambda success, failure, gap: success * failure,
    "grpo": lambda success, failure, gap: math.sqrt(success * failure),
}


@pytest.mark.parametrize("advantage", COEFFICIENTS)
@pytest.mark.parametrize(("family", "length", "success_rate"), [("counting", 64, 0.2), ("gated", 32, 0.9)])
def test_runs_against_a_plain_implementation(advantage, family, length, success_rate):
    instance = FAMILIES.find(family).instance(length, success_rate)
    n, width, share = (
        int(instance.kernels.constants[0]),
        int(instance.kernels.constants[1]),
        instance.kernels.constants[2],
    )
    gap = instance.at(instance.theta0)[2]
    first = COEFFICIENTS[advantage](success_rate, 1 - success_rate, gap) * gap
    for first_step in (0.1, 0.9, 3.0):  # in units of |θ₀|: below, near and above the threshold
        learning_rate = first_step * abs(instance.theta0) / first
        found = run(
            instance, advantage, "token-mean", learning_rate * instance.length, iterations=40, path=True
        )
        plain = plain_run(
            n, width, share, instance.theta0, learning_rate, COEFFICIENTS[advantage], 1.0, iterations=40
        )
        # roundings grow where the map expands, so only the first steps of an unstable run can agree closely
        reach = {0.1: 41, 0.9: 8, 3.0: 4}[first_step]
        # scipy's rates are differences of cumulative ones, exact to 1e-15 only in absolute terms
        np.testing.assert_allclose(found.success_rate[:reach], plain[:reach], rtol=1e-7, atol=1e-13)
        assert found.success_rate.shape == (41,)


def test_outcomes_below_near_and_above_the_threshold():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    critical = 0.2617  # of reinforce, see test_thresholds
    found = {
        factor: run(instance, "reinforce", "seq-mean-token-sum", factor * critical, iterations=1000).outcome
        for factor in (1e-5, 0.5, 2.0, 30.0)
    }
    assert found == {
        1e-5: Outcome.slow,
        0.5: Outcome.converged,
        2.0: Outcome.stagnated,
        30.0: Outcome.collapsed,
    }


def test_a_run_that_settles_on_a_two_cycle_from_outside_is_not_slow():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    result = run(instance, "reinforce", "seq-mean-token-sum", 1.1 * 0.2617, iterations=2000, path=True)
    assert (np.diff(result.success_rate) >= -1e-12).all()  # it never fell
    assert result.outcome == Outcome.stagnated  # and yet more iterations would not help


def test_stopping_early_changes_no_bit(monkeypatch):
    monkeypatch.setitem(
        SCHEDULES, "watched", kernel(lambda k, iterations, now, start: 1.0)
    )  # never stops early
    outcomes = set()
    for family, length, success_rate in (("counting", 16, 0.2), ("counting", 1024, 0.2), ("gated", 64, 0.99)):
        instance = FAMILIES.find(family).instance(length, success_rate)
        for advantage in ("gap", "unit", "reinforce", "grpo"):
            for learning_rate in np.geomspace(1e-5, 1e3, 25):
                for iterations in (997, 1000):
                    early, whole = (
                        run(
                            instance,
                            advantage,
                            "seq-mean-token-sum",
                            learning_rate,
                            iterations=iterations,
                            schedule=schedule,
                            path=True,
                        )
                        for schedule in ("constant", "watched")
                    )
                    assert early.outcome == whole.outcome
                    assert early.final_success_rate == whole.final_success_rate
                    assert early.final_failure_rate == whole.final_failure_rate
                    np.testing.assert_array_equal(early.success_rate, whole.success_rate)
                    np.testing.assert_array_equal(early.failure_rate, whole.failure_rate)
                    outcomes.add(early.outcome)
    assert outcomes == set(Outcome)


def test_final_rates_are_means_over_the_last_tenth():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    result = run(instance, "grpo", "seq-mean-token-sum", 0.02, iterations=100, path=True)
    assert result.final_success_rate == pytest.approx(result.success_rate[-10:].mean(), rel=1e-14)
    assert result.final_failure_rate == pytest.approx(result.failure_rate[-10:].mean(), rel=1e-14)


def test_schedules():
    instance = FAMILIES.find("counting").instance(64, 0.2)
    start_failure = instance.at(instance.theta0)[1]
    for schedule, factor in (
        ("failure-rate", lambda k, failure: failure / start_failure),
        ("inverse-sqrt", lambda k, failure: 1 / math.sqrt(k + 1)),
    ):
        result = run(instance, "unit", "seq-mean-token-sum", 0.05, iterations=8, schedule=schedule, path=True)
        theta = instance.theta0
        for k in range(8):
            success, failure, gap = instance.at(theta)
            assert result.success_rate[k] == pytest.approx(success, rel=1e-12)
            theta += 0.05 * factor(k, failure) * math.copysign(1, gap)


@pytest.mark.parametrize("iterations", [90, 91, 110, 111, 1000, 1011])
def test_the_judged_tail_holds_whole_two_cycles(iterations):
    """A tenth of 90 is 9 updates; the mean over a two-cycle must be that of its two values, wherever the run ends."""
    instance = FAMILIES.find("counting").instance(64, 0.2)
    step = 0.7 * abs(
        instance.theta0
    )  # of the `unit` rule: it hops between two policies from the second update on
    result = run(instance, "unit", "seq-mean-token-sum", step, iterations=iterations, path=True)
    pair = result.failure_rate[-2:]
    assert abs(pair[0] - pair[1]) > 0.01
    assert result.final_failure_rate == pytest.approx(pair.mean(), rel=1e-12)
    assert result.final_success_rate == pytest.approx(result.success_rate[-2:].mean(), rel=1e-12)
    tail = max(iterations // 10, 1)
    odd = result.failure_rate[-(tail - 1 + tail % 2) :]
    assert odd.mean() != pytest.approx(pair.mean(), rel=1e-4)  # what a tail of an odd number would give
