"""Autoregressive softmax policies small enough that every response is enumerated.

After each prefix, the context, the next token is drawn from a softmax of ⟨θ, φ(context, token)⟩. A step along a
direction w needs of the features just two numbers a token: its logit ⟨θ, φ⟩ and its slope ⟨w, φ⟩. Success and
failure rate are sums of positive terms over all responses, so nothing is estimated and nothing cancels.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from ..numerics.compiler import allocating_kernel, kernel


@dataclass(frozen=True)
class Tree:
    """All responses of up to `length` tokens; contexts come before those that follow from them.

    Attributes
    ----------
    child : ndarray of int, shape (contexts, vocabulary)
        Context that a token leads to; −1 − i where it ends response i.
    depth : ndarray of int, shape (contexts,)
        Tokens before a context.
    responses : int
        Number of responses.
    """

    child: np.ndarray
    depth: np.ndarray
    responses: int


@functools.cache
def tree(length: int, vocabulary: int, ending: bool) -> Tree:
    """Responses of exactly `length` tokens, or, where the token 0 ends a response, of at most as many."""
    child: list[list[int]] = []
    depth = [0]
    responses = 0
    while len(child) < len(depth):
        here = len(child)
        row = []
        for token in range(vocabulary):
            if depth[here] + 1 == length or (ending and token == 0):
                row.append(-1 - responses)
                responses += 1
            else:
                row.append(len(depth))
                depth.append(depth[here] + 1)
        child.append(row)
    return Tree(np.array(child), np.array(depth), responses)


@allocating_kernel
def _evaluate(logit, slope, child, depth, right, step, reach, score):
    """What `Line.at` returns; `reach` and `score` hold a number a context, `reach` is scratch as well."""
    contexts, vocabulary = logit.shape
    weight = np.empty(vocabulary)
    reach[0] = 1.0
    score[0] = 0.0
    success = 0.0
    failure = 0.0
    success_score = 0.0
    failure_score = 0.0
    length = 0.0
    for h in range(contexts):
        top = -math.inf
        for a in range(vocabulary):
            weight[a] = logit[h, a] + step * slope[h, a]
            top = max(top, weight[a])
        total = 0.0
        mean = 0.0
        for a in range(vocabulary):
            weight[a] = math.exp(weight[a] - top)
            total += weight[a]
            mean += weight[a] * slope[h, a]
        mean /= total
        for a in range(vocabulary):
            p = reach[h] * weight[a] / total
            x = score[h] + slope[h, a] - mean
            k = child[h, a]
            if k >= 0:
                reach[k] = p
                score[k] = x
                continue
            length += p * (depth[h] + 1)
            if right[-1 - k]:
                success += p
                success_score += p * x
            else:
                failure += p
                failure_score += p * x
    return success, failure, success_score, failure_score, length


@allocating_kernel
def _responses(logit, slope, child, probability, score):
    """Fill the probability and the score along the direction of every response."""
    contexts, vocabulary = logit.shape
    reach = np.ones(contexts)
    scored = np.zeros(contexts)
    weight = np.empty(vocabulary)
    for h in range(contexts):
        top = logit[h].max()
        total = 0.0
        mean = 0.0
        for a in range(vocabulary):
            weight[a] = math.exp(logit[h, a] - top)
            total += weight[a]
            mean += weight[a] * slope[h, a]
        mean /= total
        for a in range(vocabulary):
            k = child[h, a]
            p = reach[h] * weight[a] / total
            x = scored[h] + slope[h, a] - mean
            if k >= 0:
                reach[k] = p
                scored[k] = x
            else:
                probability[-1 - k] = p
                score[-1 - k] = x


@kernel
def _gain(success0, failure0, success, failure):
    """J − J₀ from the smaller of the two rates, whose difference keeps its digits."""
    return success - success0 if success0 < failure0 else failure0 - failure


@allocating_kernel
def _gains(logit, slope, child, depth, right, steps, out):
    reach = np.empty(depth.size)
    score = np.empty(depth.size)
    success0, failure0, _, _, _ = _evaluate(logit, slope, child, depth, right, 0.0, reach, score)
    for i in range(steps.size):
        success, failure, _, _, _ = _evaluate(logit, slope, child, depth, right, steps[i], reach, score)
        out[i] = _gain(success0, failure0, success, failure)


@allocating_kernel
def _longest(logit, slope, child, depth, right, span, points):
    reach = np.empty(depth.size)
    score = np.empty(depth.size)
    longest = 0.0
    for i in range(points + 1):
        found = _evaluate(logit, slope, child, depth, right, span * i / points, reach, score)
        longest = max(longest, found[4])
    return longest


@allocating_kernel
def _critical(logit, slope, child, depth, right, first, last, ratio, precision):
    reach = np.empty(depth.size)
    score = np.empty(depth.size)
    success0, failure0, _, _, _ = _evaluate(logit, slope, child, depth, right, 0.0, reach, score)
    low = 0.0
    rising = True  # the start rises, or the direction is no ascent and the first rung says so
    high = first
    while low < last:
        success, failure, up, down, _ = _evaluate(logit, slope, child, depth, right, high, reach, score)
        gain = _gain(success0, failure0, success, failure)
        climbs = (up if success0 < failure0 else -down) > 0.0
        left, right_end = low, high
        if gain >= 0.0 and climbs and not rising:
            # between two rungs it falls and rises again: look whether the dip in between goes below the start
            while right_end - left > 1e-3 * right_end and gain >= 0.0:
                third = (right_end - left) / 3
                success, failure, _, _, _ = _evaluate(
                    logit, slope, child, depth, right, left + third, reach, score
                )
                gain = _gain(success0, failure0, success, failure)
                if gain < 0.0:
                    high = left + third
                    break
                success, failure, _, _, _ = _evaluate(
                    logit, slope, child, depth, right, right_end - third, reach, score
                )
                other = _gain(success0, failure0, success, failure)
                if other < 0.0:
                    gain = other
                    high = right_end - third
                    break
                if gain < other:
                    right_end -= third
                else:
                    left += third
        if gain < 0.0:
            while high - low > precision * high:
                middle = (low + high) / 2
                success, failure, _, _, _ = _evaluate(logit, slope, child, depth, right, middle, reach, score)
                if _gain(success0, failure0, success, failure) < 0.0:
                    high = middle
                else:
                    low = middle
            return (low + high) / 2
        rising = climbs
        low = high
        high *= ratio
    return math.inf


@dataclass(frozen=True)
class Line:
    """A policy seen along one direction: θ + ηw for all η.

    Attributes
    ----------
    tree : Tree
    logit, slope : ndarray, shape (contexts, vocabulary)
        ⟨θ, φ⟩ and ⟨w, φ⟩ of every token after every context.
    right : ndarray of bool, shape (responses,)
        The verifiable reward r of every response.
    """

    tree: Tree
    logit: np.ndarray
    slope: np.ndarray
    right: np.ndarray

    @property
    def _arguments(self) -> tuple:
        return self.logit, self.slope, self.tree.child, self.tree.depth, self.right

    def at(self, step: float) -> tuple[float, float, float, float]:
        """Success rate, failure rate, gap alignment Δμ (nan where a rate is 0) and mean length at θ + ηw.

        Parameters
        ----------
        step : float
            η.
        """
        scratch = np.empty((2, len(self.logit)))
        success, failure, up, down, length = _evaluate(*self._arguments, float(step), scratch[0], scratch[1])
        alignment = up / success - down / failure if success > 0 and failure > 0 else math.nan
        return success, failure, alignment, length

    @property
    def spread(self) -> float:
        """G_p along the direction: no token's score exceeds the largest range of slopes in a context, at any θ.

        L_p is then its square over 4, the largest variance that such a range allows (docs/theory.md, S1–S2).
        """
        return float((self.slope.max(axis=1) - self.slope.min(axis=1)).max())

    def responses(self) -> tuple[np.ndarray, np.ndarray]:
        """Probability of every response, and its score along the direction, both of shape (responses,)."""
        probability, score = np.empty((2, self.tree.responses))
        _responses(self.logit, self.slope, self.tree.child, probability, score)
        return probability, score

    def gains(self, steps: np.ndarray) -> np.ndarray:
        """J(θ + ηw) − J(θ) at several η, with the relative accuracy of the smaller of J and 1 − J."""
        out = np.empty(len(steps))
        _gains(*self._arguments, np.asarray(steps, float), out)
        return out

    def longest(self, span: float, points: int = 16) -> float:
        """Largest mean length on 0 ≤ η ≤ span, looked for at points + 1 places."""
        return _longest(*self._arguments, float(span), points)

    def critical(self, first: float, last: float, per_decade: float = 10, precision: float = 1e-6) -> float:
        """One-step critical step (docs/theory.md, M2): the smallest η > 0 with J(θ + ηw) < J(θ).

        J along a line rises and falls more than once. A ladder goes up from `first`; where J falls at one rung
        and rises at the next, the dip in between is followed; the first fall is bisected.

        Parameters
        ----------
        first, last : float
            First rung, and where the ladder ends.
        per_decade : float
            Rungs a decade.
        precision : float
            Relative, of the root.

        Returns
        -------
        float
            η*; infinite where J does not fall below its start up to `last`.

        Raises
        ------
        ValueError
            If the first rung is not above 0: the ladder would not climb.
        """
        if not first > 0:
            raise ValueError(f"first: {first} is not allowed; it must be above 0")
        return _critical(
            *self._arguments, float(first), float(last), 10 ** (1 / per_decade), float(precision)
        )


@dataclass(frozen=True)
class Policy:
    """A softmax policy with features that depend on the whole prefix, and a verifiable reward.

    Attributes
    ----------
    tree : Tree
    features : ndarray, shape (contexts, vocabulary, d)
        φ(context, token).
    theta : ndarray, shape (d,)
    right : ndarray of bool, shape (responses,)
        The verifiable reward r of every response.
    """

    tree: Tree
    features: np.ndarray
    theta: np.ndarray
    right: np.ndarray

    def line(self, direction: np.ndarray) -> Line:
        """The policy along a direction, a unit vector of shape (d,)."""
        return Line(self.tree, self.features @ self.theta, self.features @ direction, self.right)

    def gap(self) -> np.ndarray:
        """Gradient gap g, shape (d,)."""
        return np.array([self.line(axis).at(0.0)[2] for axis in np.eye(len(self.theta))])


#: Success and failure rates of random policies are at least this.
LEAST_RATE = 1e-4
#: So flat a direction, Δμ/G_p, is drawn again: the rise that a bound promises would drown in rounding.
LEAST_ALIGNMENT = 1e-3


def draw(
    generator: np.random.Generator, length: int, vocabulary: int, dimension: int
) -> tuple[Policy, np.ndarray]:
    """A random policy and direction, from flat to nearly deterministic, aligned to nearly orthogonal.

    Features blend what belongs to the token with what belongs to the whole prefix. The right responses are the
    first ones in an order of three kinds, at random, along a direction, or outward from a point along it, up to
    a success rate whose log-odds are uniform.

    Parameters
    ----------
    generator : Generator
    length, vocabulary, dimension : int
        Largest length T, tokens V to choose from, and d.

    Returns
    -------
    Policy
    ndarray, shape (d,)
        A unit vector w with Δμ > 0.
    """
    reach = -math.log(LEAST_RATE)
    while True:
        shape = tree(length, vocabulary, bool(generator.random() < 0.5))
        blend, kind, target, level, turn, centre = generator.random(6)
        own = generator.standard_normal((*shape.child.shape, dimension))
        features = blend * own + (1 - blend) * generator.standard_normal((vocabulary, dimension))
        theta, along, aside = generator.standard_normal((3, dimension))
        theta *= 10 ** (3.5 * level - 2)
        every = np.zeros(shape.responses, bool)
        probability, score = (
            Policy(shape, features, theta, every).line(along / np.linalg.norm(along)).responses()
        )
        if kind < 1 / 4:
            key = generator.random(shape.responses)
        elif kind < 1 / 2:
            key = score
        else:
            key = np.abs(score - score[np.searchsorted(np.cumsum(probability), centre) % len(score)])
        order = np.argsort(key, kind="stable")
        success = np.cumsum(probability[order])[:-1]
        failure = np.cumsum(probability[order[::-1]])[-2::-1]
        odds = np.log(np.maximum(success, 1e-300)) - np.log(np.maximum(failure, 1e-300))
        chosen = int(np.argmin(np.abs(odds - reach * (2 * target - 1))))
        if min(success[chosen], failure[chosen]) < LEAST_RATE:
            continue
        right = every.copy()
        right[order[: chosen + 1]] = True
        policy = Policy(shape, features, theta, right)
        gap = policy.gap()
        norm = np.linalg.norm(gap)
        if norm == 0:
            continue
        direction = gap / norm
        aside -= (aside @ direction) * direction
        if dimension > 1:
            cosine = min(1.0, 10 ** (1 - 4 * turn))  # a quarter of the directions are those of the gap
            direction = cosine * direction + math.sqrt(1 - cosine**2) * aside / np.linalg.norm(aside)
            direction /= np.linalg.norm(direction)
        if gap @ direction > LEAST_ALIGNMENT * policy.line(direction).spread:
            return policy, direction
