"""A search for the policy, direction and rewards for which a bound is closest to being wrong.

The bounds depend on the policy and direction through the logit and the slope of every token, so the search varies
these. All contexts share them, or all contexts of the same depth, or none do; this decides the number of variables.
It also varies where responses end, and which are right. The optimiser is Powell's in SciPy, and the last bits of what
it finds depend on the libraries of the machine.
"""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from ..bandits.enumerated import LEAST_ALIGNMENT, LEAST_RATE, Line, Tree, draw, pruned, tree
from ..numerics.elementary import each, exp, log, total
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from .bound_audit import BOUNDS, FURTHEST, audit, bounds_of, generator_at

#: End of the description of every variable that the optimiser finds.
_HOST = "SciPy's optimiser (Powell) finds it, whose last bits may depend on the libraries of the host."
VARIABLES = {
    "attack_start": Variable(
        "ratio at the start", "1", "Least ratio of one-step critical step to bound among the random starts."
    ),
    "attack_ratio": Variable(
        "ratio found", "1", f"Least ratio of one-step critical step to bound that the search reached. {_HOST}"
    ),
    "attack_kept": Variable("gain over promise", "1", f"As policy_kept, for the policy found. {_HOST}"),
    "attack_success_rate": Variable("success rate", "1", f"J of the policy found. {_HOST}"),
    "attack_failure_rate": Variable("failure rate", "1", f"1 − J of the policy found. {_HOST}"),
    "attack_mean_length": Variable("mean response length", "tokens", f"E|o| of the policy found. {_HOST}"),
    "attack_responses": Variable(
        "responses", "1", f"Number of responses of the policy found. {_HOST}", integer=True
    ),
}
#: Pairs of largest length and vocabulary. A search draws one of them.
SHAPES = ((1, 3), (2, 2), (2, 3), (3, 2), (4, 2), (5, 2), (6, 2))
#: The search starts from the worst of STARTS random policies. It has ROUNDS rounds of optimising and of single
#: changes.
STARTS, ROUNDS = 100, 3
#: Stands for a ratio that is infinite or undefined, or that rounding would make meaningless.
_NONE = 1e9


def cost(settings: Settings) -> float:
    """Seconds for a search: about 40 µs for each policy that is tried."""
    return 4e-5 * (STARTS + ROUNDS * settings["attack_evaluations"])


def ratio(line: Line, name: str) -> float:
    """One-step critical step over a bound; a large number if there is none, or if the audit excludes the policy."""
    spread = line.spread
    if not 1e-6 < spread < 1e6:
        return _NONE
    success, failure, alignment, _, bounds = bounds_of(line)
    if min(success, failure) < LEAST_RATE or not alignment > LEAST_ALIGNMENT * spread:
        return _NONE
    bound = float(bounds[BOUNDS.index(name)])
    if math.isnan(bound):  # outside the condition of the proposition
        return _NONE
    found = line.critical_step(bound / 8, FURTHEST / spread) / bound
    return found if math.isfinite(found) else _NONE


@functools.lru_cache(maxsize=64)
def _cut(length: int, vocabulary: int, ends: bytes) -> tuple[Tree, np.ndarray, np.ndarray]:
    """`pruned` of the full tree. It is cached, because the optimiser varies everything but the ends of responses."""
    return pruned(tree(length, vocabulary, False), np.frombuffer(ends, bool))


@dataclass(frozen=True)
class _Candidate:
    """A policy in a form that is easy to vary: a full tree, with marks where responses end, and all possible rewards.

    Attributes
    ----------
    shape : Tree
        The full tree, in which all responses have the largest length.
    logit, slope : ndarray, shape (contexts, vocabulary)
    ends : ndarray of bool, shape (contexts,)
        Whether a response ends when it reaches the context.
    right : ndarray of bool, shape (contexts, vocabulary)
        Reward of a response that ends with this token in this context.
    """

    shape: Tree
    logit: np.ndarray
    slope: np.ndarray
    ends: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, line: Line, length: int) -> "_Candidate":
        """Make a candidate from a policy of at most `length` tokens. Contexts that it lacks are like the first."""
        shape = tree(length, line.logit.shape[1], False)
        logit = np.tile(line.logit[0], (len(shape.child), 1))
        slope = np.tile(line.slope[0], (len(shape.child), 1))
        ends = np.ones(len(shape.child), bool)
        right = np.zeros(shape.child.shape, bool)
        place = np.zeros(len(line.tree.child), int)
        for context, row in enumerate(line.tree.child):
            here = place[context]
            logit[here], slope[here], ends[here] = line.logit[context], line.slope[context], False
            for token, child in enumerate(row):
                if child >= 0:
                    place[child] = shape.child[here, token]
                else:
                    right[here, token] = line.right[-1 - child]
        return cls(shape, logit, slope, ends, right)

    def line(self) -> Line:
        """The policy of the candidate."""
        shape, kept, leaf = _cut(self.shape.longest, self.right.shape[1], self.ends.tobytes())
        return Line(shape, self.logit[kept], self.slope[kept], self.right[leaf[:, 0], leaf[:, 1]])

    def tied(self, group: np.ndarray, first: np.ndarray, values: np.ndarray | None = None) -> "_Candidate":
        """The candidate with the same logits and slopes in all contexts of a group.

        They are the given values, or else those of the first context of the group.
        """
        if values is None:
            values = np.stack([self.logit[first], self.slope[first]])
        logit, slope = values.reshape(2, len(first), -1)
        return _Candidate(self.shape, logit[group], slope[group], self.ends, self.right)

    def neighbours(self, generator: np.random.Generator, most: int) -> list[tuple[int, int]]:
        """Changes for `changed`, in random order and at most `most`: a context, and what to change there."""
        contexts, vocabulary = self.right.shape
        chosen = generator.permutation(contexts * (vocabulary + 2))[:most]
        return [divmod(int(choice), vocabulary + 2) for choice in chosen]

    def changed(self, context: int, what: int) -> "_Candidate":
        """The candidate after one change: of the reward of a token if `what` is one, and else of the ends there."""
        vocabulary = self.right.shape[1]
        if what < vocabulary:
            return self.with_reward((context, what))
        return self.with_end(context, what == vocabulary) if context > 0 else self

    def with_reward(self, at: tuple[int, int]) -> "_Candidate":
        """The candidate with the other reward for responses that end with this token in this context."""
        right = self.right.copy()
        right[at] ^= True
        return replace(self, right=right)

    def with_end(self, context: int, value: bool) -> "_Candidate":
        """The candidate in which responses end at a context if they went on there, and go on if they ended there.

        If they now end, `value` is their reward. If they now go on and `value` is true, those are right for which
        this increases the curvature (`enumerated.stopped_walk`); otherwise rewards stay as they are.
        """
        ends, right = self.ends.copy(), self.right.copy()
        ends[context] ^= True
        if ends[context]:
            right[self.shape.child == context] = value
        elif value:
            weight = each(exp, self.logit - self.logit.max(axis=1, keepdims=True))
            weight /= np.array([total(row) for row in weight])[:, None]
            steps = self.slope - np.array([total(row) for row in weight * self.slope])[:, None]
            clock = np.array([total(row) for row in weight * steps * steps])
            place, passed = np.zeros(len(ends)), np.zeros(len(ends))
            for parent, row in enumerate(self.shape.child):
                for token, child in enumerate(row):
                    if child >= 0:
                        place[child] = place[parent] + steps[parent, token]
                        passed[child] = passed[parent] + clock[parent]
            where = place[context] + steps[context]
            right[context] = passed[context] + clock[context] > where * where
        return replace(self, ends=ends, right=right)


