"""Autoregressive softmax policies that are so small that all their responses can be enumerated.

A response is written token by token. The tokens so far are the context, and the next token is drawn from a softmax of
⟨θ, φ(context, token)⟩. For steps along one direction w, two numbers per token are enough: its logit ⟨θ, φ⟩ and its
slope ⟨w, φ⟩. The success rate and the failure rate are sums of positive terms over all responses. So nothing is
estimated, and no digits are lost in differences.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from ..numerics.compiler import kernel, part
from ..numerics.elementary import dot, exp, exp10, log, norm, times
from ..numerics.sampling import normals


@dataclass(frozen=True)
class Tree:
    """All responses of a policy, as a tree of contexts. A context is numbered before the contexts that it leads to.

    Attributes
    ----------
    child : ndarray of int, shape (contexts, vocabulary)
        The context that each token leads to. If the token ends response i instead, the entry is −1 − i.
    depth : ndarray of int, shape (contexts,)
        Number of tokens in each context.
    responses : int
        Number of responses.

    Examples
    --------
    Two tokens, each 0 or 1. After the empty context 0 come the contexts 1 and 2, and then the four responses:

    >>> two = tree(2, 2, ending=False)
    >>> two.child.tolist(), two.depth.tolist(), two.responses
    ([[1, 2], [-1, -2], [-3, -4]], [0, 1, 1], 4)
    """

    child: np.ndarray
    depth: np.ndarray
    responses: int

    @functools.cached_property
    def longest(self) -> int:
        """Number of tokens of the longest response."""
        return int(self.depth.max()) + 1


@functools.cache
def tree(length: int, vocabulary: int, ending: bool) -> Tree:
    """The tree of all responses of one length, or of all responses up to that length.

    Parameters
    ----------
    length : int
        Number of tokens of a response, or the largest number with `ending`.
    vocabulary : int
        Number of tokens to choose from.
    ending : bool
        Whether the token 0 ends a response.

    Returns
    -------
    Tree

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
    """Cut a tree short: a response that reaches a marked context ends there.

    Parameters
    ----------
    full : Tree
    ends : ndarray of bool, shape (contexts,)
        Whether a response ends when it reaches the context. The entry of the empty context is ignored.

    Returns
    -------
    Tree
        The shorter tree.
    kept : ndarray of int, shape (contexts left,)
        The contexts of `full` that are left, in the same order.
    leaf : ndarray of int, shape (responses, 2)
        For each response the last context, numbered as in `full`, and the last token.

    Examples
    --------
    Responses of two tokens, each 0 or 1. If the first token is 0, the response ends:

    >>> full = tree(2, 2, False)
    >>> shape, kept, leaf = pruned(full, full.depth * 0 + np.array([0, 1, 0]) == 1)
    >>> shape.responses, kept.tolist(), leaf.tolist()
    (3, [0, 2], [[0, 0], [2, 0], [2, 1]])
    """
    alive = np.zeros(len(full.child), bool)
    alive[0] = True
    for depth in range(1, full.longest):
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
def _scratch(logit):
    """Scratch arrays for `_evaluate`: one number per token, and two per context."""
    contexts = logit.shape[0]
    return np.empty(logit.shape), np.empty(contexts), np.empty(contexts)


@kernel
def _evaluate(logit, slope, child, depth, right, step, scratch):
    """The rates, the sums of scores, and the mean length at one step along a line, for `Line.at`.

    Exponentials have a loop of their own, which the compiler turns into vector instructions.
    """
    contexts, vocabulary = logit.shape
    weight, reach, score = scratch
    for h in range(contexts):
        top = -math.inf
        for a in range(vocabulary):
            weight[h, a] = logit[h, a] + step * slope[h, a]
            top = max(top, weight[h, a])
        for a in range(vocabulary):
            weight[h, a] -= top
    weights = part(weight, 0, (weight.size,))
    for i in range(weights.size):
        weights[i] = exp(weights[i])
    reach[0] = 1.0
    score[0] = 0.0
    success = 0.0
    failure = 0.0
    success_score = 0.0
    failure_score = 0.0
    length = 0.0
    for h in range(contexts):
        total = 0.0
        mean = 0.0
        for a in range(vocabulary):
            total += weight[h, a]
            mean += weight[h, a] * slope[h, a]
        mean /= total
        for a in range(vocabulary):
            p = reach[h] * weight[h, a] / total
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
def _spread(slope):
    contexts, vocabulary = slope.shape
    widest = 0.0
    for h in range(contexts):
        low = high = slope[h, 0]
        for a in range(1, vocabulary):
            low = min(low, slope[h, a])
            high = max(high, slope[h, a])
        widest = max(widest, high - low)
    return widest


@kernel
def _at(logit, slope, child, depth, right, step):
    return _evaluate(logit, slope, child, depth, right, step, _scratch(logit))


