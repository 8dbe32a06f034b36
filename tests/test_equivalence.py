"""Verdicts by equivalence."""

import itertools

import numpy as np
import pytest
from gradgap.inference import equivalence
from gradgap.inference.equivalence import MARGIN, Statement, verdict

#: The two statements of a prediction, with what is said of one that is met and of one that is missed.
WORDS = {Statement.LAW: ("confirmed", "refuted"), Statement.BOUND: ("attained", "not attained")}


def by_brute_force(predicted, low, high, margin):
    """All, none or some of the values in the interval lie within the margin."""
    near = np.abs(np.linspace(low, high, 2001) - predicted) <= margin
    return "all" if near.all() else "some" if near.any() else "none"


@pytest.mark.parametrize("statement", Statement)
def test_a_verdict_says_how_much_of_the_interval_is_near(statement):
    met, missed = WORDS[statement]
    words = {"all": met, "none": missed, "some": "undecided"}
    ends = np.linspace(-1.2031, -0.8017, 29)
    seen = set()
    for low, high in itertools.combinations_with_replacement(ends, 2):
        expected = words[by_brute_force(-1.0, low, high, MARGIN)]
        assert verdict(-1.0, low, high, statement).value == expected
        seen.add(expected)
    assert seen == set(words.values())


def test_a_wide_interval_around_the_prediction_confirms_nothing():
    assert verdict(-1, -1.3, -0.7).value == "undecided"
    assert verdict(-1, -1.3, -0.7, Statement.BOUND).value == "undecided"


def test_a_precise_interval_beside_the_prediction_is_not_refuted():
    """−1.008 with an interval from −1.015 to −1.002 is −1 for every purpose, though it does not hold −1."""
    assert verdict(-1, -1.015, -1.002).value == "confirmed"


def test_nothing_is_said_of_what_is_not_known():
    for values in itertools.product([-1.0, float("nan")], repeat=3):
        if any(np.isnan(values)):
            assert verdict(*values).value == "undecided"


def test_infinite_ends_leave_it_undecided_or_refute():
    assert verdict(-1, -1.0, float("inf")).value == "undecided"
    assert verdict(-1, 0.0, float("inf")).value == "refuted"


def test_the_rule_in_words_names_the_margin_and_every_verdict():
    assert f"{MARGIN:g}" in equivalence.RULE
    for word in equivalence.Verdict:
        assert word.value in equivalence.RULE


def test_searches_in_other_units_are_one_search():
    series = {"a": [1, 1.02, 0.99], "b": [1, 1.02, 0.99 * (1 + 1e-12)], "c": [1, 1.02, 0.98], "d": [1, 1.02]}
    assert equivalence.searches(series, series.values()) == {"a": "a", "b": "a", "c": "c", "d": "d"}


def test_a_search_that_found_nothing_stands_alone():
    nan = float("nan")
    assert equivalence.searches("ab", [[1.0, nan], [1.0, nan]]) == {"a": "a", "b": "b"}
