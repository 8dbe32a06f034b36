"""Enumerated policies against a plain recursion in high precision, and their critical step against a dense scan."""

import itertools
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from gradgap.bandits.enumerated import LEAST_ALIGNMENT, LEAST_RATE, Line, pruned, stopped_walk, tree
from gradgap.measurements.bound_audit import BOUNDS, audit, generator_at
from helpers import even_policy, random_policy
from scipy.optimize import brentq


def recursion(line, step):
    """(probability, score, tokens, right) of every response by plain recursion in mpmath."""
    out = []

    def visit(context, probability, score, tokens):
        logits = [mp.mpf(float(z)) for z in line.logit[context]]
        slopes = [mp.mpf(float(z)) for z in line.slope[context]]
        weights = [mp.exp(z + step * u) for z, u in zip(logits, slopes, strict=True)]
        total = mp.fsum(weights)
        mean = mp.fsum(w * u for w, u in zip(weights, slopes, strict=True)) / total
        for token, child in enumerate(line.tree.child[context]):
            p, x = probability * weights[token] / total, score + slopes[token] - mean
            if child < 0:
                out.append((p, x, tokens + 1, bool(line.right[-1 - child])))
            else:
                visit(child, p, x, tokens + 1)

    visit(0, mp.mpf(1), mp.mpf(0), 0)
    return out


@pytest.mark.parametrize(("length", "vocabulary"), list(itertools.product((1, 2, 3, 5), (2, 3, 4))))
def test_tree_counts_responses(length, vocabulary):
    assert tree(length, vocabulary, False).responses == vocabulary**length
    ending = (
        sum((vocabulary - 1) ** (t - 1) for t in range(1, length))
        + (vocabulary - 1) ** (length - 1) * vocabulary
    )
    assert tree(length, vocabulary, True).responses == ending
    shape = tree(length, vocabulary, True)
    leaves = sorted(-1 - shape.child[shape.child < 0])
    assert leaves == list(range(shape.responses))
    assert all(child > context for context, row in enumerate(shape.child) for child in row if child >= 0)


