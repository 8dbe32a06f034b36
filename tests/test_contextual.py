"""The family `contextual`: rates and gap by enumeration, the sampler, the dynamics, and the study's analysis."""

import itertools
import json
import math

import mpmath
import numpy as np
import pytest
from gradgap import cli
from gradgap.bandits import FAMILIES
from gradgap.bandits.shared_prompts import AT_ONCE, draw_wrong, evaluate
from gradgap.errors import ConfigError
from gradgap.measurements.prompt_runs import check_curves
from gradgap.numerics import streams
from gradgap.report import captions, style
from gradgap.studies.contextual import analysis as study
from gradgap.studies.contextual import figure as contextual_figure
from gradgap.studies.contextual import figure_groups as groups_figure
from gradgap.sweep import compute, config, grid, store
from gradgap.sweep.measurement import measure
from gradgap.training import rules
from gradgap.training import run as training
from helpers import assembled
from scipy import stats

SAMPLED = ("reinforce", "rloo", "dr_grpo", "grpo")
AGGREGATIONS = ("seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm")
SIZES = {"prompts": 2, "contexts": 2, "candidates": 3, "dimension": 3, "margin": 0.4}


def make(length=4, success_rate=0.3, **options):
    """A small instance; 81 responses to a prompt at length 4."""
    return FAMILIES.find("contextual").instance(length, success_rate, **{**SIZES, "seed": 3, **options})


def responses(instance, theta):
    """Every response: prompt, probability given the prompt, reward and score, straight from the definitions."""
    contexts = instance.differences.shape[1]
    for q, differences in enumerate(instance.differences):
        # only differences of features matter: the right candidate may have feature 0, the others −difference
        features = [np.vstack([np.zeros(len(theta)), -differences[c]]) for c in range(contexts)]
        policy = [np.exp(f @ theta) / np.exp(f @ theta).sum() for f in features]
        order = [t % contexts for t in range(instance.max_length)]
        for tokens in itertools.product(range(len(features[0])), repeat=len(order)):
            chance, score = 1.0, np.zeros(len(theta))
            for c, token in zip(order, tokens, strict=True):
                chance *= policy[c][token]
                score += features[c][token] - policy[c] @ features[c]
            yield q, chance, all(token == 0 for token in tokens), score


def thetas(instance):
    """The start, and points off the ray on which it lies."""
    generator = np.random.default_rng(7)
    yield instance.start
    for scale in (0.5, 2.0):
        yield instance.start + scale * generator.standard_normal(len(instance.start))


def test_rates_and_gap_are_those_of_all_responses():
    instance = make()
    for theta in thetas(instance):
        success, failure, gap = instance.at(theta)
        of_prompts = instance.prompts_at(theta)
        whole = list(responses(instance, theta))
        share = 1 / len(instance.differences)
        for q in range(len(instance.differences)):
            right = sum(p for prompt, p, r, _ in whole if prompt == q and r)
            wrong = sum(p for prompt, p, r, _ in whole if prompt == q and not r)
            assert of_prompts[0][q] == pytest.approx(right, rel=1e-12)
            assert of_prompts[1][q] == pytest.approx(wrong, rel=1e-12)
            ascent = sum(p * s for prompt, p, r, s in whole if prompt == q and r) / right
            np.testing.assert_allclose(of_prompts[2][q], ascent, rtol=1e-10, atol=1e-13)
        right = sum(share * p for _, p, r, _ in whole if r)
        wrong = sum(share * p for _, p, r, _ in whole if not r)
        expected = sum(share * p * s for _, p, r, s in whole if r) / right
        expected = expected - sum(share * p * s for _, p, r, s in whole if not r) / wrong
        assert success == pytest.approx(right, rel=1e-12)
        assert failure == pytest.approx(wrong, rel=1e-12)
        np.testing.assert_allclose(gap, expected, rtol=1e-10)


