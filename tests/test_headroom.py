"""The study headroom: the truth it compares with, and what its measurements give."""

import math

import numpy as np
import pytest
from gradgap.measurements import headroom
from gradgap.probe.result import Word

SETTINGS = {
    "seed": 1,
    "success_rate": {"counting": 0.5, "gated": 0.8, "contextual": 0.6},
    "prompts": 4,
    "contexts": 4,
    "candidates": 4,
    "margin": 0.1,
    "dimension": 8,
    "window": 1.0,
    "headroom_length": 16,
    "headroom_resamples": 60,
    "start_deviations": 1.8,
    "run_responses": 64,
    "run_iterations": 20,
    "run_window": 10,
}
POINT = {"family": "counting", "optimizer": "sgd", "learning_rate_ratio": "0.1"}
FAMILIES = ["counting", "gated", "contextual"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_edge_of_a_line_is_where_exact_rates_say(family):
    line = headroom.line_at(family, SETTINGS, 0.3, 4.0, 0)
    start = line.instance.at(line.theta)[0]
    # nothing below the start before the edge, and below it beyond
    before = [line.instance.at(line.at(t))[0] for t in np.linspace(0.05, 3.99, 60)]
    assert min(before) >= start
    assert line.instance.at(line.at(4.0))[0] == pytest.approx(start, abs=1e-6)
    assert line.instance.at(line.at(4.05))[0] < start


@pytest.mark.parametrize("family", FAMILIES)
def test_the_spread_sets_how_far_the_edge_is_in_deviations_of_the_score(family):
    line = headroom.line_at(family, SETTINGS, 0.3, 4.0, 0)
    drawn = line.draw(8000, np.random.default_rng(5))
    score = headroom.responses.scores(line.instance, drawn, line.theta) @ line.step
    expected = 0.6 * (math.sqrt(line.instance.kernels.constants[2]) if family == "gated" else 1.0)
    assert 4.0 * score.std() == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_gives_every_variable_and_the_same_numbers_again(family):
    point = {"family": family, "start_spread": "0.3", "responses": "512", "replicate": "0"}
    found = headroom._estimate(point, {}, SETTINGS)
    assert set(found) == set(headroom.ESTIMATES)
    assert found["headroom_word"] in tuple(Word)
    assert 0 < found["effective_share"] < 1
    again = headroom._estimate(point, {}, SETTINGS)
    assert all(np.array_equal(found[name], again[name], equal_nan=True) for name in found)


def test_climbs_find_the_edge():
    point = {"family": "counting", "climb_spread": "1.0", "replicate": "0"}
    found = headroom._climb(point, {}, SETTINGS)
    assert found["climb_over_truth"] == pytest.approx(1.0, abs=0.15)
    assert found["climb_responses"] <= 1000


def test_the_controller_saves_a_run_that_dies_at_its_fixed_rate():
    def kept(control, replicate):
        point = {
            "family": "counting",
            "optimizer": "sgd",
            "control": control,
            "learning_rate_ratio": "2.5",
            "replicate": str(replicate),
        }
        return headroom._run(point, {}, SETTINGS | {"run_iterations": 60})["kept"]

    fixed, controlled = ([kept(control, k) for k in range(4)] for control in ("fixed", "controller"))
    assert np.mean(fixed) < 0.7
    assert np.mean(controlled) > np.mean(fixed) + 0.1


def test_runs_of_the_engine_are_those_of_the_loop_of_the_instrument():
    """The same rule, start and sizes in two programs, with random numbers of their own."""

    def rates(measure, **of):
        points = ({**POINT, **of, "replicate": str(k)} for k in range(8))
        return np.array([next(iter(measure(point, {}, SETTINGS).values())) for point in points])

    def loop(point, inner, settings):
        return {"mean": headroom._run(point, inner, settings)["mean_success_rate"]}

    ours, theirs = rates(headroom._scheduled, schedule="constant"), rates(loop, control="fixed")
    error = math.hypot(ours.std(), theirs.std()) / math.sqrt(len(ours) - 1)
    assert abs(ours.mean() - theirs.mean()) < 4 * error < 0.1


def test_reference_rate_is_where_the_slope_of_the_map_is_minus_one():
    instance = headroom._instance("counting", SETTINGS, 0)
    rate = headroom.reference(instance, "sgd")
    assert headroom.reference(instance, "momentum") == pytest.approx(1.9 * rate)
    assert headroom.reference(instance, "lion") == headroom.reference(instance, "adam")
    theta = 1e-4
    success, failure, gap = instance.at(theta)
    assert (theta + rate * success * failure * gap) / theta == pytest.approx(-1.0, rel=1e-4)


def test_lost_rate_is_the_success_rate_far_out():
    for family in ("counting", "gated"):
        instance = headroom._instance(family, SETTINGS, 0)
        assert headroom.lost_rate(instance) == pytest.approx(instance.at(60.0)[0], abs=1e-9)
