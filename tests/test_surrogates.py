"""Several steps a batch, stale batches and the pull to the start, against enumeration of all responses.

What is compared with is written again from the definitions: the objective Σ_o π_old(o) · min(ρA, clip(ρ)A) is summed
over every response token by token, and its gradient is a finite difference. It shares no code with the package.
"""

import collections
import itertools
import math

import numpy as np
import pytest
from gradgap.bandits import FAMILIES, Sample
from gradgap.bandits.counting import make
from gradgap.bandits.groups import COLUMNS, COUNT, LENGTH, SCORE, WEIGHT, deal
from gradgap.errors import ConfigError
from gradgap.numerics import streams
from gradgap.theory import closed_forms
from gradgap.theory import optimizers as theory
from gradgap.training.ratios import RATIOS, Ratio, check_ratio
from gradgap.training.run import run, train
from scipy import stats

SUM, MEAN, TOKENS = "seq-mean-token-sum", "seq-mean-token-mean", "token-mean"
NAMES = ("token", "sequence", "gspo")


def tiny(share):
    """Six tokens, right with two to four ones; with a share below 1 most responses are one token and right."""
    return make("counting" if share == 1 else "gated", 6, 1, share, -0.9)


def responses(share):
    """Every long response as its tokens, and whether it is right; the short one has no token that θ moves."""
    return [(tokens, abs(sum(tokens) - 3) <= 1) for tokens in itertools.product((0, 1), repeat=6)]


def chance(token, theta):
    p = 1 / (1 + math.exp(-theta))
    return p if token else 1 - p


def success(theta, share):
    right = sum(math.prod(chance(t, theta) for t in tokens) for tokens, right in responses(share) if right)
    return 1 - share + share * right


def advantages(name, success_rate):
    """Of a right and a wrong response in a large group."""
    if name == "reinforce":
        return 1.0, 0.0
    scale = math.sqrt(success_rate * (1 - success_rate)) + 1e-4 if name == "grpo" else 1.0
    return (1 - success_rate) / scale, -success_rate / scale


def clipped(ratio, advantage, low, high):
    return min(ratio * advantage, min(max(ratio, 1 - low), 1 + high) * advantage)


def objective(theta, old, share, advantage, aggregation, name, low, high):
    """The surrogate, so that every ratio has the on-policy gradient at θ = old."""
    pair = advantages(advantage, success(old, share))
    divisor = {SUM: 1.0, MEAN: 6.0, TOKENS: share * 6 + (1 - share)}[aggregation]
    total = 0.0
    for tokens, right in responses(share):
        probability = share * math.prod(chance(t, old) for t in tokens)
        ratios = [chance(t, theta) / chance(t, old) for t in tokens]
        a = pair[0] if right else pair[1]
        if name == "token":
            total += probability * sum(clipped(r, a, low, high) for r in ratios)
        elif name == "sequence":
            total += probability * clipped(math.prod(ratios), a, low, high)
        else:
            total += probability * 6 * clipped(math.prod(ratios) ** (1 / 6), a, low, high)
    return total / divisor


