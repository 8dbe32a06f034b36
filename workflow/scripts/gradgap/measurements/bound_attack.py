"""A search that tries to break each bound: an optimiser over features, θ, direction and reward.

Of a policy and a direction only the logit and the slope of every token enter, so these are what is varied. Tokens
share them over all contexts, over contexts of one depth, or not at all, which sets how many there are.
"""

import math

import numpy as np
from scipy.optimize import minimize

from ..bandits.enumerated import LEAST_ALIGNMENT, LEAST_RATE, Line, draw
from . import Axes, Progress, Settings, Variable, empty, product
from .bound_audit import BOUNDS, FURTHEST, audit, bounds_of, stream

VARIABLES = {
    "attack_start": Variable(
        "ratio at the start", "1", "Least critical step over bound among the random starts."
    ),
    "attack_ratio": Variable("ratio found", "1", "Least critical step over bound that the search reached."),
    "attack_kept": Variable("gain over promise", "1", "As policy_kept, for the policy found."),
    "attack_success_rate": Variable("success rate", "1", "J of the policy found."),
    "attack_failure_rate": Variable("failure rate", "1", "1 − J of the policy found."),
    "attack_mean_length": Variable("mean response length", "tokens", "E|o| of the policy found."),
    "attack_responses": Variable("responses", "1", "Responses that the policy found can give.", integer=True),
}
SETTINGS = ("attack_evaluations",)
SPLIT = ()
RANDOM = True


#: Largest length and vocabulary of the policies of a search, one pair each.
SHAPES = ((1, 3), (2, 2), (2, 3), (3, 2), (4, 2))
#: Random policies of which the worst is the start, and rounds of optimiser and flips of the reward.
STARTS, ROUNDS = 100, 3
#: Stands for a ratio that is infinite, undefined, or out of reach of the rounding.
_NONE = 1e9


def cost(settings: Settings) -> float:
    """Seconds a search: about 20 µs a policy tried."""
    return 2e-5 * (STARTS + ROUNDS * settings["attack_evaluations"])


def ratio(line: Line, name: str) -> float:
    """Critical step over a bound, large where there is none or where the policy leaves the range of the audit."""
    spread = line.spread
    if not 1e-6 < spread < 1e6:
        return _NONE
    success, failure, alignment, _ = line.at(0.0)
    if min(success, failure) < LEAST_RATE or not alignment > LEAST_ALIGNMENT * spread:
        return _NONE
    bound = bounds_of(line)[-1][BOUNDS.index(name)]
    if math.isnan(bound):  # outside the condition of the proposition
        return _NONE
    found = line.critical(bound / 8, FURTHEST / spread) / bound
    return found if math.isfinite(found) else _NONE


def _worst_start(generator: np.random.Generator, name: str) -> tuple[float, Line, np.ndarray, np.ndarray]:
    """Of `STARTS` random policies of one shape the one with the least ratio.

    Returns
    -------
    float
        The ratio.
    Line
    ndarray of int, shape (contexts,)
        The group of every context; contexts of one group share their logits and slopes.
    ndarray of int, shape (groups,)
        The first context of every group.
    """
    length, vocabulary = SHAPES[generator.integers(len(SHAPES))]
    sharing = generator.integers(3)
    starts = []
    for number in range(STARTS):
        policy, direction = draw(generator, length, vocabulary, int(generator.integers(1, 3)))
        line = policy.line(direction)
        depth = line.tree.depth
        group = (np.zeros_like(depth), depth, np.arange(len(depth)))[sharing]
        first = np.unique(group, return_index=True)[1]
        tied = Line(line.tree, line.logit[first][group], line.slope[first][group], line.right)
        starts.append((ratio(tied, name), number, tied, group, first))
    start, _, line, group, first = min(starts, key=lambda found: found[:2])
    return start, line, group, first


def search(generator: np.random.Generator, name: str, evaluations: int) -> tuple[float, Line]:
    """Look for the policy with the least critical step over a bound.

    Parameters
    ----------
    generator : Generator
    name : str
        One of `BOUNDS`.
    evaluations : int
        Policies tried by the optimiser in each of `ROUNDS` rounds.

    Returns
    -------
    float
        Ratio at the best random start.
    Line
        The worst policy found.
    """
    start = _NONE
    while start == _NONE:  # of some shapes no policy is within the condition of a bound and ever falls
        start, line, group, first = _worst_start(generator, name)
    best = start

    for _ in range(ROUNDS):

        def tied(x: np.ndarray, line: Line = line) -> Line:
            logit, slope = x.reshape(2, len(first), -1)
            return Line(line.tree, logit[group], slope[group], line.right)

        x0 = np.concatenate([line.logit[first].ravel(), line.slope[first].ravel()])
        found = minimize(
            lambda x: math.log(ratio(tied(x), name)),
            x0,
            method="Powell",
            options={"maxfev": evaluations, "xtol": 1e-4, "ftol": 1e-7},
        )
        if math.exp(found.fun) < best:
            best, line = math.exp(found.fun), tied(found.x)
        for response in generator.permutation(len(line.right))[: evaluations // 4]:
            right = line.right.copy()
            right[response] ^= True
            flipped = Line(line.tree, line.logit, line.slope, right)
            value = ratio(flipped, name)
            if value < best:
                best, line = value, flipped
    return start, line


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over bound × search."""
    out = empty(axes, VARIABLES)
    points = list(product(axes, tuple(axes)))
    for done, (index, point) in enumerate(points):
        generator = stream(settings["seed"], "attack", point["bound"], point["search"])
        start, line = search(generator, point["bound"], settings["attack_evaluations"])
        found = audit(line)
        place = BOUNDS.index(point["bound"])
        values = {
            "attack_start": start,
            "attack_ratio": found.ratio[place],
            "attack_kept": found.kept[place],
            "attack_success_rate": found.success_rate,
            "attack_failure_rate": found.failure_rate,
            "attack_mean_length": found.mean_length,
            "attack_responses": line.tree.responses,
        }
        for name, value in values.items():
            out[name][index] = value
        progress(done + 1, len(points))
    return out