def _worst_start(
    generator: np.random.Generator, name: str
) -> tuple[float, _Candidate, np.ndarray, np.ndarray]:
    """Draw `STARTS` random policies of one shape, and take the one with the smallest ratio.

    Returns
    -------
    float
        The ratio.
    _Candidate
    ndarray of int, shape (contexts,)
        The group of every context. Contexts of a group share their logits and slopes.
    ndarray of int, shape (groups,)
        The first context of every group.
    """
    length, vocabulary = SHAPES[generator.integers(len(SHAPES))]
    sharing = generator.integers(3)
    depth = tree(length, vocabulary, False).depth
    group = (np.zeros_like(depth), depth, np.arange(len(depth)))[sharing]
    first = np.unique(group, return_index=True)[1]
    # stopped walks are minima: the best start for some bounds, and a trap for others, so only half of the searches
    # draw them
    walks = bool(generator.integers(2))
    starts = []
    for number in range(STARTS):
        dimension = int(generator.integers(1, 3))
        policy, direction = draw(generator, length, vocabulary, dimension, walks=walks)
        tied = _Candidate.of(policy.line(direction), length).tied(group, first)
        starts.append((ratio(tied.line(), name), number, tied))
    start, _, candidate = min(starts, key=lambda found: found[:2])
    return start, candidate, group, first


def search(generator: np.random.Generator, name: str, evaluations: int) -> tuple[float, Line]:
    """Search for the policy with the smallest ratio of one-step critical step to a bound.

    Parameters
    ----------
    generator : Generator
    name : str
        One of `BOUNDS`.
    evaluations : int
        Policies that the optimiser tries in each of `ROUNDS` rounds.

    Returns
    -------
    float
        Ratio of the random policy from which the search started.
    Line
        The policy with the smallest ratio.
    """
    from scipy.optimize import minimize  # slow to import, and most jobs never search

    start = _NONE
    # some shapes have no policy that meets the condition of the bound and has a critical step
    while start == _NONE:
        start, here, group, first = _worst_start(generator, name)
    best = start

    for _ in range(ROUNDS):

        def at(x: np.ndarray, here: _Candidate = here) -> _Candidate:
            return here.tied(group, first, x)

        found = minimize(
            lambda x: log(ratio(at(x).line(), name)),
            np.concatenate([here.logit[first].ravel(), here.slope[first].ravel()]),
            method="Powell",
            options={"maxfev": evaluations, "xtol": 1e-4, "ftol": 1e-7},
        )
        if exp(found.fun) < best:
            best, here = exp(found.fun), at(found.x)
        for context, what in here.neighbours(generator, evaluations // 4):
            changed = here.changed(context, what)
            value = ratio(changed.line(), name)
            if value < best:
                best, here = value, changed
    return start, here.line()


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one search for the worst policy for one bound."""
    generator = generator_at(settings["seed"], {"measurement": "bound_attack", **point})
    start, line = search(generator, point["bound"], settings["attack_evaluations"])
    found = audit(line)
    place = BOUNDS.index(point["bound"])
    return {
        "attack_start": start,
        "attack_ratio": found.ratio[place],
        "attack_kept": found.kept[place],
        "attack_success_rate": found.success_rate,
        "attack_failure_rate": found.failure_rate,
        "attack_mean_length": found.mean_length,
        "attack_responses": line.tree.responses,
    }


MEASUREMENTS.add("bound_attack")(
    Measurement(VARIABLES, compute, settings=("attack_evaluations",), random=True, cost=cost)
)