def test_the_gap_is_the_gradient_of_the_log_odds():
    instance = make(length=24, candidates=4, dimension=5, contexts=4, prompts=3)
    for theta in thetas(instance):

        def log_odds(point):
            success, failure, _ = instance.at(point)
            return math.log(success) - math.log(failure)

        gap = instance.at(theta)[2]
        h = 1e-5
        slopes = [(log_odds(theta + h * e) - log_odds(theta - h * e)) / (2 * h) for e in np.eye(len(theta))]
        np.testing.assert_allclose(gap, slopes, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("scale", [-40.0, -3.0, 0.0, 30.0, 300.0, 3000.0])
def test_rates_keep_their_digits_near_certainty_and_collapse(scale):
    instance = make()
    theta = scale * instance.teacher
    success, failure, _ = instance.prompts_at(theta)
    with mpmath.workdps(700):
        for q, differences in enumerate(instance.differences):
            whole = mpmath.mpf(1)
            for of_context in differences:
                logits = [
                    sum(mpmath.mpf(x) * mpmath.mpf(t) for x, t in zip(d, theta, strict=True))
                    for d in of_context
                ]
                whole *= (1 / (1 + sum(mpmath.e ** (-x) for x in logits))) ** instance.visits
            assert success[q] == pytest.approx(float(whole), rel=1e-11, abs=1e-300)
            assert failure[q] == pytest.approx(float(1 - whole), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("length", [4, 8, 128, 4096])
@pytest.mark.parametrize("success_rate", [0.05, 0.3, 0.999])
def test_the_start_has_the_asked_success_rate_at_every_prompt(length, success_rate):
    instance = FAMILIES.find("contextual").instance(length, success_rate, replicate=5)
    success, failure, _ = instance.prompts_at(instance.start)
    np.testing.assert_allclose(success, success_rate, rtol=1e-10)
    np.testing.assert_allclose(failure, 1 - success_rate, rtol=1e-10)
    assert instance.length == instance.max_length == instance.visits * instance.differences.shape[1] == length


def test_the_teacher_leads_by_the_margin_and_names_the_best_policy():
    instance = make(margin=0.7)
    np.testing.assert_allclose(instance.differences @ instance.teacher, 0.7, rtol=1e-12)
    assert np.linalg.norm(instance.teacher) == pytest.approx(1)
    assert instance.at(1000 * instance.teacher)[1] < 1e-100  # so the best reachable success rate is 1


def test_the_random_part_belongs_to_the_replicate():
    first, longer, other = make(), make(length=8, success_rate=0.9), make(replicate=1)
    np.testing.assert_array_equal(first.differences, longer.differences)
    assert not np.allclose(first.differences, other.differences)
    assert not np.allclose(first.differences, make(seed=4).differences)


@pytest.mark.parametrize("success_rate", [0.1, 0.9])
def test_long_responses_have_a_limit_without_length(success_rate):
    """K4 of docs/theory_contextual.md, with an error that falls as 1/T."""
    aside = np.array([3.0, -1.0, 2.0])
    errors = []
    for length in (2000, 20_000):
        instance = make(length=length, success_rate=success_rate)
        limit = math.log(success_rate) * np.exp(-(instance.differences @ aside)).mean(axis=(1, 2))
        success = instance.prompts_at(instance.start + aside)[0]
        errors.append(np.abs(np.log(success) / limit - 1).max())
    assert errors[0] < 0.05
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.2)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"length": 5}, "multiple of 2"),
        ({"length": 0}, "multiple of 2"),
        ({"success_rate": 0.01}, "above 0.0123"),
        ({"success_rate": 1.0}, "strictly between 0 and 1"),
        ({"margin": 2.0}, "strictly between 0 and 2"),
        ({"candidates": 1}, "2 or more"),
        ({"prompts": 0}, "1 or more"),
    ],
)
def test_what_cannot_be_is_refused(options, named):
    with pytest.raises(ConfigError, match=named):
        make(**options)


