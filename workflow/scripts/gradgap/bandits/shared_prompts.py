"""The exact family `contextual`: prompts that share the parameters of one linear softmax policy.

Q prompts; a response visits the C contexts of its prompt in turn, T/C times each, and at every visit picks
one of V candidates with probability ∝ exp⟨θ, φ⟩, φ ∈ R^d the candidate's unit feature vector. A hidden
teacher θ* names the right candidate; a response is right when every token is. θ is shared by all prompts,
and with fewer dimensions than contexts a step that helps one prompt can hurt another.

The right candidate of every context leads all others by the same margin on the teacher, ⟨θ*, φ_right − φ⟩,
and what stands beside the teacher is random. So on the ray from 0 through θ* all prompts are equally likely
to be answered right, and a prompt that is lost in the end was lost in training. The start lies on that ray.
Formulas: docs/theory_contextual.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import ConfigError
from ..numerics import streams
from ..numerics.compiler import kernel
from ..numerics.sampling import binomial
from ..numerics.streams import uniform
from ..values import canonical
from . import FAMILIES, Family


@kernel
def evaluate(theta, differences, visits, wrong, right, log_right, success, failure, ascent):
    """Rates of every prompt at θ, and what they are made of.

    Parameters
    ----------
    theta : ndarray, shape (d,)
    differences : ndarray, shape (Q, C, V − 1, d)
        φ_right − φ of every wrong candidate. Sums over wrong candidates alone have terms of one sign where it
        matters, so nothing cancels as tokens become certain.
    visits : int
        T/C.
    wrong : ndarray, shape (Q, C, V − 1)
        Filled with the probability of every wrong candidate.
    right, log_right : ndarray, shape (Q, C)
        Filled with the probability p of the right candidate, and with (T/C) log p.
    success, failure : ndarray, shape (Q,)
        Filled with J_q = Π p and 1 − J_q, each computed directly.
    ascent : ndarray, shape (Q, d)
        Filled with ∇ log J_q = Σ_t (φ_right − φ̄_t). The gradient gap of a prompt is that over 1 − J_q.
    """
    prompts, contexts, others, dimension = differences.shape
    for q in range(prompts):
        log_success = 0.0
        ascent[q] = 0.0
        for c in range(contexts):
            top = 0.0
            for a in range(others):
                logit = 0.0
                for j in range(dimension):
                    logit -= theta[j] * differences[q, c, a, j]
                wrong[q, c, a] = logit
                top = max(top, logit)
            total = 0.0
            for a in range(others):
                wrong[q, c, a] = math.exp(wrong[q, c, a] - top)
                total += wrong[q, c, a]
            of_right = math.exp(-top)
            log_p = -math.log1p(total) if top == 0.0 else -top - math.log(of_right + total)
            right[q, c] = of_right / (of_right + total)
            log_right[q, c] = visits * log_p
            log_success += visits * log_p
            for a in range(others):
                wrong[q, c, a] /= of_right + total
                for j in range(dimension):
                    ascent[q, j] += visits * wrong[q, c, a] * differences[q, c, a, j]
        success[q] = math.exp(log_success)
        failure[q] = -math.expm1(log_success)


@kernel
def draw_wrong(state, responses, visits, wrong, right, log_right, later, counts):
    """Draw wrong responses to one prompt: how often each wrong candidate stands in all of them together.

    The responses are independent, each a response of the policy given that it is wrong. The first context
    in which a response goes wrong, and the visit at which it does, are drawn from their own laws; all
    tokens after that are free. So the cost does not grow with the length, and no response is drawn in vain.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Random stream, changed in place.
    responses : int
        How many, 0 or more.
    visits : int
    wrong, right, log_right
        Of that prompt, as `evaluate` fills them.
    later : ndarray, shape (C + 1,)
        For scratch.
    counts : ndarray, shape (C, V − 1)
        Filled with the counts.
    """
    contexts, others = wrong.shape
    later[contexts] = 0.0
    for c in range(contexts - 1, -1, -1):
        later[c] = later[c + 1] + log_right[c]  # log of the chance that all is right from context c on
    free = 0  # responses that went wrong in an earlier context
    for c in range(contexts):
        rest = responses - free
        here = rest
        if c < contexts - 1 and rest > 0:  # which of the rest go wrong here first
            some = math.expm1(later[c])
            none = math.exp(log_right[c]) * math.expm1(later[c + 1])
            here = binomial(state, rest, math.expm1(log_right[c]) / some, none / some)
        tokens = free * visits
        for _ in range(here):  # the first wrong visit is geometric, cut off at the last
            log_u = math.log1p(uniform(state) * math.expm1(log_right[c]))
            first = min(int(log_u / log_right[c] * visits), visits - 1)
            tokens += visits - 1 - first
        share = 0.0
        for a in range(others):
            share += wrong[c, a]
        left = here + binomial(state, tokens, share, right[c])
        for a in range(others - 1):  # how the wrong tokens fall on the wrong candidates
            rest_of_share = 0.0
            for b in range(a + 1, others):
                rest_of_share += wrong[c, b]
            part = wrong[c, a] + rest_of_share
            picked = binomial(state, left, wrong[c, a] / part, rest_of_share / part) if left > 0 else 0
            counts[c, a] = picked
            left -= picked
        counts[c, others - 1] = left
        free += here


@dataclass(frozen=True)
class VectorInstance:
    """Prompts that share parameters θ ∈ R^d, at their start θ₀.

    The attributes that it shares with `Instance` mean the same there; what is one number there, θ and the
    gradient gap, is a vector here.

    Attributes
    ----------
    family : str
    differences : ndarray, shape (Q, C, V − 1, d)
        φ_right − φ of every wrong candidate.
    teacher : ndarray, shape (d,)
        Direction θ* of the teacher, a unit vector.
    visits : int
        How often a response visits each context, T/C.
    theta0 : ndarray, shape (d,)
        Start.
    length : float
    max_length, score_length : int
        All T: every response has the same length.
    token_score_bound, token_hessian_bound : float
        G_p = 2 and L_p = 1, since features have norm 1.
    settings : dict
    """

    family: str
    differences: np.ndarray
    teacher: np.ndarray
    visits: int
    theta0: np.ndarray
    length: float
    max_length: int
    score_length: int
    token_score_bound: float = 2.0
    token_hessian_bound: float = 1.0
    settings: dict[str, Any] = field(default_factory=dict)

    def prompts_at(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Success and failure rate of every prompt, each of shape (Q,), and ∇ log J_q, of shape (Q, d)."""
        prompts, contexts, others, dimension = self.differences.shape
        success, failure, ascent = np.empty(prompts), np.empty(prompts), np.empty((prompts, dimension))
        wrong, right = np.empty((prompts, contexts, others)), np.empty((prompts, contexts))
        log_right = np.empty_like(right)
        theta = np.ascontiguousarray(theta, dtype=float)
        evaluate(theta, self.differences, self.visits, wrong, right, log_right, success, failure, ascent)
        return success, failure, ascent

    def at(self, theta: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Success rate and failure rate of the policy over all prompts, and its gradient gap.

        A response comes from a prompt picked at random, so J is the mean of J_q, and the gap of the whole
        policy is g = ∇J / (J(1−J)) with ∇J the mean of J_q ∇ log J_q. It is no mean of the gaps of the
        prompts.
        """
        success, failure, ascent = self.prompts_at(theta)
        rate, complement = float(success.mean()), float(failure.mean())
        return rate, complement, (success[:, None] * ascent).mean(axis=0) / (rate * complement)


def _features(seed: int, prompts: int, contexts: int, candidates: int, dimension: int, replicate: int):
    """Teacher, of norm 1, and what the features are beside it, of norm 1 and orthogonal to it."""
    coordinates = {
        "family": "contextual",
        "prompts": canonical(prompts),
        "contexts": canonical(contexts),
        "candidates": canonical(candidates),
        "dimension": canonical(dimension),
        "replicate": canonical(replicate),
    }
    generator = np.random.Generator(np.random.PCG64(streams.state(seed, coordinates)))
    teacher = generator.standard_normal(dimension)
    teacher /= np.linalg.norm(teacher)
    beside = generator.standard_normal((prompts, contexts, candidates, dimension))
    beside -= (beside @ teacher)[..., None] * teacher
    return teacher, beside / np.linalg.norm(beside, axis=-1, keepdims=True)


class Contextual(Family):
    """Q prompts sharing a linear softmax policy in R^d (DESIGN: `contextual`).

    Features and teacher are drawn from a stream of their own, keyed by the family's sizes and the
    replicate: the same replicate at another length, success rate or margin has the same random part.
    """

    settings: ClassVar[Mapping[str, float]] = {
        "prompts": 4,
        "contexts": 4,
        "candidates": 4,
        "dimension": 8,
        "margin": 0.1,
        "replicate": 0,
        "seed": 20251008,
    }

    def instance(
        self,
        length,
        success_rate,
        failure_rate=None,
        *,
        prompts=4,
        contexts=4,
        candidates=4,
        dimension=8,
        margin=0.1,
        replicate=0,
        seed=20251008,
    ):
        sizes = {"prompts": (prompts, 1), "contexts": (contexts, 1), "candidates": (candidates, 2)}
        for name, (value, least) in (sizes | {"dimension": (dimension, 2)}).items():
            if value < least:
                raise ConfigError(
                    f"{name}: {value} is not allowed for contextual; it must be {least} or more"
                )
        if not 0 < margin < 2:
            raise ConfigError(f"margin: {margin:g} is not allowed; it lies strictly between 0 and 2")
        if length < contexts or length % contexts:
            raise ConfigError(
                f"length: {length} is not allowed for contextual; a response visits each of its {contexts} "
                f"contexts equally often, so the length must be a multiple of {contexts}"
            )
        if not 0 < success_rate < 1:
            raise ConfigError(
                f"success_rate: {success_rate:g} is not allowed; it lies strictly between 0 and 1"
            )
        log_success = math.log(success_rate) if failure_rate is None else math.log1p(-failure_rate)
        chance = -length * math.log(candidates)
        if log_success <= chance:
            raise ConfigError(
                f"success_rate: {success_rate:g} is out of reach for contextual at length {length} with "
                f"{candidates} candidates; allowed: above {math.exp(chance):.3g}, that of guessing"
            )
        teacher, beside = _features(seed, prompts, contexts, candidates, dimension, replicate)
        # all features have norm 1; the first candidate of each context is the right one
        features = math.sqrt(1 - (margin / 2) ** 2) * beside
        features[:, :, 0] += margin / 2 * teacher
        features[:, :, 1:] -= margin / 2 * teacher
        # a token is right with probability 1/(1 + (V − 1) exp(−scale · margin)), and that is J^(1/T)
        log_p = log_success / length
        scale = (math.log(candidates - 1) + log_p - math.log(-math.expm1(log_p))) / margin
        return VectorInstance(
            family="contextual",
            differences=np.ascontiguousarray(features[:, :, :1] - features[:, :, 1:]),
            teacher=teacher,
            visits=length // contexts,
            theta0=scale * teacher,
            length=float(length),
            max_length=length,
            score_length=length,
            settings={
                "prompts": prompts,
                "contexts": contexts,
                "candidates": candidates,
                "dimension": dimension,
                "margin": margin,
                "replicate": replicate,
            },
        )


FAMILIES.add("contextual")(Contextual())
