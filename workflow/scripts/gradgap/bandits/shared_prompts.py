"""The exact family `contextual`: prompts that share the parameters of one linear softmax policy.

There are Q prompts, each with C contexts. A response visits the contexts of its prompt in turn, T/C times each. At
every visit it picks one of V candidates with probability ∝ exp⟨θ, φ⟩, where φ ∈ R^d is the unit feature vector of the
candidate. In each context one candidate is right, and a response is right if all its tokens are. All prompts share θ.
If there are fewer dimensions than contexts, a step that helps one prompt can hurt another.

The right candidate is the one that a hidden teacher θ* prefers: it leads every other candidate by the same margin
⟨θ*, φ_right − φ⟩. Orthogonal to the teacher the features are random. So at every point of the ray from 0 through θ*
all prompts have the same success rate. Training starts on that ray, so a prompt that is lost at the end was lost in
training. Formulas: docs/theory_contextual.md.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..errors import ConfigError
from ..numerics import streams
from ..numerics.compiler import kernel, part
from ..numerics.elementary import dot, each, exp, expm1, log, log1p, norm
from ..numerics.sampling import binomial, normals
from ..numerics.streams import uniforms
from ..settings import Setting
from ..values import canonical
from . import FAMILIES, Family, Instance, Kernels
from .groups import COUNT, LENGTH, PROMPT, REWARD, WEIGHT
from .responses import Responses


@kernel
def evaluate(theta, differences, visits, wrong, right, log_right, success, failure):
    """Success and failure rate of every prompt at θ, with the probabilities that they follow from.

    Exponentials and logarithms have loops of their own, which the compiler turns into vector instructions.

    Parameters
    ----------
    theta : ndarray, shape (d,)
    differences : ndarray, shape (Q, C, V − 1, d)
        φ_right − φ of every wrong candidate. Only wrong candidates are summed over, so that nothing cancels as tokens
        become certain.
    visits : int
        T/C.
    wrong : ndarray, shape (Q, C, V − 1)
        Filled with the probability of every wrong candidate.
    right, log_right : ndarray, shape (Q, C)
        Filled with the probability p of the right candidate, and with (T/C) log p.
    success, failure : ndarray, shape (Q,)
        Filled with J_q = Π p and 1 − J_q, each computed directly.

    Examples
    --------
    On the teacher's ray all prompts have the same success rate (`Instance.rates` calls this function):

    >>> bandit = FAMILIES.find("contextual").instance(8, 0.3)
    >>> success, failure, _ = bandit.rates(bandit.start)
    >>> success.round(6)
    array([0.3, 0.3, 0.3, 0.3])
    """
    prompts, contexts, others, dimension = differences.shape
    for q in range(prompts):
        for c in range(contexts):
            top = 0.0
            for a in range(others):
                logit = 0.0
                for j in range(dimension):
                    logit -= theta[j] * differences[q, c, a, j]
                wrong[q, c, a] = logit
                top = max(top, logit)
            for a in range(others):
                wrong[q, c, a] -= top
            right[q, c] = -top
    masses = part(wrong, 0, (wrong.size,))
    for i in range(masses.size):
        masses[i] = exp(masses[i])
    for q in range(prompts):
        for c in range(contexts):
            total = 0.0
            for a in range(others):
                total += wrong[q, c, a]
            below_top = right[q, c]
            if below_top == 0.0:
                of_right = 1.0
                log_right[q, c] = total  # log p = −log1p(total), taken below
            else:
                of_right = exp(below_top)
                log_right[q, c] = below_top - log(of_right + total)
            right[q, c] = of_right / (of_right + total)
            for a in range(others):
                wrong[q, c, a] /= of_right + total
    logarithms = part(log_right, 0, (log_right.size,))
    for i in range(logarithms.size):
        x = logarithms[i]
        logarithms[i] = visits * (-log1p(x) if x >= 0.0 else x)
    for q in range(prompts):
        log_success = 0.0
        for c in range(contexts):
            log_success += log_right[q, c]
        success[q] = exp(log_success)
        failure[q] = -expm1(log_success)


@kernel
def climb(differences, visits, wrong, ascent):
    """Fill `ascent` with ∇ log J_q = Σ_t (φ_right − φ̄_t) of one prompt; its gradient gap is that over 1 − J_q.

    Parameters
    ----------
    differences : ndarray, shape (C, V − 1, d)
    visits : int
    wrong : ndarray, shape (C, V − 1)
        Of that prompt, as `evaluate` fills it.
    ascent : ndarray, shape (d,)
    """
    contexts, others, dimension = differences.shape
    for j in range(dimension):
        ascent[j] = 0.0
    for c in range(contexts):
        for a in range(others):
            factor = visits * wrong[c, a]
            for j in range(dimension):
                ascent[j] += factor * differences[c, a, j]


#: First wrong visits that are drawn together, so that their logarithms are vector instructions.
AT_ONCE = 64


@kernel
def draw_wrong(state, responses, visits, wrong, right, log_right, later, first, counts):
    """Draw wrong responses to one prompt, and count how often each wrong candidate occurs in all of them together.

    The responses are independent, each drawn from the policy under the condition that it is wrong. First the context
    and the visit at which a response goes wrong for the first time are drawn, each from its exact distribution. All
    later tokens are then free. So the cost does not grow with the length, and nothing is drawn and thrown away.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Random stream, changed in place.
    responses : int
        How many to draw, 0 or more.
    visits : int
        T/C.
    wrong, right, log_right
        Of this prompt, as `evaluate` fills them.
    later, first : ndarray, shapes (C + 1,) and (AT_ONCE,)
        Scratch space.
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
            any_wrong = expm1(later[c])
            none_here = exp(log_right[c]) * expm1(later[c + 1])
            here = binomial(state, rest, expm1(log_right[c]) / any_wrong, none_here / any_wrong)
        tokens = free * visits
        chance, per_visit = expm1(log_right[c]), visits / log_right[c]
        for start in range(0, here, AT_ONCE):  # the first wrong visit is geometric, cut off at the last
            some = min(here - start, AT_ONCE)
            uniforms(state, some, first)
            for i in range(some):
                first[i] = log1p(first[i] * chance) * per_visit
            for i in range(some):
                tokens += visits - 1 - min(int(first[i]), visits - 1)
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