def law_of_counts(instance, theta, prompt):
    """Probability of each table of wrong candidates' counts in one wrong response to a prompt."""
    contexts, others = instance.differences.shape[1:3]
    found = {}
    order = [t % contexts for t in range(instance.max_length)]
    tokens = itertools.product(range(others + 1), repeat=len(order))
    enumerated = (r for r in responses(instance, theta) if r[0] == prompt)
    for picked, (_, chance, right, _) in zip(tokens, enumerated, strict=True):
        if not right:
            counts = np.zeros((contexts, others), int)
            for c, token in zip(order, picked, strict=True):
                if token > 0:
                    counts[c, token - 1] += 1
            key = tuple(counts.ravel())
            found[key] = found.get(key, 0.0) + chance
    total = sum(found.values())
    return {key: chance / total for key, chance in found.items()}


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("scale", [0.2, 1.0, 2.5])
def test_wrong_responses_are_drawn_from_their_law(number, scale):
    """Chi-square against enumeration, from a policy that is mostly wrong to one that is mostly right."""
    instance = make()
    theta = scale * instance.start + 0.3
    law = law_of_counts(instance, theta, 1)
    if number == 2:
        pairs = {}
        for (a, p), (b, q) in itertools.product(law.items(), law.items()):
            key = tuple(np.add(a, b))
            pairs[key] = pairs.get(key, 0.0) + p * q
        law = pairs
    count_prompts, contexts, others, _ = instance.differences.shape
    wrong, right = np.empty((count_prompts, contexts, others)), np.empty((count_prompts, contexts))
    log_right, rates = np.empty_like(right), np.empty((2, count_prompts))
    evaluate(theta, instance.differences, instance.visits, wrong, right, log_right, *rates)
    state = streams.state(1, {"test": "draw_wrong", "number": str(number), "scale": str(scale)})
    later, first, counts = np.empty(contexts + 1), np.empty(AT_ONCE), np.empty((contexts, others))
    draws = 20000
    seen = {}
    for _ in range(draws):
        draw_wrong(state, number, instance.visits, wrong[1], right[1], log_right[1], later, first, counts)
        key = tuple(counts.ravel().astype(int))
        seen[key] = seen.get(key, 0) + 1
    assert set(seen) <= set(law)
    common = [key for key, chance in law.items() if chance * draws >= 5]
    observed = [seen.get(key, 0) for key in common]
    expected = [law[key] * draws for key in common]
    observed.append(draws - sum(observed))
    expected.append(draws - sum(expected))
    if expected[-1] < 5:
        observed[-2:], expected[-2:] = [sum(observed[-2:])], [sum(expected[-2:])]
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def expected_update(instance, advantage, aggregation, theta, size):
    """Mean update from groups of `size`, summed over the number of right responses."""
    form, factor = rules.sampled(advantage, aggregation)
    success, failure, ascent = instance.prompts_at(theta)
    length = float(instance.max_length)
    whole = np.zeros(len(theta))
    for rate, complement, climb in zip(success, failure, ascent, strict=True):
        gap = climb / complement
        for k in range(size + 1):
            of_right, of_wrong = form(float(k), float(size))
            moved = of_right * k * complement - of_wrong * (size - k) * rate
            whole += (
                stats.binom.pmf(k, size, rate) * moved * gap * factor(length, size, size * length, length)
            )
    return whole / len(success)


@pytest.mark.parametrize("advantage", SAMPLED)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_mean_sampled_update_is_the_expected_one(advantage, aggregation):
    instance = make(length=6, success_rate=0.6, contexts=3, candidates=4)
    theta = instance.start + 0.4
    for size in (2, 5):
        state = streams.state(2, {"test": "mean", "rule": advantage + aggregation, "size": str(size)})
        drawn = training.updates(
            instance, advantage, aggregation, theta, group_size=size, state=state, count=20000
        )
        error = drawn.std(axis=0, ddof=1) / math.sqrt(len(drawn))
        expected = expected_update(instance, advantage, aggregation, theta, size)
        assert np.abs((drawn.mean(axis=0) - expected) / error).max() < 4.5
        assert np.abs(expected / error).max() > 10  # the test would see a missing or doubled update


