"""Steps that are guaranteed to help: the paper's bound and Propositions 1–5 of docs/theory.md."""

import math
from dataclasses import dataclass, fields

from ..bandits import Instance
from ..numerics.compiler import kernel
from ..numerics.elementary import log


@dataclass(frozen=True)
class Bounds:
    """Step sizes below which the success rate is guaranteed to rise; nan where the condition does not apply.

    Attributes
    ----------
    paper : float
        Suk and Duan: η ≤ Δμ / (2(L_o + 8 G_o²)), response level.
    prop1 : float
        η ≤ Δμ / (2 L_o + G_o²), response level.
    prop2 : float
        η ≤ J(1−J)Δμ / (T(G_p² + L_p)), token level, T the mean length.
    prop3 : float
        η ≤ JΔμ / (T(L_p + 4 G_p² log(√2/(1−J)))), token level, T the largest length, 1−J ≤ ½.
    prop4 : float
        η ≤ J(1−J)Δμ / (T L_p): like Proposition 2, and never smaller.
    prop5 : float
        η ≤ JΔμ / (T(L_p + min(G_p², L_p) v(1−J))), v the `tail_factor`: like Proposition 3, and never smaller.
    """

    paper: float
    prop1: float
    prop2: float
    prop3: float
    prop4: float
    prop5: float


#: Names of the bounds, the paper's first.
BOUNDS = tuple(field.name for field in fields(Bounds))


@kernel
def tail_factor(failure_rate):
    """By how much failure can increase the variance of the score (docs/theory.md, Lemma 3).

    The mean square of a sub-Gaussian score, given an event of probability 1−J, is at most v times its variance proxy.
    Here v ≥ 1 solves v − 1 − log v = 2 log(1/(1−J)). It grows like 2 log(1/(1−J)).

    Parameters
    ----------
    failure_rate : float
        1 − J.

    Returns
    -------
    float
        v.

    Examples
    --------
    >>> v = tail_factor(0.01)
    >>> abs(v - 1 - log(v) - 2 * log(100.0)) < 1e-12
    True
    """
    excess = -2.0 * log(failure_rate)
    if excess <= 0.0:
        return 1.0
    v = (
        1 + excess + math.sqrt(2 * excess)
    )  # above the root of a convex function, so that Newton's steps only go down
    while True:
        smaller = v - (v - 1 - log(v) - excess) / (1 - 1 / v)
        if not smaller < v * (1 - 1e-15):
            return v
        v = smaller


@kernel
def _bounds(
    alignment, success_rate, failure_rate, length, max_length, token_score_bound, token_hessian_bound
):
    """The numbers of `Bounds`, in order."""
    aligned = max(alignment, 0.0)
    score_bound = max_length * token_score_bound
    hessian_bound = max_length * token_hessian_bound
    g2 = token_score_bound * token_score_bound
    paper = aligned / (2 * (hessian_bound + 8 * score_bound * score_bound))
    prop1 = aligned / (2 * hessian_bound + score_bound * score_bound)
    prop2 = success_rate * failure_rate * aligned / (length * (g2 + token_hessian_bound))
    prop4 = success_rate * failure_rate * aligned / (length * token_hessian_bound)
    prop3 = prop5 = math.nan
    if failure_rate <= 0.5:
        tail = 4 * g2 * log(math.sqrt(2) / failure_rate)
        prop3 = success_rate * aligned / (max_length * (token_hessian_bound + tail))
        tail = min(g2, token_hessian_bound) * tail_factor(failure_rate)
        prop5 = success_rate * aligned / (max_length * (token_hessian_bound + tail))
    return paper, prop1, prop2, prop3, prop4, prop5


def bounds(
    alignment: float,
    success_rate: float,
    failure_rate: float,
    length: float,
    max_length: float,
    token_score_bound: float,
    token_hessian_bound: float,
) -> Bounds:
    """The bound of the paper and Propositions 1–5: guaranteed step sizes η at one policy.

    Parameters
    ----------
    alignment : float
        Gap alignment Δμ = ⟨w, g⟩ of the unit direction w.
    success_rate, failure_rate : float
        J and 1 − J.
    length, max_length : float
        Largest mean length T along the step, and length of the longest possible response, in tokens.
    token_score_bound, token_hessian_bound : float
        G_p and L_p; it is enough that they hold along w.

    Returns
    -------
    Bounds
        All zero if the alignment is not positive; then no step is guaranteed to help.

    Examples
    --------
    >>> found = bounds(1.0, 0.75, 0.25, length=2, max_length=4, token_score_bound=1, token_hessian_bound=0.25)
    >>> found.prop1, found.prop2, found.prop4
    (0.05555555555555555, 0.075, 0.375)
    """
    given = (
        alignment,
        success_rate,
        failure_rate,
        length,
        max_length,
        token_score_bound,
        token_hessian_bound,
    )
    return Bounds(*_bounds(*map(float, given)))


def instance_bounds(instance: Instance) -> Bounds:
    """All bounds at the start of an instance, for a step along the gradient gap.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> found = instance_bounds(FAMILIES.find("counting").instance(64, 0.2))
    >>> found.paper < found.prop1 < found.prop2
    True
    """
    success, failure, _ = instance.at(instance.start)
    return bounds(
        instance.gap_norm,
        success,
        failure,
        instance.length,
        instance.max_length,
        instance.token_score_bound,
        instance.token_hessian_bound,
    )