def gradient(theta, *args):
    step = 1e-5
    near, far = (objective(theta + k * step, *args) - objective(theta - k * step, *args) for k in (1, 2))
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("advantage", "aggregation"), [("dr_grpo", SUM), ("grpo", TOKENS), ("reinforce", MEAN)]
)
def test_second_step_is_the_gradient_of_the_surrogate(share, name, advantage, aggregation):
    """Over all responses; with clips that take out some terms, all of one sign, and none."""
    instance, differ = tiny(share), 0
    for clips in ((math.inf, math.inf), (0.2, 0.28), (0.05, 0.05)):
        options = {"ratio": name, "clip_range": clips[0], "clip_range_high": clips[1], "iterations": 1}
        rate = 0.7 / abs(run(instance, advantage, aggregation, 1.0, iterations=1).theta[0] - instance.theta0)
        first = run(instance, advantage, aggregation, rate, **options).theta[0]
        second = run(instance, advantage, aggregation, rate, steps_per_batch=2, **options).theta[0]
        expected = gradient(first, instance.theta0, share, advantage, aggregation, name, *clips)
        assert abs(first - instance.theta0) == pytest.approx(0.7)
        assert (second - first) / rate == pytest.approx(expected, rel=2e-7, abs=1e-9)
        unclipped = gradient(first, instance.theta0, share, advantage, aggregation, name, math.inf, math.inf)
        differ += abs(expected - unclipped) > 0.01 * abs(unclipped)
    assert differ >= 1  # the clips did clip


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_run_is_that_of_a_plain_loop(name):
    """Stale batches, several steps, momentum, a norm clip and a pull to the start together."""
    instance, share = tiny(1.0), 1.0
    rate, steps, delay, kl, limit, momentum = 0.35, 3, 2, 0.05, 0.6, 0.5
    options = {"ratio": name, "clip_range": 0.2, "clip_range_high": 0.28}
    ours = run(
        instance,
        "dr_grpo",
        SUM,
        rate,
        iterations=8,
        steps_per_batch=steps,
        delay=delay,
        kl_coef=kl,
        clip_norm=limit,
        optimizer="momentum",
        optimizer_settings={"momentum": momentum},
        path=True,
        **options,
    )

    def divergence(theta):
        pairs = [(chance(t, theta), chance(t, instance.theta0)) for t in (0, 1)]
        return 6 * sum(p * math.log(p / q) for p, q in pairs)

    theta = [instance.theta0]
    memory, at = 0.0, instance.theta0
    for k in range(8):
        old = theta[max(k - delay, 0)]
        for _ in range(steps):
            u = gradient(at, old, share, "dr_grpo", SUM, name, 0.2, 0.28)
            u -= kl * (divergence(at + 1e-5) - divergence(at - 1e-5)) / 2e-5
            u *= min(1.0, limit / abs(u))
            memory = momentum * memory + u
            at += rate * memory
        theta.append(at)
    expected = [1 - success(x, share) for x in theta]
    np.testing.assert_allclose(ours.failure_rate, expected, rtol=1e-6)
    assert np.ptp(expected) > 0.05


@pytest.mark.parametrize("name", NAMES)
def test_sampled_steps_are_those_of_the_drawn_responses(name):
    """The batch is drawn again from the same stream, and its surrogate summed response by response."""
    instance = tiny(1.0)
    rate, size, low, high = 0.4, 5, 0.2, 0.28
    state = streams.state(7, {"replicate": "1"})
    ours = run(
        instance,
        "dr_grpo",
        SUM,
        rate,
        iterations=6,
        group_size=size,
        state=state,
        steps_per_batch=3,
        ratio=name,
        clip_range=low,
        clip_range_high=high,
        path=True,
    )
    again, theta, expected = state.copy(), instance.theta0, [1 - success(instance.theta0, 1.0)]
    for _ in range(6):
        (group,) = instance.sample(np.array([theta]), size, again)
        ones = [round(float(s) + 6 * chance(1, theta)) for s in group.scores[:, 0]]
        a = group.rewards - group.rewards.mean()

        def surrogate(x, old=theta, ones=ones, a=a):
            total = 0.0
            for count, advantage in zip(ones, a, strict=True):
                one, zero = chance(1, x) / chance(1, old), chance(0, x) / chance(0, old)
                whole = one**count * zero ** (6 - count)
                if name == "token":
                    each = [one] * count + [zero] * (6 - count)
                    total += sum(clipped(r, advantage, low, high) for r in each)
                elif name == "sequence":
                    total += clipped(whole, advantage, low, high)
                else:
                    total += 6 * clipped(whole ** (1 / 6), advantage, low, high)
            return total / size

        at = theta
        for k in range(3):
            # at the first step, ratio 1, the clip is not near: the difference is of a smooth function
            u = (surrogate(at + 1e-6) - surrogate(at - 1e-6)) / 2e-6
            at += rate * u
            assert k > 0 or abs(u) < 10
        theta = at
        expected.append(1 - success(theta, 1.0))
    np.testing.assert_allclose(ours.failure_rate, expected, rtol=1e-6)