@pytest.mark.parametrize("advantage", SAMPLED)
def test_expected_updates_of_groups_tend_to_that_of_the_exact_dynamics(advantage):
    """Unbiased at every n for reinforce and rloo, (n−1)/n of it for dr_grpo, and in the limit for grpo."""
    instance = make(success_rate=0.6)
    one = training.run(instance, advantage, "token-mean", 1.0, iterations=1)
    exact = one.theta - instance.start
    for size in (4, 400):
        found = expected_update(instance, advantage, "token-mean", instance.start, size)
        factor = (size - 1) / size if advantage == "dr_grpo" else 1.0
        if advantage != "grpo":
            np.testing.assert_allclose(found, factor * exact, rtol=1e-9)
        elif size == 400:
            np.testing.assert_allclose(found, exact, rtol=4e-3)
        else:
            assert not np.allclose(found, exact, rtol=1e-2)


def test_updates_are_distributed_as_those_of_tokens_drawn_one_by_one():
    """Kolmogorov–Smirnov against a sampler that draws every token and applies the definitions."""
    instance = make(success_rate=0.5)
    theta, size, count = instance.start + 0.2, 4, 3000
    generator = np.random.default_rng(5)
    contexts = instance.differences.shape[1]
    literal = np.zeros((count, len(theta)))
    for differences in instance.differences:
        scores, rewards = np.zeros((count, size, len(theta))), np.ones((count, size))
        for t in range(instance.max_length):
            features = np.vstack([np.zeros(len(theta)), -differences[t % contexts]])
            policy = np.exp(features @ theta) / np.exp(features @ theta).sum()
            tokens = generator.choice(len(policy), size=(count, size), p=policy)
            scores += features[tokens] - policy @ features
            rewards *= tokens == 0
        for i in range(count):
            weights = rules.weights("grpo", "seq-mean-token-mean", rewards[i], [4] * size, 4)
            literal[i] += weights @ scores[i] / len(instance.differences)
    state = streams.state(8, {"test": "literal"})
    drawn = training.updates(
        instance, "grpo", "seq-mean-token-mean", theta, group_size=size, state=state, count=count
    )
    for j in range(len(theta)):
        assert stats.ks_2samp(drawn[:, j], literal[:, j]).pvalue > 1e-3


@pytest.mark.parametrize("schedule", ["constant", "failure-rate", "inverse-sqrt"])
@pytest.mark.parametrize("advantage", ["reinforce", "grpo", "gap"])
def test_an_exact_run_is_the_expected_update_iterated(advantage, schedule):
    instance = make(success_rate=0.5)
    run = training.run(instance, advantage, "token-mean", 2.0, iterations=40, schedule=schedule, path=True)
    factor = {"reinforce": lambda j, n: j * n, "grpo": lambda j, n: math.sqrt(j * n), "gap": lambda j, n: 1.0}
    theta, start = instance.start.copy(), instance.at(instance.start)[1]
    for k in range(41):
        success, failure, ascent = instance.prompts_at(theta)
        np.testing.assert_allclose(run.prompt_success_rate[k], success, rtol=1e-9)
        np.testing.assert_allclose(run.prompt_failure_rate[k], failure, rtol=1e-9)
        decay = {"constant": 1.0, "failure-rate": failure.mean() / start, "inverse-sqrt": (k + 1) ** -0.5}
        if k < 40:
            scaled = [factor[advantage](*pair) for pair in zip(success, failure, strict=True)]
            theta += 2.0 * decay[schedule] * (np.array(scaled) / failure) @ ascent / len(success) / 4
    np.testing.assert_allclose(run.theta, theta, rtol=1e-9)


@pytest.mark.parametrize("group_size", [None, 8])
def test_the_end_of_a_run_is_its_last_tenth(group_size):
    instance = make(success_rate=0.5)
    options = {"iterations": 100, "path": True, "group_size": group_size, "state": streams.state(5, {})}
    run = training.run(instance, "grpo", "token-mean", 30.0, **options)
    tail = run.prompt_success_rate[-10:]
    np.testing.assert_allclose(run.prompt_final_success_rate, tail.mean(axis=0), rtol=1e-12)
    assert run.final_success_rate == pytest.approx(tail.mean(), rel=1e-12)
    assert run.final_failure_rate == pytest.approx(run.prompt_failure_rate[-10:].mean(), rel=1e-12)
    assert run.lost_share == (tail.mean(axis=0) < 0.01).mean()