#: The first constants of an instance: Q, C, V − 1, d and the visits T/C; the features follow.
_HEAD = 5


@kernel
def _sizes(constants):
    return int(constants[0]), int(constants[1]), int(constants[2]), int(constants[3]), int(constants[4])


@kernel
def _parts(constants, workspace):
    """The features, and the parts of the workspace that `evaluate` fills: wrong, right, log_right and ascent."""
    prompts, contexts, others, dimension, _ = _sizes(constants)
    a = prompts * contexts * others
    b = a + prompts * contexts
    c = b + prompts * contexts
    return (
        part(constants, _HEAD, (prompts, contexts, others, dimension)),
        part(workspace, 0, (prompts, contexts, others)),
        part(workspace, a, (prompts, contexts)),
        part(workspace, b, (prompts, contexts)),
        part(workspace, c, (prompts, dimension)),
    )


def _workspace(prompts: int, contexts: int, others: int, dimension: int) -> int:
    """Numbers of workspace: what `_parts` and `_score` use."""
    return (
        prompts * (contexts * others + 2 * contexts + dimension) + contexts + 1 + AT_ONCE + contexts * others
    )


@kernel
def _evaluate(theta, constants, workspace, rates, gaps):
    """`Kernels.evaluate`: the gradient gap of a prompt is ∇ log J_q over 1 − J_q."""
    differences, wrong, right, log_right, ascent = _parts(constants, workspace)
    visits = int(constants[4])
    evaluate(theta, differences, visits, wrong, right, log_right, rates[0], rates[1])
    for q in range(gaps.shape[0]):
        climb(differences[q], visits, wrong[q], ascent[q])
        for j in range(gaps.shape[1]):
            gaps[q, j] = ascent[q, j] / rates[1, q] if rates[1, q] > 0.0 else 0.0


@kernel
def _outcomes(state, theta, constants, workspace, rates, size, most, group):
    """`Kernels.outcomes`: for each prompt one row for all right responses, and one for all wrong ones.

    All responses have the same length, so all right ones have the same weight, and all wrong ones too.
    """
    prompts, contexts, _, _, visits = _sizes(constants)
    for q in range(prompts):
        of_right = binomial(state, size, rates[0, q], rates[1, q])
        for wrong in range(2):
            group[REWARD, 2 * q + wrong] = 1.0 - wrong
            group[LENGTH, 2 * q + wrong] = float(visits * contexts)
            group[COUNT, 2 * q + wrong] = size - of_right if wrong else of_right
            group[PROMPT, 2 * q + wrong] = q
    return 2 * prompts, 1