@kernel
def _responses(logit, slope, child, probability, score):
    """Write the probability of every response, and its score along the direction, into two arrays."""
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
    """J − J₀, computed from the smaller of success and failure rate, so that its digits do not cancel."""
    return success - success0 if success0 < failure0 else failure0 - failure


@kernel
def _gains(logit, slope, child, depth, right, steps, out):
    scratch = _scratch(logit)
    success0, failure0, _, _, _ = _evaluate(logit, slope, child, depth, right, 0.0, scratch)
    for i in range(steps.size):
        success, failure, _, _, _ = _evaluate(logit, slope, child, depth, right, steps[i], scratch)
        out[i] = _gain(success0, failure0, success, failure)


@kernel
def _longest(logit, slope, child, depth, right, span, points):
    scratch = _scratch(logit)
    longest = 0.0
    for i in range(points + 1):
        found = _evaluate(logit, slope, child, depth, right, span * i / points, scratch)
        longest = max(longest, found[4])
    return longest


@kernel
def _critical(logit, slope, child, depth, right, first, last, ratio, precision):
    scratch = _scratch(logit)
    success0, failure0, _, _, _ = _evaluate(logit, slope, child, depth, right, 0.0, scratch)
    low = 0.0
    rising = True  # if J falls from the start on, the first rung already shows a loss
    high = first
    while low < last:
        success, failure, up, down, _ = _evaluate(logit, slope, child, depth, right, high, scratch)
        gain = _gain(success0, failure0, success, failure)
        climbs = (up if success0 < failure0 else -down) > 0.0
        left, right_end = low, high
        if gain >= 0.0 and climbs and not rising:
            # J fell at the last rung and rises at this one: does the dip in between go below the start?
            while right_end - left > 1e-3 * right_end and gain >= 0.0:
                third = (right_end - left) / 3
                success, failure, _, _, _ = _evaluate(
                    logit, slope, child, depth, right, left + third, scratch
                )
                gain = _gain(success0, failure0, success, failure)
                if gain < 0.0:
                    high = left + third
                    break
                success, failure, _, _, _ = _evaluate(
                    logit, slope, child, depth, right, right_end - third, scratch
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
                success, failure, _, _, _ = _evaluate(logit, slope, child, depth, right, middle, scratch)
                if _gain(success0, failure0, success, failure) < 0.0:
                    high = middle
                else:
                    low = middle
            return (low + high) / 2
        rising = climbs
        low = high
        high *= ratio
    return math.inf


#: Most steps of the march that proves a rise. It needs fewer wherever a proved bound promises a rise.
_MARCH = 100_000


@kernel
def _march(logit, slope, child, depth, right, span, longest, spread):
    """The step up to which J is proved not to fall below its start, for `Line.proved_rise`."""
    scratch = _scratch(logit)
    success0, failure0, up, down, _ = _evaluate(logit, slope, child, depth, right, 0.0, scratch)
    largest = longest * spread  # the score of a response never exceeds this, at any θ
    at = 0.0
    success, failure, climb = success0, failure0, up if success0 < failure0 else -down
    for _ in range(_MARCH):
        # |d²J/dη²| = |E[r(x² + h)]| = |E[(1−r)(x² + h)]|; within 1/largest, a rate grows by at most a factor e
        bend = math.e * min(success, failure) * (largest * largest + largest * spread / 4)
        gain = _gain(success0, failure0, success, failure)
        # the gain lies above the parabola gain + climb h − bend h²/2; the step goes to where the parabola is 0
        root = math.sqrt(climb * climb + 2.0 * bend * gain)
        step = (climb + root) / bend if climb >= 0.0 else 2.0 * gain / (root - climb)
        step = min(0.999 * step, 1.0 / largest)
        if not step > 1e-9 * span:
            return at
        at += step
        if at >= span:
            return span
        success, failure, up, down, _ = _evaluate(logit, slope, child, depth, right, at, scratch)
        if _gain(success0, failure0, success, failure) < 0.0:
            return at - step
        climb = up if success0 < failure0 else -down
    return at


@dataclass(frozen=True)
class Line:
    """A policy along one direction w: everything about θ + ηw, for any step size η.

    Attributes
    ----------
    tree : Tree
    logit, slope : ndarray, shape (contexts, vocabulary)
        ⟨θ, φ⟩ and ⟨w, φ⟩ of every token in every context.
    right : ndarray of bool, shape (responses,)
        The verifiable reward r of every response.

    Examples
    --------
    Two responses of one token. At θ = 0 they are equally likely, and a step of log 3 makes the right one three times
    as likely as the wrong one:

    >>> shape = tree(1, 2, ending=False)
    >>> line = Line(shape, np.zeros((1, 2)), np.array([[0.0, 1.0]]), np.array([False, True]))
    >>> [round(value, 6) for value in line.at(math.log(3))]
    [0.75, 0.25, 1.0, 1.0]
    """

    tree: Tree
    logit: np.ndarray
    slope: np.ndarray
    right: np.ndarray

    @property
    def _arguments(self) -> tuple:
        return self.logit, self.slope, self.tree.child, self.tree.depth, self.right

    def at(self, step: float) -> tuple[float, float, float, float]:
        """The policy after a step: its rates, its gap alignment and its mean length.

        Parameters
        ----------
        step : float
            Step size η.

        Returns
        -------
        success, failure : float
            J and 1 − J at θ + ηw.
        alignment : float
            Gap alignment Δμ of w there: mean score of right responses less that of wrong ones, along w. nan if one of
            the rates is 0.
        length : float
            Mean number of tokens.
        """
        success, failure, up, down, length = _at(*self._arguments, float(step))
        alignment = up / success - down / failure if success > 0 and failure > 0 else math.nan
        return success, failure, alignment, length

    @functools.cached_property
    def spread(self) -> float:
        """Bound G_p on the score of a token along the direction, at any θ (docs/theory.md, S1–S2).

        It is the largest range of slopes in a context. The bound L_p on the curvature is then G_p²/4, the largest
        variance that such a range allows.
        """
        return _spread(self.slope)

    def responses(self) -> tuple[np.ndarray, np.ndarray]:
        """Probability and score of every response at θ.

        Returns
        -------
        probability, score : ndarray, shape (responses,)
            The score is the derivative of the log-probability along the direction.
        """
        probability, score = np.empty((2, self.tree.responses))
        _responses(self.logit, self.slope, self.tree.child, probability, score)
        return probability, score

    def gains(self, steps: np.ndarray) -> np.ndarray:
        """Gains J(θ + ηw) − J(θ) at several steps, without cancellation near J = 0 and J = 1.

        Parameters
        ----------
        steps : array_like
            Step sizes η.

        Returns
        -------
        ndarray
            As accurate as the smaller of J and 1 − J: each is computed directly.
        """
        out = np.empty(len(steps))
        _gains(*self._arguments, np.asarray(steps, float), out)
        return out

    def longest(self, span: float, points: int = 16) -> float:
        """Largest mean length among points + 1 equally spaced steps from 0 to `span`."""
        return _longest(*self._arguments, float(span), points)

    def proved_rise(self, span: float) -> float:
        """Largest step up to which J provably never falls below its start (docs/theory.md, M2).

        `critical_step` looks at a ladder of steps and could miss a dip between two of them. This function excludes
        dips, up to rounding, and uses none of the lemmas behind the bounds.

        With Δ = T_max G_p, the score of a response is at most Δ and its Hessian at most Δ G_p/4, at any θ. So
        |d²J/dη²| ≤ min(J, 1−J)(Δ² + Δ G_p/4), and within a distance of 1/Δ each rate grows by at most a factor e.
        From the gain and the slope at one point, this gives a parabola that lies below the gain. J cannot fall below
        its start until the parabola reaches 0. The march steps there, and begins again.

        Parameters
        ----------
        span : float
            Where the march ends; a step size η above 0.

        Returns
        -------
        float
            `span` if the rise is proved up to there.
        """
        longest = float(self.tree.longest)
        return _march(*self._arguments, float(span), longest, self.spread)

    def critical_step(
        self, first: float, last: float, per_decade: float = 10, precision: float = 1e-6
    ) -> float:
        """One-step critical step η*: the smallest η > 0 with J(θ + ηw) < J(θ) (docs/theory.md, M2).

        J can rise and fall more than once along a line. So the search goes up a ladder of steps. If J falls at one
        rung and rises at the next, it also looks into the dip between them. The first loss found is bisected.

        Parameters
        ----------
        first, last : float
            The lowest and the highest step of the ladder.
        per_decade : float
            Rungs per decade.
        precision : float
            Relative precision of η*.

        Returns
        -------
        float
            η*; infinite if J does not fall below its start up to `last`.

        Raises
        ------
        ValueError
            If `first` is not above 0, because a ladder from there would not climb.

        Examples
        --------
        Two tokens, each 1 with probability p = 1/(1 + e^(−θ)), and only the response 01 is right. So J = p(1 − p),
        which is even in θ. A start at θ = −1 reaches the same J again at θ = 1, after a step of 2:

        >>> shape = tree(2, 2, ending=False)
        >>> slope = np.tile([0.0, 1.0], (3, 1))
        >>> line = Line(shape, -slope, slope, np.array([False, True, False, False]))
        >>> round(line.critical_step(0.01, 100.0), 5)
        2.0
        """
        if not first > 0:
            raise ValueError(f"first: {first} is not allowed; it must be above 0")
        return _critical(*self._arguments, float(first), float(last), exp10(1 / per_decade), float(precision))


@dataclass(frozen=True)
class Policy:
    """A softmax policy whose features depend on all tokens so far, together with a verifiable reward.

    Attributes
    ----------
    tree : Tree
    features : ndarray, shape (contexts, vocabulary, d)
        φ(context, token).
    theta : ndarray, shape (d,)
        Parameters θ.
    right : ndarray of bool, shape (responses,)
        The verifiable reward r of every response.

    Examples
    --------
    >>> features = np.array([[[0.0], [1.0]]])
    >>> policy = Policy(tree(1, 2, ending=False), features, np.zeros(1), np.array([False, True]))
    >>> policy.gap().tolist()
    [1.0]
    """

    tree: Tree
    features: np.ndarray
    theta: np.ndarray
    right: np.ndarray

    def line(self, direction: np.ndarray) -> Line:
        """The policy along a direction.

        Parameters
        ----------
        direction : ndarray, shape (d,)
            A unit vector w.
        """
        return Line(self.tree, self._along(self.theta), self._along(direction), self.right)

    def _along(self, vector: np.ndarray) -> np.ndarray:
        """⟨vector, φ⟩ of every token after every context."""
        out = np.empty(self.features.shape[:-1])
        times(self.features.reshape(-1, len(vector)), vector, out.reshape(-1))
        return out

    def gap(self) -> np.ndarray:
        """Gradient gap g: mean score of right responses less that of wrong ones, shape (d,)."""
        return np.array([self.line(axis).at(0.0)[2] for axis in np.eye(len(self.theta))])


#: Success and failure rates of random policies are at least this.
LEAST_RATE = 1e-4
#: A direction with a smaller Δμ/G_p is drawn again. The rise that a bound promises there would be lost in rounding.
LEAST_ALIGNMENT = 1e-3


def _normals(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers that are the same on every machine; the generator only gives the seed."""
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
    """Entropy of a distribution, −Σ p log p, in nats.

    Parameters
    ----------
    probability : ndarray, shape (responses,)

    Examples
    --------
    Of four equally likely responses it is log 4:

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
    """A random walk that stops at the best moment: the worst policy known for Proposition 4 (docs/theory.md).

    At θ = 0 all tokens are equally likely. Each token is a step of the walk, and the steps are equally spaced. Write
    x for the sum of the steps so far and V for its variance. A response that ends there and is right lowers d²J/dη²
    by V − x², which is a martingale. A response is right if V > x². The walk stops so as to make the mean of
    (V − x²)₊, less a price for every token, as large as possible. When to stop is found by going back from the
    largest length.

    Parameters
    ----------
    length, vocabulary : int
        Largest length T, and number of tokens to choose from, 2 or more.
    multiplier : float
        Price of a token, in units of the largest variance of a token: 1/4 for slopes that range over 1. The ratio of
        one-step critical step to bound is smallest if the price is 2 over that ratio, which is 3/5 for three tokens.

    Returns
    -------
    Tree
    slope : ndarray, shape (vocabulary,)
        The steps, from −½ to ½.
    right : ndarray of bool, shape (responses,)

    Examples
    --------
    The responses 01 and 10 end early, and those with both tokens are right:

    >>> shape, slope, right = stopped_walk(3)
    >>> shape.responses, int(right.sum()), slope.tolist()
    (6, 4, [-0.5, 0.5])
    """
    full = tree(length, vocabulary, False)
    slope = np.linspace(-0.5, 0.5, vocabulary)
    variance = float(dot(slope, slope)) / vocabulary
    levels = [np.flatnonzero(full.depth == depth) for depth in range(length)]  # the contexts of each depth
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
        # if both values are equal, the walk goes on; the small number keeps rounding from deciding it
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
    """A stopped walk near its best θ, half of the time with noise on its features. None if it cannot be used."""
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
    """A random policy and direction, to try a bound on (docs/theory.md).

    Policies range from flat to nearly deterministic, and directions from along the gradient gap to nearly orthogonal
    to it. Features mix a part that depends on the token alone with a part that depends on all tokens so far. To
    choose the right responses, all are put in an order: at random, by their score along a direction, or by the
    distance of that score from a point. The first ones are right, as many as give a success rate whose log-odds are
    uniform.
    Responses all have the largest length, or end with a token 0, or end in contexts that are drawn. One policy in
    eight is a stopped walk near its best θ (`stopped_walk`).

    Parameters
    ----------
    generator : Generator
    length, vocabulary, dimension : int
        Largest length T, number of tokens V to choose from, and number of parameters d.
    walks : bool
        Whether to draw stopped walks as well.

    Returns
    -------
    Policy
    direction : ndarray, shape (d,)
        A unit vector w with gap alignment Δμ > 0.

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
