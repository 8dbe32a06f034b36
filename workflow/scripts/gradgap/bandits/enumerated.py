"""Autoregressive softmax policies small enough that every response is enumerated.

After each prefix, the context, the next token is drawn from a softmax of ⟨θ, φ(context, token)⟩. A step along a
direction w needs of the features just two numbers a token: its logit ⟨θ, φ⟩ and its slope ⟨w, φ⟩. Success and
failure rate are sums of positive terms over all responses, so nothing is estimated and nothing cancels.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from ..numerics.compiler import kernel
from ..numerics.elementary import dot, exp, exp10, log, norm, times
from ..numerics.sampling import normals


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
    """Responses of exactly `length` tokens, or, where the token 0 ends a response, of at most as many.

    Examples
    --------
    >>> tree(3, 2, ending=False).responses, tree(3, 2, ending=True).responses
    (8, 4)
    """
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


def pruned(full: Tree, ends: np.ndarray) -> tuple[Tree, np.ndarray, np.ndarray]:
    """The responses of a tree cut short: a response that reaches a marked context ends there.

    Parameters
    ----------
    full : Tree
    ends : ndarray of bool, shape (contexts,)
        Whether a response ends on reaching this context; that of the root is not looked at.

    Returns
    -------
    Tree
    kept : ndarray of int, shape (contexts left,)
        The contexts of `full` that are left, in their order.
    leaf : ndarray of int, shape (responses, 2)
        Context of `full` and token with which each response ends.

    Examples
    --------
    Two tokens of two, where a first token 0 ends the response:

    >>> full = tree(2, 2, False)
    >>> shape, kept, leaf = pruned(full, full.depth * 0 + np.array([0, 1, 0]) == 1)
    >>> shape.responses, kept.tolist(), leaf.tolist()
    (3, [0, 2], [[0, 0], [2, 0], [2, 1]])
    """
    alive = np.zeros(len(full.child), bool)
    alive[0] = True
    for depth in range(1, int(full.depth.max()) + 1):
        parents = np.flatnonzero((full.depth == depth - 1) & alive)
        children = full.child[parents]
        children = children[children >= 0]
        alive[children] = ~ends[children]
    kept = np.flatnonzero(alive)
    number = np.cumsum(alive) - 1
    child = full.child[kept]
    goes_on = (child >= 0) & alive[np.maximum(child, 0)]
    row, token = np.nonzero(~goes_on)
    short = np.where(goes_on, number[np.maximum(child, 0)], 0)
    short[row, token] = -1 - np.arange(len(row))
    return Tree(short, full.depth[kept], len(row)), kept, np.column_stack([kept[row], token])


@kernel
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
            weight[a] = exp(weight[a] - top)
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


@kernel
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
            weight[a] = exp(logit[h, a] - top)
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


@kernel
def _gains(logit, slope, child, depth, right, steps, out):
    reach = np.empty(depth.size)
    score = np.empty(depth.size)
    success0, failure0, _, _, _ = _evaluate(logit, slope, child, depth, right, 0.0, reach, score)
    for i in range(steps.size):
        success, failure, _, _, _ = _evaluate(logit, slope, child, depth, right, steps[i], reach, score)
        out[i] = _gain(success0, failure0, success, failure)


@kernel
def _longest(logit, slope, child, depth, right, span, points):
    reach = np.empty(depth.size)
    score = np.empty(depth.size)
    longest = 0.0
    for i in range(points + 1):
        found = _evaluate(logit, slope, child, depth, right, span * i / points, reach, score)
        longest = max(longest, found[4])
    return longest


@kernel
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


#: Steps of a march that proves a rise; more are never needed where a proof gives a rise throughout.
_MARCH = 100_000


@kernel
def _march(logit, slope, child, depth, right, span, longest, spread):
    """Up to where J is proved not to fall below its start, at most `span`; see `Line.proved_rise`."""
    reach = np.empty(depth.size)
    score = np.empty(depth.size)
    success0, failure0, up, down, _ = _evaluate(logit, slope, child, depth, right, 0.0, reach, score)
    largest = longest * spread  # no score of a response is larger, at any θ
    at = 0.0
    success, failure, climb = success0, failure0, up if success0 < failure0 else -down
    for _ in range(_MARCH):
        # |d²J/dη²| = |E[r(x² + h)]| = |E[(1−r)(x² + h)]|; a rate grows by a factor e at most within 1/largest
        bend = math.e * min(success, failure) * (largest * largest + largest * spread / 4)
        gain = _gain(success0, failure0, success, failure)
        # the parabola gain + climb h − bend h²/2 lies below the gain; h is where it comes down to 0
        root = math.sqrt(climb * climb + 2.0 * bend * gain)
        step = (climb + root) / bend if climb >= 0.0 else 2.0 * gain / (root - climb)
        step = min(0.999 * step, 1.0 / largest)
        if not step > 1e-9 * span:
            return at
        at += step
        if at >= span:
            return span
        success, failure, up, down, _ = _evaluate(logit, slope, child, depth, right, at, reach, score)
        if _gain(success0, failure0, success, failure) < 0.0:
            return at - step
        climb = up if success0 < failure0 else -down
    return at


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

    def proved_rise(self, span: float) -> float:
        """Largest step on 0 ≤ η ≤ span up to which J is proved, not just seen, never to fall below its start.

        With Δ = T_max G_p, no score of a response is larger than Δ and no Hessian than Δ G_p/4, at any θ. So
        |d²J/dη²| ≤ min(J, 1−J)(Δ² + Δ G_p/4), and within 1/Δ of a point either rate grows by a factor e at the
        most. From the gain and the slope at a point a parabola then bounds the gain from below some way ahead;
        the march goes from the end of one such stretch to the next. It uses none of the lemmas that the bounds
        rest on. A ladder of rungs, as in `critical`, cannot exclude a dip between two of them; this does, up to
        rounding.

        Parameters
        ----------
        span : float
            η > 0.

        Returns
        -------
        float
            `span` itself where the rise is proved on all of it.
        """
        longest = float(self.tree.depth.max()) + 1
        return _march(*self._arguments, float(span), longest, self.spread)

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
        return _critical(*self._arguments, float(first), float(last), exp10(1 / per_decade), float(precision))


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
        return Line(self.tree, self._along(self.theta), self._along(direction), self.right)

    def _along(self, vector: np.ndarray) -> np.ndarray:
        """⟨vector, φ⟩ of every token after every context."""
        out = np.empty(self.features.shape[:-1])
        times(self.features.reshape(-1, len(vector)), vector, out.reshape(-1))
        return out

    def gap(self) -> np.ndarray:
        """Gradient gap g, shape (d,)."""
        return np.array([self.line(axis).at(0.0)[2] for axis in np.eye(len(self.theta))])


#: Success and failure rates of random policies are at least this.
LEAST_RATE = 1e-4
#: So flat a direction, Δμ/G_p, is drawn again: the rise that a bound promises would drown in rounding.
LEAST_ALIGNMENT = 1e-3


def _normals(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers from a stream that starts at bits of the generator."""
    out = np.empty(shape)
    normals(generator.integers(2**64, size=4, dtype=np.uint64), out.reshape(-1))
    return out