@kernel
def _score(state, theta, constants, workspace, rows, group, update):
    """`Kernels.score`: the score of a response is ∇ log J_q less φ_right − φ of each of its wrong tokens."""
    prompts, contexts, others, dimension, visits = _sizes(constants)
    differences, wrong, right, log_right, ascent = _parts(constants, workspace)
    at = prompts * (contexts * others + 2 * contexts + dimension)
    later = part(workspace, at, (contexts + 1,))
    first = part(workspace, at + contexts + 1, (AT_ONCE,))
    counts = part(workspace, at + contexts + 1 + AT_ONCE, (contexts, others))
    for q in range(prompts):
        of_right, of_wrong = group[WEIGHT, 2 * q], group[WEIGHT, 2 * q + 1]
        number_wrong = int(group[COUNT, 2 * q + 1])
        total = group[COUNT, 2 * q] * of_right + number_wrong * of_wrong
        if total != 0.0:
            climb(differences[q], visits, wrong[q], ascent[q])
            for j in range(dimension):
                update[j] += total * ascent[q, j]
        if of_wrong == 0.0 or number_wrong == 0:
            continue
        draw_wrong(state, number_wrong, visits, wrong[q], right[q], log_right[q], later, first, counts)
        for c in range(contexts):
            for a in range(others):
                if counts[c, a] > 0.0:
                    factor = of_wrong * counts[c, a]
                    for j in range(dimension):
                        update[j] -= factor * differences[q, c, a, j]


