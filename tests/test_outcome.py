"""One judge: the same path gets the same word, whichever engine made it."""

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.theory import closed_forms
from gradgap.training.outcome import Summary, judge, judge_path, tail_length
from gradgap.training.run import train

SUM = "seq-mean-token-sum"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ([0.5] * 5 + [0.996] * 15, "converged"),
        ([0.5] * 5 + [0.4] * 5 + [0.996] * 10, "converged"),
        (np.linspace(0.5, 0.9, 20), "slow"),
        ([0.5] * 19 + [0.9] * 2, "slow"),  # the tail is two updates, and the first of them rose
        ([0.5] * 18 + [0.9] * 3, "stagnated"),  # neither did
        ([0.5] * 10 + [0.9] * 10, "stagnated"),  # it rose once and no longer does
        ([0.5] * 5 + [0.95] * 5 + [0.9] * 10, "stagnated"),
        ([0.5] * 5 + [0.95] * 5 + [0.4] * 10, "collapsed"),
    ],
)
def test_outcomes_by_hand(path, outcome):
    success = np.array(path)
    assert judge_path(success, 1 - success, best_failure=0.0, tolerance=1e-2).name == outcome


def test_a_run_that_saw_nothing_in_its_tail_is_slow_and_not_stagnated():
    seen = Summary(0.5, 0.5, 0.9, 0.1, 0.1, 0.1, 0.0, False)
    assert judge(seen, 0.0, 1e-2) == 3
    assert judge(seen._replace(idle=True), 0.0, 1e-2) == 1


@pytest.mark.parametrize("iterations", [1, 7, 15, 100, 110, 150, 155, 2000])
def test_a_tail_holds_whole_two_cycles(iterations):
    tail = tail_length(iterations)
    assert tail % 2 == 0 or tail == iterations == 1 or iterations == 1
    assert iterations / 10 - 1 <= tail <= max(iterations / 10 + 1, 2)


@pytest.mark.parametrize("iterations", [150, 151])
def test_the_final_rate_of_a_two_cycle_does_not_depend_on_where_it_ends(iterations):
    """A tail of 15 updates would hold one state of the cycle eight times and the other seven times."""
    bandit = FAMILIES.find("counting").instance(64, 0.2)
    eta = 0.6 * abs(bandit.theta0)
    (run,) = train(bandit, "unit", SUM, [eta], iterations=iterations)
    assert run.final_failure_rate == pytest.approx(closed_forms.plateau_closed_form(bandit, eta), rel=1e-9)


@pytest.mark.parametrize("ratio", [1.02, 1.05, 1.1])
def test_engines_and_judge_agree_just_above_the_threshold(ratio):
    """One path, by the exact engine, and judged from its rates as those of any other engine are."""
    bandit = FAMILIES.find("counting").instance(64, 0.2)
    rate = ratio * closed_forms.critical_closed_form(bandit, "grpo", SUM)
    (run,) = train(bandit, "grpo", SUM, [rate], iterations=2000, record=np.arange(2001))
    again = judge_path(run.success_rate, run.failure_rate, bandit.best_failure, 1e-4)
    assert run.outcome == again
    assert run.outcome.name in ("stagnated", "collapsed")


@pytest.mark.parametrize(("walked", "outcome"), [(19, "slow"), (18, "stagnated")])
def test_the_engine_reads_the_rise_of_the_tail_from_where_the_tail_starts(walked, outcome):
    """A fixed step walks to η/2 and then hops between ±η/2, where J is the same. The tail is updates 19 and 20."""
    bandit = FAMILIES.find("counting").instance(64, 0.2)
    (run,) = train(bandit, "unit", SUM, [abs(bandit.theta0) / (walked + 0.5)], iterations=20, tolerance=1e-4)
    assert run.outcome.name == outcome