class Spelled:
    """`counting` or `gated` as a policy in plain Python: the same responses, spelt out token by token.

    A long response drawn by the instance is known by its count of ones, which are put first; all orders are alike.
    """

    kernels = None

    def __init__(self, instance):
        self.instance = instance
        self.long, self.half_width, self.share = instance.kernels.constants

    def __getattr__(self, name):
        return getattr(self.instance, name)

    def _group(self, ones, lengths):
        places = np.arange(int(self.long))
        tokens = np.where(places < lengths[:, None], places < ones[:, None], -1)
        tokens[lengths == 1] = -1  # the one token of a short response does not depend on θ
        right = (np.abs(ones - self.long / 2) <= self.half_width) | (lengths == 1)
        return Sample(right.astype(float), lengths, None, tokens)

    def sample(self, theta, size, state):
        found = self.instance.sample(theta, size, state)
        if not found:  # nothing but short responses, which have no score
            return []
        (drawn,) = found
        ones = np.round(drawn.scores[:, 0] + self.long * chance(1, theta[0]))
        group = self._group(np.where(drawn.lengths == 1, 0, ones), drawn.lengths)
        assert np.array_equal(group.rewards, drawn.rewards)
        return [group._replace(scores=drawn.scores)]

    def tokens_at(self, theta, group):
        one, zero = chance(1, theta[0]), chance(0, theta[0])
        log_chances = np.select([group.tokens == 1, group.tokens == 0], [math.log(one), math.log(zero)])
        scores = np.select([group.tokens == 1, group.tokens == 0], [zero, -one])
        return log_chances, scores[:, :, None]

    def every(self, theta):
        ones = np.arange(self.long + 1)
        chances = self.share * stats.binom.pmf(ones, self.long, chance(1, theta[0]))
        lengths = np.full(len(ones), self.long)
        if self.share < 1:
            ones, lengths, chances = (
                np.append(*pair) for pair in ((ones, 0), (lengths, 1.0), (chances, 1 - self.share))
            )
        return [(self._group(ones, lengths), chances)]

    def divergence(self, theta, start):
        """By the chain rule over all responses: Σ π (log π/π₀) s."""
        ((group, chances),) = self.every(theta)
        now, scores = self.tokens_at(theta, group)
        ratio = (now - self.tokens_at(start, group)[0]).sum(axis=1)
        return np.einsum("n,n,ntj->j", chances, ratio, scores)


#: Ratio, clips, and the rest: one optimizer with a memory, so that every group is drawn by itself.
MIXES = {
    "token": ("token", 0.2, 0.28, {"delay": 1}),
    "sequence": ("sequence", 0.2, None, {"kl_coef": 0.05}),
    "gspo": ("gspo", 0.03, 0.04, {"delay": 2, "kl_coef": 0.02, "clip_norm": 0.5}),
    "free": ("token", math.inf, None, {}),
}