@dataclass(frozen=True)
class SharedPrompts(Instance):
    """Prompts that share parameters θ ∈ R^d, at their start.

    Attributes
    ----------
    teacher : ndarray, shape (d,)
        Direction θ* of the teacher, a unit vector.
    """

    teacher: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def differences(self) -> np.ndarray:
        """φ_right − φ of every wrong candidate, of shape (Q, C, V − 1, d)."""
        constants = self.kernels.constants
        return constants[_HEAD:].reshape(constants[: _HEAD - 1].astype(int))

    @property
    def visits(self) -> int:
        """How often a response visits each context, T/C."""
        return int(self.kernels.constants[_HEAD - 1])

    @property
    def collapsed_failure(self) -> float:
        """1 − V^−C: far away in a random direction each context settles on one of its V candidates."""
        _, contexts, others, _ = self.differences.shape
        return 1.0 - 1.0 / math.prod([others + 1] * contexts)

    def prompts_at(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Success and failure rate of every prompt, each of shape (Q,), and ∇ log J_q, of shape (Q, d)."""
        workspace = np.empty(self.kernels.workspace)
        success, failure, _ = self._rates(np.ascontiguousarray(theta, dtype=float), workspace)
        return success, failure, _parts(self.kernels.constants, workspace)[4].copy()


def _candidates(differences: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the right candidate and of every wrong one, and the log of their sum over the right one's mass.

    Parameters
    ----------
    differences : ndarray, shape (Q, C, V − 1, d)
    theta : ndarray, shape (d,)

    Returns
    -------
    ndarray, shape (Q, C, V)
    ndarray, shape (Q, C)
    """
    # einsum without optimisation calls no BLAS: sums in fixed order
    logits = np.zeros((*differences.shape[:2], differences.shape[2] + 1))
    logits[..., 1:] = -np.einsum("qcaj,j->qca", differences, np.asarray(theta, dtype=float))
    top = logits.max(axis=-1)
    masses = each(exp, (logits - top[..., None]).ravel()).reshape(logits.shape)
    total = masses.cumsum(axis=-1)[..., -1]
    return masses / total[..., None], top + each(log, total.ravel()).reshape(total.shape)


@dataclass(frozen=True, eq=False)
class _PromptResponses:
    """`ResponseModel` of contextual: the kind of a response is its prompt.

    Attributes
    ----------
    differences : ndarray, shape (Q, C, V − 1, d)
        φ_right − φ.
    visits : int
        To each context.
    """

    differences: np.ndarray
    visits: int

    def draw(self, theta, size, generator):
        prompts, contexts, others, dimension = self.differences.shape
        if size % prompts:
            raise ConfigError(
                f"responses: {size} is not allowed; it must be a multiple of the {prompts} prompts"
            )
        each_prompt = size // prompts
        features = np.zeros((size, dimension))
        rewards = np.ones(size)
        prompt = np.repeat(np.arange(prompts), each_prompt)
        bounds = _candidates(self.differences, theta)[0].cumsum(axis=-1)
        for q in range(prompts):
            mine = slice(q * each_prompt, (q + 1) * each_prompt)
            for c in range(contexts):
                uniforms = generator.random((each_prompt, self.visits))
                picked = np.searchsorted(bounds[q, c], uniforms, side="right")
                counts = np.stack([(picked == a + 1).sum(axis=1) for a in range(others)], axis=1)
                features[mine] -= np.einsum("na,aj->nj", counts, self.differences[q, c])
                rewards[mine] *= counts.sum(axis=1) == 0
        lengths = np.full(size, float(contexts * self.visits))
        return Responses(rewards, lengths, features, prompt, prompt)

    def normalisers(self, theta):
        return self.visits * _candidates(self.differences, theta)[1].cumsum(axis=1)[:, -1]

    def slopes(self, theta):
        masses = _candidates(self.differences, theta)[0][..., 1:]
        return -self.visits * np.einsum("qca,qcaj->qj", masses, self.differences)


@kernel
def _stand_beside(teacher, features):
    """Remove from every row its component along the teacher, then scale the row to norm 1."""
    for i in range(features.shape[0]):
        along = dot(features[i], teacher)
        for j in range(teacher.size):
            features[i, j] -= along * teacher[j]
        length = norm(features[i])
        for j in range(teacher.size):
            features[i, j] /= length


def _features(seed: int, prompts: int, contexts: int, candidates: int, dimension: int, replicate: int):
    """The teacher, and the random parts of the features, orthogonal to it; all of norm 1."""
    coordinates = {
        "family": "contextual",
        "prompts": canonical(prompts),
        "contexts": canonical(contexts),
        "candidates": canonical(candidates),
        "dimension": canonical(dimension),
        "replicate": canonical(replicate),
    }
    state = streams.state(seed, coordinates)
    teacher, beside = np.empty(dimension), np.empty((prompts, contexts, candidates, dimension))
    normals(state, teacher)
    normals(state, beside.reshape(-1))
    teacher /= norm(teacher)
    _stand_beside(teacher, beside.reshape(-1, dimension))
    return teacher, beside


class Contextual(Family):
    """Q prompts that share a linear softmax policy in R^d.

    Features and teacher come from a random stream that is keyed by the sizes of the family and the replicate. So a
    replicate has the same random part at every length, success rate and margin.
    """

    settings: ClassVar = {
        "prompts": Setting(
            description="Number of prompts Q that share the parameters (contextual).",
            kind="integer",
            minimum=1,
            maximum=1000,
            default=4,
        ),
        "contexts": Setting(
            description="Distinct contexts C of a prompt, each visited T/C times (contextual).",
            kind="integer",
            minimum=1,
            maximum=1000,
            default=4,
        ),
        "candidates": Setting(
            description="Candidates V for a token (contextual).",
            kind="integer",
            minimum=2,
            maximum=1000,
            default=4,
        ),
        "dimension": Setting(
            description="Number d of parameters; prompts interfere where it is below Q·C (contextual).",
            kind="integer",
            minimum=2,
            maximum=1000,
            default=8,
        ),
        "margin": Setting(
            description="How far the right candidate leads the others on the teacher (contextual).",
            above=0,
            below=2,
            default=0.1,
        ),
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
                f"success_rate: {canonical(success_rate)} is not allowed; it lies strictly between 0 and 1"
            )
        log_success = log(success_rate) if failure_rate is None else log1p(-failure_rate)
        chance = -length * log(candidates)
        if log_success <= chance:
            raise ConfigError(
                f"success_rate: {canonical(success_rate)} is out of reach for contextual at length {length} with "
                f"{candidates} candidates; allowed: above {exp(chance):.3g}, that of guessing"
            )
        teacher, beside = _features(seed, prompts, contexts, candidates, dimension, replicate)
        # all features have norm 1; the first candidate of each context is the right one
        features = math.sqrt(1 - (margin / 2) * (margin / 2)) * beside
        features[:, :, 0] += margin / 2 * teacher
        features[:, :, 1:] -= margin / 2 * teacher
        # a token is right with probability 1/(1 + (V − 1) exp(−scale · margin)), and that is J^(1/T)
        log_p = log_success / length
        scale = (log(candidates - 1) + log_p - log(-expm1(log_p))) / margin
        differences = np.ascontiguousarray(features[:, :, :1] - features[:, :, 1:])
        shape = differences.shape
        return SharedPrompts(
            family="contextual",
            kernels=Kernels(
                evaluate=_evaluate,
                outcomes=_outcomes,
                score=_score,
                constants=np.concatenate(
                    [np.array([*shape, length // contexts], dtype=float), differences.ravel()]
                ),
                workspace=_workspace(*shape),
                prompts=prompts,
                rows_beside=2 * prompts,
                grouped=True,
                sample_reads_rates=True,
            ),
            start=scale * teacher,
            teacher=teacher,
            responses=_PromptResponses(differences, length // contexts),
            length=float(length),
            max_length=length,
            score_length=length,
            token_score_bound=2.0,  # since features have norm 1
            token_hessian_bound=1.0,
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