@pytest.mark.parametrize("key", range(12))
def test_rates_gap_and_length_are_those_of_a_plain_recursion(key):
    _, _, line = random_policy(key, longest=3)
    for step in (0.0, 0.37, 5.0):
        responses = recursion(line, step)
        assert abs(mp.fsum(p for p, *_ in responses) - 1) < 1e-12
        success = mp.fsum(p for p, _, _, right in responses if right)
        failure = mp.fsum(p for p, _, _, right in responses if not right)
        gap = mp.fsum(p * x for p, x, _, right in responses if right) / success
        gap -= mp.fsum(p * x for p, x, _, right in responses if not right) / failure
        expected = [success, failure, gap, mp.fsum(p * t for p, _, t, _ in responses)]
        assert line.at(step) == pytest.approx([float(value) for value in expected], rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("key", range(12))
def test_gap_is_the_gradient_of_the_log_odds(key):
    policy, direction, line = random_policy(key)
    success, failure, alignment, _ = line.at(0.0)

    def log_odds(step):
        here = line.at(step)
        return np.log(here[0]) - np.log(here[1])

    h = 1e-5 / line.spread
    slope = (log_odds(h) - log_odds(-h)) / (2 * h)  # D1
    assert alignment == pytest.approx(slope, rel=1e-6, abs=1e-7 * line.spread)
    rise = (line.at(h)[0] - line.at(-h)[0]) / (2 * h)  # D2
    assert success * failure * alignment == pytest.approx(rise, rel=1e-6, abs=1e-7 * line.spread)
    assert policy.gap() @ direction == pytest.approx(alignment, rel=1e-9)


def test_score_and_curvature_of_a_token_stay_within_the_constants():
    """S1 and S2 at random points of the line, and that neither constant is too large to be approached."""
    largest = np.zeros(2)
    for key in range(40):
        _, _, line = random_policy(key)
        spread = line.spread
        for step in np.append(0, generator_at(0, {"steps": str(key)}).normal(size=6) * 30 / spread):
            z = line.logit + step * line.slope
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            centred = line.slope - (p * line.slope).sum(axis=1, keepdims=True)
            found = np.array(
                [np.abs(centred).max() / spread, (p * centred**2).sum(axis=1).max() / (spread**2 / 4)]
            )
            assert (found <= 1 + 1e-12).all()
            largest = np.maximum(largest, found)
    assert largest[0] > 0.999
    assert largest[1] > 0.9


def test_small_gains_keep_their_digits():
    _, _, line = random_policy(3, longest=3)
    start = mp.fsum(p for p, _, _, right in recursion(line, mp.mpf(0)) if right)
    for step in (1e-9, 1e-6, 1e-3):
        exact = mp.fsum(p for p, _, _, right in recursion(line, mp.mpf(step)) if right) - start
        assert line.gains([step])[0] == pytest.approx(float(exact), rel=1e-4)


def test_critical_step_where_it_is_known():
    """The example below Proposition 4: from −τ a policy even in θ falls back at exactly 2τ."""
    for tau, rho in ((0.3, 0.2), (1.5, 0.01)):
        line = even_policy(3, tau, rho)
        assert line.critical_step(1e-4, 1e4) == pytest.approx(2 * tau, rel=1e-6)
        backwards = Line(line.tree, line.logit, -line.slope, line.right)
        assert backwards.critical_step(1e-4, 1e4) < 1e-12  # no ascent: J falls at once


def test_a_ladder_that_does_not_climb_is_refused():
    with pytest.raises(ValueError, match="first: 0"):
        even_policy(1, 0.3, 0.2).critical_step(0.0, 1.0)


def test_a_dip_between_two_rungs_is_found():
    """J rises, dips below its start, and rises to 1, all within one decade of the ladder."""
    slope = np.array([[0.0, 0.1, 0.2, 0.3]])
    logit = np.array([[0.0, -1.0, -6.0, -16.0]])
    line = Line(tree(1, 4, False), logit, slope, np.array([False, True, False, True]))
    steps = np.linspace(1e-3, 99, 20_000)
    first = steps[np.argmax(line.gains(steps) < 0)]
    assert 51 < first < 90
    assert (line.gains([50.0, 50 * 10**0.5]) > 0).all()  # both rungs lie above the start
    root = brentq(lambda step: line.gains([step])[0], first - 0.1, first)
    assert line.critical_step(50.0, 1e3, per_decade=2) == pytest.approx(root, rel=1e-5)


def test_critical_step_does_not_depend_on_the_ladder():
    finite = 0
    for key in range(300):
        _, _, line = random_policy(key)
        first, last = np.nanmin(audit(line).bound) / 8, 1e4 / line.spread
        fine = line.critical_step(first, last, per_decade=200)
        assert line.critical_step(first, last) == pytest.approx(fine, rel=3e-6)
        if np.isfinite(fine):
            finite += 1
            below, above = line.gains([fine * (1 - 1e-5), fine * (1 + 1e-5)])
            assert above < 0 <= below
            assert (line.gains(np.geomspace(first, fine * (1 - 1e-5), 400)) >= 0).all()
    assert finite > 50


def test_draws_cover_the_asked_range():
    rates, cosines, entropies, endings = [], [], [], set()
    for key in range(600):
        policy, direction, line = random_policy(key, longest=3)
        success, failure, alignment, length = line.at(0.0)
        assert np.linalg.norm(direction) == pytest.approx(1)
        assert success + failure == pytest.approx(1, abs=1e-12)
        assert min(success, failure) >= LEAST_RATE * (1 - 1e-9)
        assert alignment > LEAST_ALIGNMENT * line.spread
        rates.append(success)
        cosines.append(alignment / np.linalg.norm(policy.gap()))
        probability = line.responses()[0]
        entropies.append(-(probability @ np.log(np.maximum(probability, 1e-300))))
        endings.add(length < policy.tree.depth.max() + 1 - 1e-9)
    assert min(rates) < 1e-3
    assert max(rates) > 0.999
    assert min(cosines) < 0.01
    assert max(cosines) > 0.999
    assert min(entropies) < 0.02
    assert max(entropies) > 3
    assert endings == {True, False}


def test_a_generator_depends_on_its_seed_and_coordinates_only():
    def first(seed, **coordinates):
        return generator_at(seed, coordinates).random()

    assert first(1, draw="2", bound="a") == first(1, bound="a", draw="2")
    assert len({first(1, draw="2"), first(1, draw="3"), first(2, draw="2")}) == 3


def test_pruned_tree_is_the_ending_tree():
    """Marking the contexts reached by token 0 gives the responses of `tree(..., True)`, in another order."""
    full = tree(4, 3, False)
    ends = np.zeros(len(full.child), bool)
    after = full.child[:, 0]
    ends[after[after >= 0]] = True
    shape, kept, leaf = pruned(full, ends)
    other = tree(4, 3, True)
    assert shape.responses == other.responses == len(leaf)
    assert np.array_equal(np.sort(shape.depth), np.sort(other.depth))
    assert np.array_equal(full.depth[kept], shape.depth)
    seen = sorted(-1 - shape.child[shape.child < 0])
    assert seen == list(range(shape.responses))


@pytest.mark.parametrize(
    ("length", "least"),
    [(2, 4), (3, 10 / 3), (4, 10 / 3), (5, 13 / 4), (6, 54 / 17), (7, 22 / 7), (8, 114 / 37), (10, 234 / 77)],
)
def test_stopped_walk_against_exact_stopping_in_fractions(length, least):
    """The optimum over the count of steps, in exact fractions, and the critical step of the policy itself."""
    share = best_share(length)
    assert float(2 / share) == pytest.approx(least, rel=1e-15)
    shape, slope, right = stopped_walk(length, 2, float(share))
    assert shape.depth.max() + 1 <= length
    tau, tile = 1e-3, np.ones((len(shape.child), 1))
    line = Line(shape, -tau * tile * slope, tile * slope, right)
    found = audit(line)
    assert found.ratio[BOUNDS.index("prop4")] == pytest.approx(least, rel=1e-4)
    assert found.ratio[BOUNDS.index("prop4")] > least  # it is approached from above


def best_share(length):
    """Largest E[(n − S²)₊]/E[n] over rules that stop a walk of n steps ±1 within a length, in fractions."""
    share = Fraction(0)
    while True:
        ahead = {s: (Fraction(max(length - s * s, 0)), Fraction(length)) for s in range(-length, length + 1)}
        for n in range(length - 1, 0, -1):
            here = {}
            for s in range(-n, n + 1):
                on = tuple((a + b) / 2 for a, b in zip(ahead[s - 1], ahead[s + 1], strict=True))
                stop = (Fraction(max(n - s * s, 0)), Fraction(n))
                here[s] = max((on, stop), key=lambda pair: pair[0] - share * pair[1])
            ahead = here
        gain, steps = ((a + b) / 2 for a, b in zip(ahead[-1], ahead[1], strict=True))
        if gain / steps == share:
            return share
        share = gain / steps


def test_proved_rise_stops_before_the_critical_step_and_comes_near_it():
    near = 0
    for key in range(200):
        _, _, line = random_policy(key, longest=3)
        critical = line.critical_step(np.nanmin(audit(line).bound) / 8, 1e4 / line.spread)
        if np.isfinite(critical):
            proved = line.proved_rise(2 * critical)
            assert proved <= critical * (1 + 1e-6)
            near += proved > 0.999 * critical
    assert near > 30


def test_proved_rise_sees_a_dip_that_a_ladder_misses():
    """J dips below its start between two rungs at which it rises: the ladder passes over it, the proof does not."""
    slope = np.array([[0.0, 0.1, 0.2, 0.3]])
    logit = np.array([[0.0, -1.0, -6.0, -16.0]])
    line = Line(tree(1, 4, False), logit, slope, np.array([False, True, False, True]))
    first = line.critical_step(1.0, 1e3, per_decade=200)
    assert 51 < first < 90
    missed = line.critical_step(1.0, 1e3, per_decade=1 / 2)
    assert missed > 2 * first
    assert line.proved_rise(200.0) < first * (1 + 1e-6)  # to the precision of `first`


def test_drawn_policies_include_stopped_walks_and_responses_that_end_anywhere():
    walks = ends = 0
    for key in range(600):
        policy, _, line = random_policy(key)
        walks += bool(np.ptp(line.slope, axis=0).max() < 1e-9 * line.spread and len(line.slope) > 1)
        length, vocabulary = policy.tree.depth.max() + 1, policy.tree.child.shape[1]
        ordinary = [tree(length, vocabulary, ending).responses for ending in (True, False)]
        ends += policy.tree.responses not in ordinary
    assert walks > 10
    assert ends > 60