@kernel
def _log_odds(success, failure):
    out = np.empty(success.size)
    for i in range(success.size):
        out[i] = log(max(success[i], 1e-300)) - log(max(failure[i], 1e-300))
    return out


@kernel
def entropy(probability):
    """−Σ p log p, in nats.

    Examples
    --------
    >>> bool(abs(entropy(np.full(4, 0.25)) - math.log(4)) < 1e-12)
    True
    """
    found = 0.0
    for i in range(probability.size):
        if probability[i] > 0.0:
            found -= probability[i] * log(probability[i])
    return found


def stopped_walk(
    length: int, vocabulary: int = 2, multiplier: float = 0.6
) -> tuple[Tree, np.ndarray, np.ndarray]:
    """A walk that stops when its luck is best, the worst family known for Proposition 4 (docs/theory.md).

    Tokens are equally likely at θ = 0 and are steps of equally spaced slopes. With V the variance of the steps so
    far and x their sum, V − x² is a martingale, and a response that ends there lowers d²J/dη² by V − x² if it is
    right. The responses end where (V − x²)₊ less a price for every token is best, found by going back from the
    largest length; they are right where V > x².

    Parameters
    ----------
    length, vocabulary : int
        Largest length T and number of tokens, 2 or more.
    multiplier : float
        The price of a token, in units of the largest variance of a token, 1/4 for slopes that range over 1. The
        ratio of critical step to bound is least where the price is 2 over that ratio: 3/5 for three tokens.

    Returns
    -------
    Tree
    slope : ndarray, shape (vocabulary,)
        From −½ to ½.
    right : ndarray of bool, shape (responses,)

    Examples
    --------
    >>> shape, slope, right = stopped_walk(3)
    >>> shape.responses, int(right.sum()), slope.tolist()  # 01 and 10 end; mixed digits are right
    (6, 4, [-0.5, 0.5])
    """
    full = tree(length, vocabulary, False)
    slope = np.linspace(-0.5, 0.5, vocabulary)
    variance = float(dot(slope, slope)) / vocabulary
    levels = [np.flatnonzero(full.depth == depth) for depth in range(length)]  # all at one depth together
    place = np.zeros(len(full.child))
    for here in levels[:-1]:
        place[full.child[here]] = place[here, None] + slope
    price = multiplier / 4
    ending = np.maximum(full.depth * variance - place * place, 0.0)
    value = ending - price * full.depth
    stops = np.zeros(len(full.child), bool)
    for here in reversed(levels):
        row = full.child[here]
        end = place[here, None] + slope
        last = np.maximum(length * variance - end * end, 0.0) - price * length
        after = np.where(row < 0, last, value[np.maximum(row, 0)])
        going_on = np.zeros(len(here))
        for token in range(vocabulary):
            going_on += after[:, token]
        going_on /= vocabulary
        # at equal value it goes on: two of two prices do not differ by a rounding
        stops[here] = (here > 0) & (value[here] > going_on + 1e-12)
        value[here] = np.where(stops[here], value[here], going_on)
    shape, _, leaf = pruned(full, stops)
    tokens = full.depth[leaf[:, 0]] + 1
    end = place[leaf[:, 0]] + slope[leaf[:, 1]]
    right = tokens * variance > end * end + 1e-12
    return shape, slope, right