def test_large_groups_follow_the_exact_dynamics():
    instance = make(success_rate=0.5)
    exact = training.run(instance, "grpo", "token-mean", 1.0, iterations=60, path=True)

    def distance(size):
        runs = [
            training.run(
                instance,
                "grpo",
                "token-mean",
                1.0,
                iterations=60,
                path=True,
                group_size=size,
                state=streams.state(1, {"test": "limit", "replicate": str(r)}),
            )
            for r in range(8)
        ]
        return np.mean([np.abs(r.success_rate - exact.success_rate).max() for r in runs])

    small, large = distance(16), distance(100_000)
    assert large < 5e-3
    assert small > 10 * large


def test_a_group_needs_two_responses_and_a_stream():
    instance = make()
    with pytest.raises(ConfigError, match="group_size: 1"):
        training.run(
            instance, "grpo", "token-mean", 1.0, iterations=2, group_size=1, state=np.zeros(4, np.uint64)
        )
    with pytest.raises(ConfigError, match="stream"):
        training.run(instance, "grpo", "token-mean", 1.0, iterations=2, group_size=4)


SETTINGS = {**SIZES, "iterations": 30, "seed": 11, "curve_group_size": 4}
AXES = {
    "length": ("4", "8"),
    "success_rate": ("0.3",),
    "schedule": ("constant", "inverse-sqrt"),
    "rule": ("GRPO", "REINFORCE"),
    "group_size": ("4", "16"),
    "effective_learning_rate": ("0.5", "20"),
    "replicate": ("0", "1", "2"),
}


def quiet(done, total):
    """Progress that nobody watches."""


def test_numbers_do_not_depend_on_order_or_shard():
    whole = measure("sampled_prompt_runs", AXES, SETTINGS)
    again = measure("sampled_prompt_runs", {a: v[::-1] for a, v in AXES.items()}, SETTINGS)
    part = {**AXES, "length": ("8",), "group_size": ("16",), "replicate": ("2",)}
    alone = measure("sampled_prompt_runs", part, SETTINGS)
    for name, values in whole.items():
        np.testing.assert_array_equal(again[name][(slice(None, None, -1),) * len(AXES)], values)
        np.testing.assert_array_equal(alone[name], values[1:, :, :, :, 1:, :, 2:])
    assert len(np.unique(whole["final_success_rate"])) > 40  # and neighbours do not share a stream
    reseeded = measure("sampled_prompt_runs", part, {**SETTINGS, "seed": 12}, quiet)
    assert not np.array_equal(reseeded["final_success_rate"], alone["final_success_rate"])


def test_curves_are_those_of_the_sampled_runs():
    axes = {
        "length": ("8",),
        "success_rate": ("0.3",),
        "rule": ("GRPO",),
        "curve_learning_rate": ("0.5",),
        "replicate": ("0", "1", "2"),
        "iteration": ("0", "27", "28", "29", "30"),
    }
    curves = measure("prompt_curves", axes, SETTINGS)
    ends = measure("sampled_prompt_runs", AXES, SETTINGS)["final_success_rate"][1, 0, 0, 0, 0, 0]
    rates = curves["curve_success_rate"][0, 0, 0, 0]
    np.testing.assert_allclose(rates[:, 0], 0.3, rtol=1e-12)
    np.testing.assert_allclose(rates[:, 1:].mean(axis=1), ends, rtol=1e-12)
    with pytest.raises(ConfigError, match="iteration: 31"):
        check_curves({**axes, "iteration": ("31",)}, SETTINGS)