@pytest.mark.parametrize("size", [0, 6])
@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("steps", [(1, 1), (3, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize("mix", MIXES)
def test_the_plain_loop_makes_the_same_runs(mix, steps, share, size):
    """Exact runs, and sampled ones from the same stream; times through a batch, and minibatches."""
    instance, (ratio, low, high, more) = tiny(share), MIXES[mix]
    options = {
        "iterations": 12,
        "steps_per_batch": steps[0],
        "minibatches": steps[1],
        "ratio": ratio,
        "clip_range": low,
        "clip_range_high": high,
        "optimizer": "momentum",
        "optimizer_settings": {"momentum": 0.4},
        "path": True,
        **more,
    }
    if size:
        options |= {"group_size": size, "state": streams.state(5, {"mix": mix})}
    for rule in (("dr_grpo", MEAN), ("grpo", TOKENS)):
        ours, theirs = (run(policy, *rule, 0.6, **options) for policy in (instance, Spelled(instance)))
        np.testing.assert_allclose(ours.failure_rate, theirs.failure_rate, rtol=1e-9)
        assert np.ptp(ours.failure_rate) > 0.01
        assert ours.outcome == theirs.outcome


@pytest.mark.parametrize(("then", "now"), [(-1e6, 1e6), (1e6, -1e6), (-3.0, np.inf), (0.0, -800.0)])
@pytest.mark.parametrize("name", NAMES)
def test_an_update_is_finite_however_far_the_parameters_have_moved(name, then, now):
    kernels = tiny(0.3).kernels
    group = np.zeros((COLUMNS, 2))
    for column, values in ((COUNT, 1), (LENGTH, 6), (SCORE, [5.0, -5.0]), (WEIGHT, [0.5, -0.5])):
        group[column] = values
    update, space = np.zeros(1), np.empty(kernels.workspace)
    surrogate = RATIOS.find(name).surrogate()
    theta, old = np.array([now]), np.array([then])
    kernels.revisit(theta, old, kernels.constants, space, 2, group, surrogate, update)
    assert np.isfinite(update).all()


@pytest.mark.parametrize(
    ("name", "clip"), [("token", 0.003), ("sequence", 0.3), ("gspo", 0.0005), ("mixed", 0.01)]
)
def test_two_steps_on_every_response_of_two_hundred_tokens(monkeypatch, name, clip):
    """Held to a sum over all counts of ones, which are more than the engine takes at once."""
    monkeypatch.setitem(RATIOS, "mixed", Ratio(token=0.7, response=0.3, length_power=0.5))
    of = RATIOS.find(name)
    instance = FAMILIES.find("counting").instance(200, 0.2)
    theta, rate = instance.theta0, 0.01
    ones = np.arange(201)
    masses = stats.binom.pmf(ones, 200, 1 / (1 + math.exp(-theta)))
    right = np.abs(ones - 100) <= instance.kernels.constants[1]
    advantage = right - masses[right].sum()

    def score_of(kind, p):
        return kind * (1 - p) - (1 - kind) * p

    first = theta + rate * np.sum(masses * advantage * (ones - 200 / (1 + math.exp(-theta))))
    p, old = 1 / (1 + math.exp(-first)), 1 / (1 + math.exp(-theta))
    log_one, log_zero = math.log(p / old), math.log((1 - p) / (1 - old))
    whole = ones * log_one + (200 - ones) * log_zero
    update = 0.0
    for kind, number, log_token in ((1, ones, log_one), (0, 200 - ones, log_zero)):
        ratio = np.exp(of.token * log_token + of.response * whole / 200**of.length_power)
        counts = np.where(advantage > 0, ratio <= 1 + clip, ratio >= 1 - clip)
        assert 0.01 < (masses * counts).sum() < 0.999  # the clip leaves some out
        update += np.sum(masses * advantage * number * ratio * counts) * score_of(kind, p)
    found = run(
        instance,
        "dr_grpo",
        SUM,
        rate,
        iterations=1,
        steps_per_batch=2,
        ratio=name,
        clip_range=clip,
        outcome=False,
    )
    assert found.theta[0] - first == pytest.approx(rate * update, rel=1e-9)


def test_minibatches_of_expected_updates_are_steps_on_the_whole_batch():
    instance = FAMILIES.find("counting").instance(16, 0.3)
    ends = [
        run(instance, "dr_grpo", SUM, 0.05, iterations=9, steps_per_batch=steps, minibatches=parts).theta[0]
        for steps, parts in ((6, 1), (3, 2), (1, 6))
    ]
    assert ends[0] == ends[1] == ends[2]
    assert ends[0] != run(instance, "dr_grpo", SUM, 0.05, iterations=9).theta[0]


def test_minibatches_share_the_batch_out():
    """Where θ hardly moves, m steps on minibatches add up to m steps on the batch: every response counts once."""
    instance = tiny(0.3)
    options = {"iterations": 1, "group_size": 12}
    for i in range(5):
        state = streams.state(8, {"replicate": str(i)})
        whole, parted = (
            run(instance, "dr_grpo", SUM, 1e-7, state=state, minibatches=m, **options).theta[0]
            - instance.theta0
            for m in (1, 4)
        )
        assert parted == pytest.approx(4 * whole, rel=1e-5)


def test_every_way_to_deal_a_group_is_as_likely():
    """Two rows of 2 and 1 responses and a single one to two minibatches: hypergeometric counts."""
    group, parts = np.zeros((COLUMNS, 3)), np.empty((2, 4))
    group[COUNT] = 2, 1, 1
    state, seen = streams.state(3, {}), collections.Counter()
    for _ in range(6000):
        deal(state, 3, group, parts)
        assert parts[:, :3].sum(axis=0).tolist() == [2, 1, 1]
        assert parts[:, :3].sum(axis=1).tolist() == [2, 2]
        seen[tuple(parts[0, :3])] += 1
    expected = {(2, 0, 0): 1, (1, 1, 0): 2, (1, 0, 1): 2, (0, 1, 1): 1}  # of C(4, 2) = 6
    assert seen.keys() == expected.keys()
    found = stats.chisquare([seen[key] for key in expected], [1000 * n for n in expected.values()])
    assert found.pvalue > 1e-3


def test_one_step_a_batch_is_what_it_was():
    """No bit depends on ratio or clip where every batch is fresh, and idle groups are still skipped."""
    for family, where in (("counting", (64, 0.2)), ("gated", (64, 0.99)), ("contextual", (16, 0.3))):
        instance = FAMILIES.find(family).instance(*where)
        for groups in ({}, {"group_size": 8, "states": [streams.state(1, {"r": str(i)}) for i in range(2)]}):
            options = {"iterations": 60, "record": [0, 7, 60], **groups}
            plain = train(instance, "rloo", SUM, [0.01, 0.3], **options)
            same = train(
                instance, "rloo", SUM, [0.01, 0.3], steps_per_batch=1, ratio="gspo", clip_range=0.1, **options
            )
            assert np.array_equal(plain.theta, same.theta)
            assert np.array_equal(plain.path, same.path)


def test_idle_batches_of_several_steps_are_skipped_without_a_trace():
    """Groups in which nothing is scored are drawn ahead; step by step the run is the same."""
    rare = FAMILIES.find("gated").instance(64, 0.95)
    options = {"group_size": 4, "steps_per_batch": 3, "state": streams.state(2, {})}
    ends = [run(rare, "dr_grpo", SUM, 3e-4, iterations=k, **options).theta[0] for k in range(1, 60)]
    path = run(rare, "dr_grpo", SUM, 3e-4, iterations=59, path=True, **options)
    np.testing.assert_array_equal([rare.at(x)[1] for x in ends], path.failure_rate[1:])
    assert len(set(ends)) > 5


def test_with_the_whole_ratio_every_step_is_an_on_policy_one():
    """E_old[ρ A s] = ∇J at θ: μ steps on one batch are μ fresh batches, as long as ρ has its support."""
    instance = FAMILIES.find("counting").instance(64, 0.2)
    reused = run(instance, "dr_grpo", SUM, 0.05, iterations=10, steps_per_batch=4, ratio="sequence").theta[0]
    fresh = run(instance, "dr_grpo", SUM, 0.05, iterations=40).theta[0]
    assert reused == pytest.approx(fresh, rel=1e-9)


def threshold(instance, steps=1, iterations=10000, **options):
    """Learning rate, over the closed form, up to which a small displacement from the best θ shrinks."""
    critical = closed_forms.critical_closed_form(instance, "dr_grpo", SUM)
    low, high = 1e-3 / steps, 4.0
    for _ in range(20):
        middle = math.sqrt(low * high)
        found = run(
            instance,
            "dr_grpo",
            SUM,
            middle * critical,
            iterations=iterations,
            starts=np.array([[1e-3 * instance.theta0]]),
            steps_per_batch=steps,
            path=True,
            **options,
        )
        away = found.failure_rate - instance.best_failure
        low, high = (middle, high) if away[-40:].max() < away[0] else (low, middle)
    return low


@pytest.mark.parametrize("clip_range", [math.inf, 0.2])
@pytest.mark.parametrize("name", NAMES)
def test_critical_learning_rate_of_several_steps(name, clip_range):
    """O10, at N = 64, where the curvature of GSPO's surrogate is seen."""
    instance = FAMILIES.find("counting").instance(64, 0.2)
    for steps in (2, 4, 16):
        found = threshold(instance, steps, 600, ratio=name, clip_range=clip_range)
        assert found == pytest.approx(theory.epochs_factor(steps, name, 64), rel=1e-3)


def test_gspo_where_failing_responses_are_long():
    """O10 on `gated`: the mean advantage of long responses is not 0, and the surrogate curves the other way."""
    instance = FAMILIES.find("gated").instance(64, 0.9)
    length, half, share = instance.kernels.constants
    wrong = instance.at(0.0)[1] / share
    mass = stats.binom.pmf(length / 2 + half, length - 1, 0.5)
    excess = wrong * (1 - share) / ((2 * half + 1) * mass)
    for steps in (2, 16):
        predicted = theory.epochs_factor(steps, "gspo", length, excess)
        assert predicted < 0.85 / steps
        assert threshold(instance, steps, 600, ratio="gspo") == pytest.approx(predicted, rel=1e-3)
        assert threshold(instance, steps, 600, ratio="token") == pytest.approx(1 / steps, rel=1e-3)


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_critical_learning_rate_of_stale_batches(delay):
    """O5: token ratios know no more than the old update, the whole ratio makes it fresh."""
    instance = FAMILIES.find("counting").instance(64, 0.2)
    assert threshold(instance, delay=delay) == pytest.approx(theory.delay_factor(delay), rel=2e-3)
    if delay == 1:
        assert threshold(instance, delay=delay, ratio="sequence") == pytest.approx(1.0, rel=2e-3)


def test_critical_learning_rate_with_a_pull_to_the_start():
    """O6: 2/|u′| at the point where update and pull cancel; a run below it stays there, above it leaves."""
    instance, kl = FAMILIES.find("gated").instance(64, 0.9), 0.02
    share, length = instance.kernels.constants[2], instance.max_length

    def update(theta):
        j, f, g = instance.at(theta)
        p = chance(1, theta)
        return j * f * g - kl * share * length * p * (1 - p) * (theta - instance.theta0)

    low, high = instance.theta0, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if update(middle) > 0 else (low, middle)
    critical = theory.kl_critical_learning_rate((update(low + 1e-5) - update(low - 1e-5)) / 2e-5)
    assert low < -1e-3  # the pull moves it
    away = [
        abs(run(instance, "dr_grpo", SUM, factor * critical, iterations=4000, kl_coef=kl).theta[0] - low)
        for factor in (0.99, 1.01)
    ]
    assert away[0] < 1e-9 < 1e-3 < away[1]


def test_what_cannot_be_run_is_refused():
    counting = FAMILIES.find("counting").instance(16, 0.3)
    contextual = FAMILIES.find("contextual").instance(16, 0.3)
    for bandit, advantage, options, words in [
        (counting, "dr_grpo", {"steps_per_batch": 0}, "steps_per_batch: 0 is not allowed"),
        (counting, "dr_grpo", {"minibatches": 0}, "minibatches: 0 is not allowed"),
        (
            counting,
            "dr_grpo",
            {"minibatches": 3, "group_size": 8, "states": [streams.state(1, {})]},
            "minibatches: 3 is not allowed for groups of 8",
        ),
        (contextual, "dr_grpo", {"minibatches": 2}, "minibatches: not allowed for contextual"),
        (counting, "dr_grpo", {"delay": -1}, "delay: -1 is not allowed"),
        (counting, "dr_grpo", {"kl_coef": -0.1}, "kl_coef: -0.1 is not allowed"),
        (counting, "dr_grpo", {"clip_range": 0.0}, "clip_range: 0 is not allowed"),
        (counting, "dr_grpo", {"clip_range_high": math.nan}, "clip_range_high: nan is not allowed"),
        (counting, "dr_grpo", {"ratio": "word"}, "unknown ratio 'word'; known: gspo, sequence, token"),
        (counting, "gap", {"steps_per_batch": 2}, "advantage 'gap' has no sampled form"),
        (contextual, "dr_grpo", {"steps_per_batch": 2}, "steps_per_batch: not allowed for contextual"),
        (contextual, "dr_grpo", {"kl_coef": 0.1}, "kl_coef: not allowed for contextual"),
    ]:
        with pytest.raises(ConfigError, match=words):
            train(bandit, advantage, SUM, [0.1], iterations=10, **options)
    for ratio, words in ((Ratio(1.0, -1.0), "response must be a number"), ("token", r"register a Ratio\(")):
        with pytest.raises(ConfigError, match=words):
            check_ratio(ratio)
    assert sorted(RATIOS.discover()) == sorted(NAMES)
