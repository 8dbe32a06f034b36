"""Single responses of the bandits: rates, log-probabilities and scores against the exact ones."""

import numpy as np
import pytest
from gradgap.bandits import FAMILIES, responses
from gradgap.errors import ConfigError

BANDITS = [
    ("counting", {"length": 64, "success_rate": 0.4}),
    ("gated", {"length": 16, "success_rate": 0.8}),
    ("contextual", {"length": 8, "success_rate": 0.5}),
]


@pytest.fixture(params=BANDITS, ids=lambda case: case[0])
def bandit(request):
    family, settings = request.param
    return FAMILIES.find(family).instance(**settings)


@pytest.fixture
def drawn(bandit):
    return responses.draw(bandit, bandit.start, 20_000, np.random.default_rng(1))


def test_success_rate_and_length_are_those_of_the_policy(bandit, drawn):
    success, failure, _ = bandit.at(bandit.start)
    assert drawn.rewards.mean() == pytest.approx(success, abs=4 * np.sqrt(success * failure / 20_000))
    assert drawn.lengths.mean() == pytest.approx(bandit.length, rel=0.05)


def test_scores_are_the_slopes_of_the_log_probabilities(bandit, drawn):
    exact = responses.scores(bandit, drawn, bandit.start)
    for j, axis in enumerate(np.eye(len(bandit.start))):
        step = 1e-5 * axis
        slope = responses.log_probability(bandit, drawn, bandit.start + step) - responses.log_probability(
            bandit, drawn, bandit.start - step
        )
        assert slope / 2e-5 == pytest.approx(exact[:, j], abs=1e-4)


def test_weights_carry_the_success_rate_to_another_theta(bandit, drawn):
    # E[r π'/π] is the success rate at θ', and E[π'/π] is 1
    moved = bandit.start + 0.05 * np.arange(1, len(bandit.start) + 1) / len(bandit.start)
    weight = np.exp(
        responses.log_probability(bandit, drawn, moved)
        - responses.log_probability(bandit, drawn, bandit.start)
    )
    error = weight.std() / np.sqrt(len(weight))
    assert weight.mean() == pytest.approx(1, abs=4 * error)
    assert (weight * drawn.rewards).mean() == pytest.approx(bandit.at(moved)[0], abs=4 * max(error, 0.004))


def test_gap_is_the_difference_of_mean_scores(bandit, drawn):
    score = responses.scores(bandit, drawn, bandit.start)
    success, failure, gap = bandit.at(bandit.start)
    slope = (score * (drawn.rewards - drawn.rewards.mean())[:, None]).mean(axis=0)
    error = score.std(axis=0) / np.sqrt(len(score))
    assert np.abs(slope - success * failure * np.atleast_1d(gap)).max() < 5 * error.max()


def test_families_and_sizes_that_cannot_be_drawn_are_refused():
    contextual = FAMILIES.find("contextual").instance(8, 0.5)
    with pytest.raises(ConfigError, match="multiple of the 4 prompts"):
        responses.draw(contextual, contextual.start, 10, np.random.default_rng(1))
    with pytest.raises(ConfigError, match="contextual is not allowed here; its single responses"):
        responses.draw(contextual.replace(responses=None), contextual.start, 8, np.random.default_rng(1))