def _drawn_walk(
    generator: np.random.Generator, length: int, vocabulary: int, dimension: int
) -> tuple[Policy, np.ndarray] | None:
    """A stopped walk a little off its best θ, at times with features blurred; None where it is not fit to use."""
    shape, slope, right = stopped_walk(length, vocabulary, generator.uniform(0.3, 1.0))
    axis = _normals(generator, (dimension,))
    axis /= norm(axis)
    blur = 0.0 if generator.random() < 0.5 else exp10(generator.uniform(-3, -0.5))
    noise = _normals(generator, (*shape.child.shape, dimension))
    features = slope[None, :, None] * axis + blur * noise
    theta = -exp10(generator.uniform(-2, 0.5)) * axis
    if right.all() or not right.any():
        return None
    policy = Policy(shape, features, theta, right)
    line = policy.line(axis)
    success, failure, alignment, _ = line.at(0.0)
    if min(success, failure) < LEAST_RATE or not alignment > LEAST_ALIGNMENT * line.spread:
        return None
    return policy, axis


def draw(
    generator: np.random.Generator, length: int, vocabulary: int, dimension: int, *, walks: bool = True
) -> tuple[Policy, np.ndarray]:
    """A random policy and direction, from flat to nearly deterministic, aligned to nearly orthogonal.

    Features blend what belongs to the token with what belongs to the whole prefix. The right responses are the
    first ones in an order of three kinds, at random, along a direction, or outward from a point along it, up to
    a success rate whose log-odds are uniform. Responses all have the largest length, or end with a token 0, or end
    after prefixes that are drawn; one policy in eight is a stopped walk (`stopped_walk`) near its best θ.

    Parameters
    ----------
    generator : Generator
    length, vocabulary, dimension : int
        Largest length T, tokens V to choose from, and d.
    walks : bool
        Whether stopped walks are among what is drawn.

    Returns
    -------
    Policy
    ndarray, shape (d,)
        A unit vector w with Δμ > 0.

    Examples
    --------
    >>> policy, direction = draw(np.random.default_rng(0), 3, 2, 2)
    >>> success, failure, alignment, length = policy.line(direction).at(0.0)
    >>> alignment > 0, bool(abs(success + failure - 1) < 1e-12)
    (True, True)
    """
    reach = -log(LEAST_RATE)
    while True:
        way = generator.random()
        if way < 1 / 8:
            walk = _drawn_walk(generator, length, vocabulary, dimension) if walks else None
            if walk is not None:
                return walk
            continue
        shape = tree(length, vocabulary, bool(way < 3 / 8))
        if way > 3 / 4:
            often = generator.random()
            shape = pruned(shape, generator.random(len(shape.child)) < often)[0]
        blend, kind, target, level, turn, centre = generator.random(6)
        own = _normals(generator, (*shape.child.shape, dimension))
        features = blend * own + (1 - blend) * _normals(generator, (vocabulary, dimension))
        theta, along, aside = _normals(generator, (3, dimension))
        theta *= exp10(3.5 * level - 2)
        every = np.zeros(shape.responses, bool)
        probability, score = Policy(shape, features, theta, every).line(along / norm(along)).responses()
        if kind < 1 / 4:
            key = generator.random(shape.responses)
        elif kind < 1 / 2:
            key = score
        else:
            key = np.abs(score - score[np.searchsorted(np.cumsum(probability), centre) % len(score)])
        order = np.argsort(key, kind="stable")
        success = np.cumsum(probability[order])[:-1]
        failure = np.cumsum(probability[order[::-1]])[-2::-1]
        odds = _log_odds(success, failure)
        chosen = int(np.argmin(np.abs(odds - reach * (2 * target - 1))))
        if min(success[chosen], failure[chosen]) < LEAST_RATE:
            continue
        right = every.copy()
        right[order[: chosen + 1]] = True
        policy = Policy(shape, features, theta, right)
        gap = policy.gap()
        size = norm(gap)
        if size == 0:
            continue
        direction = gap / size
        aside -= dot(aside, direction) * direction
        if dimension > 1:
            cosine = min(1.0, exp10(1 - 4 * turn))  # a quarter of the directions are those of the gap
            direction = cosine * direction + math.sqrt(1 - cosine * cosine) * aside / norm(aside)
            direction /= norm(direction)
        if dot(gap, direction) > LEAST_ALIGNMENT * policy.line(direction).spread:
            return policy, direction