def alone(rule, effective, length, **options):
    """A run with the advantage and the aggregation of a rule itself, on one of the instances of `SETTINGS`."""
    advantage, aggregation = rules.rule(rule)
    instance = make(length, failure_rate=0.7, seed=SETTINGS["seed"])
    rate = effective * rules.AGGREGATIONS.find(aggregation).divisor(instance)
    options |= {"iterations": SETTINGS["iterations"], "outcome": False}
    return training.run(instance, advantage, aggregation, rate, **options)


@pytest.mark.parametrize("length", [8, 12])
def test_expected_runs_that_rules_share_are_those_of_each_rule_alone(length):
    names = (*rules.PRESETS, "grpo/seq-mean-token-sum", "grpo/seq-mean-token-sum-norm", "gap/token-mean")
    axes = {"length": (str(length),), "success_rate": ("0.3",), "schedule": ("inverse-sqrt",), "rule": names}
    axes |= {"effective_learning_rate": ("0.5", "20"), "replicate": ("0",)}
    found = measure("exact_prompt_runs", axes, SETTINGS)["exact_success_rate"]
    for k, name in enumerate(names):
        for i, effective in enumerate((0.5, 20.0)):
            own = alone(name, effective, length, schedule="inverse-sqrt").final_success_rate
            assert found[0, 0, 0, k, i, 0] == pytest.approx(own, rel=1e-9)
    assert len(np.unique(found.round(9))) == 6  # three coefficients, two learning rates


def test_sampled_runs_that_rules_share_are_those_of_each_rule_alone():
    names = (*rules.PRESETS, "rloo/token-mean")
    axes = {**AXES, "length": ("8",), "schedule": ("constant",), "rule": names, "replicate": ("0",)}
    found = measure("sampled_prompt_runs", axes, SETTINGS)["final_success_rate"]
    for k, name in enumerate(names):
        for i, size in enumerate(axes["group_size"]):
            for j, rate in enumerate(axes["effective_learning_rate"]):
                key = {"family": "contextual", "length": "8", "success_rate": "0.3", "schedule": "constant"}
                key |= {"rule": rules.label(rules.rule(name)[0]), "group_size": size, "replicate": "0"}
                key |= {"effective_learning_rate": rate}
                state = streams.state(SETTINGS["seed"], key)
                own = alone(name, float(rate), 8, group_size=int(size), state=state)
                assert found[0, 0, 0, k, i, j, 0] == own.final_success_rate
    shared = {name: found[0, 0, 0, k].tobytes() for k, name in enumerate(names)}
    assert shared["GRPO"] == shared["DAPO"]
    assert shared["RLOO"] == shared["rloo/token-mean"]
    assert len(set(shared.values())) == 4


def test_the_threshold_is_where_the_mean_of_kept_falls_through_half():
    steps = np.geomspace(0.1, 1000, 41)
    critical = 37.0
    falling = 1 / (1 + (steps / critical) ** 4)
    rising = np.minimum(falling, 0.5 + 0.5 * steps / (steps + 0.1))
    assert study.threshold(steps, rising[:, None])[0] == pytest.approx(critical, rel=0.01)
    assert math.isnan(study.threshold(steps, np.linspace(0.2, 0.9, 41)[:, None])[0])
    assert math.isnan(study.threshold(steps, np.full((41, 3), 0.3))[0])


def test_random_answers_keep_nothing():
    """The collapsed level against parameters that are random and huge: every token is then certain, and random."""
    generator = np.random.default_rng(0)
    right = generator.integers(4, size=(20_000, 2)) == 0
    assert study.kept(right.all(axis=1).mean(), 4, 2) == pytest.approx(0, abs=0.01)
    assert study.kept(1.0, 4, 2) == 1


def test_the_interval_of_a_threshold_covers_it():
    generator = np.random.default_rng(3)
    steps = np.geomspace(0.1, 1000, 41)
    truth, found = 30.0, []
    own = truth * np.exp(0.5 * generator.standard_normal(4000))
    expected = study.threshold(steps, (1 / (1 + (steps[:, None] / own) ** 6)).mean(1, keepdims=True))[0]
    for _ in range(40):
        own = truth * np.exp(0.5 * generator.standard_normal(32))
        critical, low, high = study.threshold(steps, 1 / (1 + (steps[:, None] / own) ** 6))
        assert low <= critical <= high
        found.append(low <= expected <= high)
    assert 32 <= sum(found) <= 40  # 95 % of 40, give or take four deviations


