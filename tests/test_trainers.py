"""Trainer settings against rules: each loss as its source has it, written out here, differentiated numerically.

TRL 1.10.0.dev0 (f2cd577), verl 0.8.0.dev (b178a3c), OpenRLHF 0.11.0 (3c3be62). All at the first step on a batch: the
ratio of new to old probabilities is 1, so that no clip acts, and the KL to a reference is off unless said.
"""

import itertools
import math
import re

import numpy as np
import pytest
from gradgap.bandits.counting import make
from gradgap.training import batches, rules

LONGEST = 9
VOCABULARY = 3


class Batch:
    """Groups of responses of a softmax policy with three shared parameters, token features at random."""

    def __init__(self, key, groups, size, kind="any"):
        draws = np.random.default_rng(key)
        self.theta = draws.normal(size=3)
        self.features = draws.normal(size=(groups, size, LONGEST, VOCABULARY, 3))
        self.tokens = draws.integers(VOCABULARY, size=(groups, size, LONGEST))
        self.lengths = draws.integers(1, LONGEST + 1, size=(groups, size))
        self.mask = np.arange(LONGEST) < self.lengths[..., None]
        self.rewards = (draws.random((groups, size)) < 0.5).astype(float)
        self.rewards[0, :2] = 1.0, 0.0  # one group at least has both
        if kind == "equal":
            self.lengths[:] = 4
            self.mask = np.arange(LONGEST) < self.lengths[..., None]

    def log_probabilities(self, theta):
        """Log-probability of every token, shape (groups, size, LONGEST)."""
        logits = self.features @ theta
        chosen = np.take_along_axis(logits, self.tokens[..., None], axis=-1)[..., 0]
        top = logits.max(axis=-1)
        return chosen - top - np.log(np.exp(logits - top[..., None]).sum(axis=-1))

    def descent(self, loss):
        """Minus the gradient of a loss, by five-point differences."""
        out = np.empty(3)
        for i, axis in enumerate(np.eye(3)):
            h = 1e-3
            at = [loss(self, self.theta + k * h * axis) for k in (-2, -1, 1, 2)]
            out[i] = -(at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
        return out

    def update(self, advantage, aggregation):
        """Ours: weights times scores, the scores in closed form."""
        weights = batches.weights(advantage, aggregation, self.rewards, self.lengths, LONGEST)
        logits = self.features @ self.theta
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        chosen = np.take_along_axis(self.features, self.tokens[..., None, None], axis=-2)[..., 0, :]
        scores = ((chosen - (p[..., None] * self.features).sum(axis=-2)) * self.mask[..., None]).sum(axis=-2)
        return (weights[..., None] * scores).sum(axis=(0, 1))


def centred(batch):
    return batch.rewards - batch.rewards.mean(axis=1, keepdims=True)


def ratio(batch, theta):
    """New over old probability of every token."""
    return np.exp(batch.log_probabilities(theta) - batch.log_probabilities(batch.theta))


def trl_advantages(batch, scale_rewards="group"):
    scaled = centred(batch)
    if scale_rewards == "group":
        return scaled / (batch.rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)
    if scale_rewards == "batch":
        return scaled / (batch.rewards.std(ddof=1) + 1e-4)
    return scaled


def trl(loss_type="dapo", scale_rewards="group", max_completion_length=LONGEST):
    """GRPOTrainer on one process without accumulation."""

    def loss(batch, theta):
        a = trl_advantages(batch, scale_rewards)[..., None]
        r = ratio(batch, theta)
        per_token = -np.minimum(r * a, np.clip(r, 0.8, 1.2) * a) * batch.mask
        if loss_type == "grpo":
            return (per_token.sum(axis=-1) / batch.mask.sum(axis=-1)).mean()
        if loss_type == "dr_grpo":
            return per_token.sum() / (batch.rewards.size * max_completion_length)
        return per_token.sum() / batch.mask.sum()  # bnpo and dapo on one process

    return loss


def trl_rloo(beta=0.0, reference=0.0):
    """RLOOTrainer: the ratio is that of whole responses, and KL is taken off the reward."""

    def loss(batch, theta):
        old = (batch.log_probabilities(batch.theta) * batch.mask).sum(axis=-1)
        kl = (batch.log_probabilities(batch.theta) * batch.mask).sum(axis=-1) - (
            (batch.log_probabilities(batch.theta + reference) * batch.mask).sum(axis=-1)
        )
        rewards = batch.rewards - beta * kl
        n = rewards.shape[1]
        a = rewards - (rewards.sum(axis=1, keepdims=True) - rewards) / (n - 1)
        r = np.exp((batch.log_probabilities(theta) * batch.mask).sum(axis=-1) - old)
        return -np.minimum(r * a, np.clip(r, 0.8, 1.2) * a).mean()

    return loss


def verl(advantage="grpo", mode="token-mean", norm=True):
    """Vanilla policy loss, `agg_loss` over a batch that one step takes."""

    def loss(batch, theta):
        n = batch.rewards.shape[1]
        if advantage == "rloo":
            a = batch.rewards * n / (n - 1) - batch.rewards.mean(axis=1, keepdims=True) * n / (n - 1)
        else:
            a = centred(batch)
            if norm:
                a = a / (batch.rewards.std(axis=1, ddof=1, keepdims=True) + 1e-6)
        a = a[..., None]
        r = ratio(batch, theta)
        per_token = np.maximum(-a * r, -a * np.clip(r, 0.8, 1.2)) * batch.mask
        if mode == "token-mean":
            return per_token.sum() / batch.mask.sum()
        if mode == "seq-mean-token-sum":
            return per_token.sum(axis=-1).mean()
        if mode == "seq-mean-token-mean":
            return (per_token.sum(axis=-1) / (batch.mask.sum(axis=-1) + 1e-8)).mean()
        return per_token.sum() / batch.mask.shape[-1]  # seq-mean-token-sum-norm: no mean over responses

    return loss


def openrlhf(estimator="group_norm", token_level=True):
    """PolicyLoss after the shaping of rewards; gamma and lambda are 1."""

    def loss(batch, theta):
        n = batch.rewards.shape[1]
        if estimator == "rloo":
            a = batch.rewards - (batch.rewards.sum(axis=1, keepdims=True) - batch.rewards) / (n - 1)
        else:
            a = centred(batch)
            if estimator == "group_norm":
                a = a / (batch.rewards.std(axis=1, ddof=1, keepdims=True) + 1e-9)
        a = a[..., None] * batch.mask
        if estimator == "reinforce_baseline":
            mean = a.sum() / batch.mask.sum()
            variance = (((a - mean) ** 2) * batch.mask).sum() / batch.mask.sum()
            a = (a - mean) / math.sqrt(max(variance, 1e-8))
        r = ratio(batch, theta)
        per_token = -np.minimum(r * a, np.clip(r, 0.8, 1.2) * a) * batch.mask
        if token_level:
            return per_token.sum() / batch.mask.sum()
        return (per_token.sum(axis=-1) / (batch.mask.sum(axis=-1) + 1e-8)).mean()

    return loss


#: Row of docs/trainers.md: loss, our rule, and a factor of ours where the name hides one; (groups, size).
ROWS = {
    "TRL default": (trl(), "grpo/batch-token-mean", lambda p, n: 1),
    "TRL grpo": (trl("grpo"), "grpo/seq-mean-token-mean", lambda p, n: 1),
    "TRL bnpo": (trl("bnpo"), "grpo/batch-token-mean", lambda p, n: 1),
    "TRL dr_grpo alone": (trl("dr_grpo"), "grpo/seq-mean-token-sum-norm", lambda p, n: 1),
    "TRL dr_grpo, none": (trl("dr_grpo", "none"), "dr_grpo/seq-mean-token-sum-norm", lambda p, n: 1),
    "TRL batch": (trl("dapo", "batch"), "batch_grpo/batch-token-mean", lambda p, n: 1),
    "TRL none": (trl("dapo", "none"), "dr_grpo/batch-token-mean", lambda p, n: 1),
    "TRL RLOO, beta 0": (trl_rloo(), "rloo/seq-mean-token-sum", lambda p, n: 1),
    "verl default": (verl(), "grpo/batch-token-mean", lambda p, n: 1),
    "verl seq-mean-token-mean": (
        verl(mode="seq-mean-token-mean"),
        "grpo/seq-mean-token-mean",
        lambda p, n: 1,
    ),
    "verl no std, norm": (
        verl(norm=False, mode="seq-mean-token-sum-norm"),
        "dr_grpo/seq-mean-token-sum-norm",
        lambda p, n: p * n,
    ),
    "verl rloo, token-sum": (
        verl("rloo", "seq-mean-token-sum"),
        "rloo/seq-mean-token-sum",
        lambda p, n: 1,
    ),
    "verl rloo": (verl("rloo"), "rloo/batch-token-mean", lambda p, n: 1),
    "OpenRLHF group_norm": (openrlhf(), "grpo/batch-token-mean", lambda p, n: 1),
    "OpenRLHF group_norm, sample": (
        openrlhf(token_level=False),
        "grpo/seq-mean-token-mean",
        lambda p, n: 1,
    ),
    "OpenRLHF dr_grpo": (openrlhf("dr_grpo"), "dr_grpo/batch-token-mean", lambda p, n: 1),
    "OpenRLHF rloo": (openrlhf("rloo"), "rloo/batch-token-mean", lambda p, n: 1),
}
#: Relative difference that the rows may have: rounding of the differences, or the other epsilon beside a deviation.
ROUNDING, EPSILON = 1e-8, 1e-4 * 3.2
OTHER_EPSILON = (
    "verl default",
    "verl seq-mean-token-mean",
    "OpenRLHF group_norm",
    "OpenRLHF group_norm, sample",
)


def difference(name, key):
    """Relative difference of their update and ours on one random batch."""
    loss, rule, factor = ROWS[name]
    groups, size = 1 + key % 4, (2, 4, 8)[key % 3]
    batch = Batch(key, groups, size)
    theirs, ours = batch.descent(loss), batch.update(*rule.split("/")) * factor(groups, size)
    return np.abs(theirs - ours).max() / np.abs(theirs).max()


@pytest.mark.parametrize("name", ROWS)
def test_row_is_the_rule(name):
    """Over 24 batches of 1 to 4 groups of 2, 4 or 8; smallest deviation of a mixed group of 8 is 0.354."""
    largest = max(difference(name, key) for key in range(24))
    assert largest < (EPSILON if name in OTHER_EPSILON else ROUNDING)
    if name in OTHER_EPSILON:
        assert largest > 10 * ROUNDING  # the difference is real


def test_every_row_is_in_the_page_and_the_page_has_no_other(root):
    page = (root / "docs/trainers.md").read_text(encoding="utf-8")
    named = re.findall(
        r"^\| (?:TRL|verl|OpenRLHF)[^|]*\|[^|]*\|[^|]*\| `([^`]+)` \|", page, flags=re.MULTILINE
    )
    assert sorted(named) == sorted(ROWS)
    rows = re.findall(r"^\| .*$", page, flags=re.MULTILINE)
    for name, (_, rule, _) in ROWS.items():
        (row,) = [line for line in rows if f"| `{name}` |" in line]
        assert f"`{rule}`" in row


def test_same_name_other_rule():
    """Where a name would suggest another rule, that rule is not what is computed."""
    wrong = {
        "TRL dr_grpo alone": "dr_grpo/seq-mean-token-sum-norm",  # keeps z-scores
        "TRL default": "grpo/token-mean",  # tokens of the whole batch
        "verl no std, norm": "dr_grpo/seq-mean-token-sum-norm",  # without the factor of the responses
        "OpenRLHF dr_grpo": "dr_grpo/seq-mean-token-sum-norm",  # divides by tokens
        "TRL batch": "grpo/batch-token-mean",
    }
    for name, rule in wrong.items():
        batch = Batch(7, 4, 4)
        theirs, ours = batch.descent(ROWS[name][0]), batch.update(*rule.split("/"))
        assert np.abs(theirs - ours).max() > 1e-2 * np.abs(theirs).max()


def test_token_mean_and_batch_token_mean_agree_where_lengths_do():
    batch = Batch(3, 4, 8, kind="equal")
    assert batch.update("grpo", "token-mean") == pytest.approx(
        batch.update("grpo", "batch-token-mean"), rel=1e-12
    )


def test_max_completion_length_is_the_divisor_whatever_is_generated():
    batch = Batch(3, 4, 8, kind="equal")
    loss, doubled = trl("dr_grpo"), trl("dr_grpo", max_completion_length=2 * LONGEST)
    assert batch.descent(loss) == pytest.approx(2 * batch.descent(doubled), rel=1e-7)


def test_rloo_beta_changes_the_advantage_and_a_group_of_two_is_a_difference():
    batch = Batch(5, 4, 2)
    shift = np.array([0.5, -0.3, 0.2])  # a reference that is not the policy
    plain = batch.descent(trl_rloo())
    assert batch.descent(trl_rloo(0.05, 0.0)) == pytest.approx(plain, abs=1e-9)  # at the reference itself
    moved = batch.descent(trl_rloo(0.05, shift))
    assert np.abs(moved - plain).max() > 1e-3 * np.abs(plain).max()
    weights = batches.weights("rloo", "seq-mean-token-sum", batch.rewards, batch.lengths, LONGEST) * 8
    pair = batch.rewards[:, :1] - batch.rewards[:, 1:]
    assert weights == pytest.approx(np.hstack([pair, -pair]), abs=1e-15)


def test_reinforce_baseline_of_openrlhf_is_none_of_our_rules():
    """It whitens by tokens over the batch: long responses count for more in the mean and the deviation."""
    batch = Batch(2, 4, 8)
    theirs = batch.descent(openrlhf("reinforce_baseline"))
    for advantage, aggregation in itertools.product(
        ("reinforce", "rloo", "dr_grpo", "grpo", "max_rl", "batch_grpo"),
        ("seq-mean-token-sum", "seq-mean-token-mean", "token-mean", "batch-token-mean"),
    ):
        ours = batch.update(advantage, aggregation)
        cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
        assert cosine < 1 - 1e-6


@pytest.mark.parametrize("size", [2, 3, 5])
def test_max_rl_by_enumeration_of_whole_groups(size):
    """E[update] over all groups of `size` responses is ((1−J) − (1−J)ⁿ) g, and (1−J) g as n grows."""
    n, width, share, theta = 2, 0, 0.6, -0.7
    p = 1 / (1 + math.exp(-theta))
    table = [(1 - share, 1, 0.0)]
    for tokens in itertools.product((0, 1), repeat=n):
        ones = sum(tokens)
        probability = share * p**ones * (1 - p) ** (n - ones)
        table.append((probability, int(abs(ones - n // 2) <= width), ones - n * p))
    total = 0.0
    for group in itertools.product(table, repeat=size):
        rewards = np.array([row[1] for row in group], float)
        if rewards.sum() > 0:
            weight = (rewards - rewards.mean()) / rewards.mean() / size
            total += math.prod(row[0] for row in group) * float(weight @ [row[2] for row in group])
            ours = rules.weights("max_rl", "seq-mean-token-sum", rewards, np.ones(size), 1)
            assert ours == pytest.approx(weight, abs=1e-15)
    success, failure, gap = make("gated", n, width, share, theta).at(theta)
    assert total == pytest.approx((failure - failure**size) * gap, rel=1e-12)
    assert rules.ADVANTAGES.find("max_rl").coefficient(success, failure, abs(gap)) == failure
    assert (rules.weights("max_rl", "seq-mean-token-sum", np.zeros(size), np.ones(size), 1) == 0).all()
