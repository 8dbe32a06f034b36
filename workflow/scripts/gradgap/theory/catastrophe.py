"""Runs whose success rate falls at every update, in closed form (docs/theory.md, C7–C9)."""

import math
from dataclasses import dataclass

from ..bandits import FAMILIES, Instance
from ..errors import ConfigError
from ..numerics.roots import root
from .closed_forms import critical_closed_form


def strict_factor(step_ratio: float) -> float:
    """By what factor |θ| changes in a step of c times the critical step: |θ_{k+1}|/|θ_k| = |1 − 2c| (C7).

    On `counting` and `gated` the critical step at θ_k is 2|θ_k| (C2), so the step is η_k = c·2|θ_k| along the gap.
    For c < 1 the distance |θ| falls and J rises at every iteration, to J_max. For c > 1 the distance grows and J
    falls at every iteration, on `counting` to 0. The threshold c = 1 is exact.

    Parameters
    ----------
    step_ratio : float
        c > 0.

    Examples
    --------
    >>> strict_factor(0.75), strict_factor(1.0), strict_factor(1.5)
    (0.5, 1.0, 2.0)
    """
    return abs(1 - 2 * step_ratio)


@dataclass(frozen=True)
class Fall:
    """Learning rates of the rule `gap` with token sums at which the success rate falls (docs/theory.md, C8).

    Attributes
    ----------
    convergence : float
        The closed form C4, α* = 2/|g′(0)|, at which the best θ loses stability.
    below_start : float
        2|θ₀|/|g(θ₀)|: above it the first step ends below J₀, at it the step is the critical one.
    strict : float
        max 2θ/|g(θ)| over |θ₀| ≤ θ ≤ `turn`: above it J falls at every iteration until |θ| is beyond `turn`.
    turn : float
        The θ beyond the maximum of 2θ/|g(θ)| where that ratio is least. Beyond it the ratio grows without end.
    """

    convergence: float
    below_start: float
    strict: float
    turn: float


def _check(instance: Instance) -> None:
    """Refuse an instance whose success rate has a floor above 0."""
    if not FAMILIES.find(instance.family).success_vanishes:
        raise ConfigError(
            f"family: {instance.family} is not allowed here; needed is one whose success rate falls to 0 as |θ| "
            "grows, such as counting"
        )


def gap_falls(instance: Instance) -> Fall:
    """The three thresholds of the rule `gap` on `counting`, with token sums (C8).

    Raises
    ------
    ConfigError
        If the success rate of the family does not fall to 0, as on `gated`, where short responses are right.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> found = gap_falls(FAMILIES.find("counting").instance(64, 0.2))
    >>> found.convergence < found.below_start <= found.strict
    True
    """
    _check(instance)

    def ratio(theta: float) -> float:
        return 2 * theta / abs(instance.at(theta)[2])

    start = abs(instance.theta0)
    largest = strict = ratio(start)
    turn, theta, before = start, start, strict
    # far out the gap is within a hundredth of its limit a, and the ratio only grows
    while theta < max(16.0, 4 * start):
        theta *= 1.001
        here = ratio(theta)
        if here < before:  # going down from a maximum, which counts, and the turn is not yet reached
            strict, turn = largest, theta
        largest, before = max(largest, here), here
    return Fall(
        critical_closed_form(instance, "gap", "seq-mean-token-sum"),
        ratio(start),
        strict,
        turn,
    )


def gap_floor(instance: Instance, learning_rate: float) -> float:
    """The |θ| at which a strictly falling run of `gap` on `counting` ends (C8).

    It is the largest root of α|g| = 2θ, where the run jumps between θ and −θ for ever. For large θ the gap |g| tends
    to a = N/2 − B, so the root is near αa/2.

    Returns
    -------
    float
        0 if there is no root above the best θ.

    Examples
    --------
    With α = 1, a step from the floor leads to the same |θ| on the other side:

    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> theta = gap_floor(bandit, 1.0)
    >>> round(abs(bandit.at(theta)[2]) - 2 * theta, 9)
    0.0
    """
    _check(instance)

    def excess(theta: float) -> float:
        return learning_rate * abs(instance.at(theta)[2]) - 2 * theta

    # |g| ≤ N, so no root lies above αN/2; go down from there to the first θ with an update that is too large
    theta = learning_rate * instance.score_length / 2
    while theta > 1e-12:
        if excess(theta) > 0:
            return root(excess, theta, theta * 1.01)
        theta /= 1.01
    return 0.0


def linear_bandit_fall(start: float, learning_rate: float) -> float:
    """After how many updates REINFORCE on the linear token bandit has success rate 0 (docs/theory.md, C9).

    A response is two tokens, each a one with probability ½ + θ, |θ| ≤ ½. It is right if they differ, so J = ½ − 2θ².
    REINFORCE moves θ' = (1 − 4α) θ, held within ±½. The threshold is α = ½ exactly.

    Parameters
    ----------
    start : float
        θ₀, 0 < |θ₀| < ½.
    learning_rate : float
        α > 0.

    Returns
    -------
    float
        The smallest K with J_K = 0: the smallest with (4α − 1)^K |θ₀| ≥ ½, and infinite for α ≤ ½.

    Raises
    ------
    ConfigError
        If the start is not strictly between 0 and ½ in size.

    Examples
    --------
    >>> linear_bandit_fall(0.1, 0.75), linear_bandit_fall(0.1, 0.5)
    (3.0, inf)
    """
    if not 0 < abs(start) < 0.5:
        raise ConfigError(f"start: {start:g} is not allowed; its size lies strictly between 0 and 1/2")
    factor = 4 * learning_rate - 1
    if factor <= 1:
        return math.inf
    # as the iteration does it, so that a last bit at the edge is decided in the same way
    theta, updates = abs(start), 0.0
    while theta < 0.5:
        theta *= factor
        updates += 1
    return updates


def linear_bandit(start: float, learning_rate: float, iterations: int) -> tuple[list[float], list[float]]:
    """θ and success rate along a run of REINFORCE on the linear token bandit (C9), including the start.

    Returns
    -------
    theta, success_rate : list of float, length iterations + 1
        Once J is 0, no response is right any more and nothing moves.

    Examples
    --------
    >>> linear_bandit(0.125, 0.75, 3)[1]
    [0.46875, 0.375, 0.0, 0.0]
    """
    theta, path = start, [start]
    for _ in range(iterations):
        if abs(theta) < 0.5:
            theta = max(-0.5, min(0.5, (1 - 4 * learning_rate) * theta))
        path.append(theta)
    # ½ − 2θ² as a product, exact to rounding near the edge
    return path, [2 * (0.5 - abs(x)) * (0.5 + abs(x)) for x in path]