def test_the_interval_of_a_mean_is_that_of_student():
    values = np.random.default_rng(1).standard_normal((3, 12))
    mean, low, high = study.interval(values)
    for i in range(3):
        found = stats.ttest_1samp(values[i], 0.0).confidence_interval(0.95)
        assert (low[i], high[i]) == pytest.approx((found.low, found.high))
        assert mean[i] == pytest.approx(values[i].mean())
    assert np.isnan(study.interval(values[:, :1])[1]).all()


def test_the_configuration_takes_a_number_of_replicates():
    whole = {
        "length": [8],
        "success_rate": [0.3],
        "schedule": ["constant"],
        "group_size": [4],
        "effective_learning_rate": [1],
        "replicate": 3,
        "curve_learning_rate": [1],
        "iteration": [1],
    }
    found = config.parse({"studies": {"contextual": whole}}).studies["contextual"]
    assert found.axes["replicate"] == ("0", "1", "2")
    for key, value, named in (
        ("length", [10], "multiple of 4"),
        ("replicate", 0, "replicate"),
        ("success_rate", [1e-6], "out of reach"),
        ("iteration", [5000], "iteration"),
        ("rule", ["unit/token-mean"], "no sampled form"),
    ):
        with pytest.raises(ConfigError, match=named):
            config.parse({"studies": {"contextual": {**whole, key: value}}})


def test_the_command_line_runs_prompts_and_names_what_it_cannot_do(capsys):
    where = ["contextual", "--length", "8", "--success-rate", "0.3", "--advantage", "rloo"]
    for extra in ([], ["--group-size", "64"]):
        assert cli.main(["run", *where, "--learning-rate", "5", "--iterations", "300", "--json", *extra]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["success_rate"][0] == pytest.approx(0.3)
        assert found["outcome"] == "slow"
        assert found["final_success_rate"] > 0.9
    study = {
        "family": ["contextual"],
        "length": [8],
        "success_rate": [0.3],
        "learning_rate": [1],
        "rule": ["GRPO"],
    }
    with pytest.raises(ConfigError, match="vector of parameters"):
        config.parse({"studies": {"phase_diagram": study}})


@pytest.mark.parametrize("replicates", [1, 3])
def test_the_study_goes_all_the_way_on_a_tiny_grid(tmp_path, replicates):
    """One replicate has no intervals, and ten updates no threshold: caption and figure say so and do not fail."""
    tiny = {
        "length": [8, 16],
        "success_rate": [0.3],
        "schedule": ["constant", "inverse-sqrt"],
        "rule": ["RLOO", "DAPO"],
        "group_size": [4],
        "effective_learning_rate": [1, 10],
        "replicate": replicates,
        "curve_learning_rate": [1],
        "iteration": [1, 5],
        "iterations": 10,
    }
    whole = config.parse({"studies": {"contextual": tiny}})
    one = whole.studies["contextual"]
    files = []
    for shard in grid.shards(one, 20):
        files.append(tmp_path / f"{shard.name}.npz")
        store.write(files[-1], shard, compute.compute(shard))
    analysis = one.study.analyse(assembled(one, files), one.settings)
    text = captions.fill(captions.template("contextual"), analysis, one.settings)
    assert f"{16 * replicates} sampled runs of 10 updates" in text
    panels = {name: table.dropna(axis=1, how="all") for name, table in analysis.panels.items()}
    look = style.Look.from_config(whole.figures)
    with look.applied():
        figure = contextual_figure.draw(panels, analysis.scaling, look)
        style.save(figure, {"png": tmp_path / "figure.png"})
    assert len(figure.axes) == 4
    with look.applied():
        figure = groups_figure.draw(panels, analysis.scaling, look)
        style.save(figure, {"png": tmp_path / "groups.png"})
    assert len(figure.axes) == 4
