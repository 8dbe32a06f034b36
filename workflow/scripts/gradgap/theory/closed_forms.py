"""What is predicted: bounds, closed forms and exponents. Every formula cites docs/theory.md."""

import math
from dataclasses import dataclass

from ..bandits import Instance
from ..numerics.binomial import pmf
from ..training.rules import ADVANTAGES, AGGREGATIONS


@dataclass(frozen=True)
class Bounds:
    """Steps below which the success rate is guaranteed to rise; nan where the condition does not apply.

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
        η ≤ J(1−J)Δμ / (T L_p): as Proposition 2, and never smaller.
    prop5 : float
        η ≤ JΔμ / (T(L_p + min(G_p², L_p) v(1−J))), v the `tail_factor`: as Proposition 3, and never smaller.
    """

    paper: float
    prop1: float
    prop2: float
    prop3: float
    prop4: float
    prop5: float


def tail_factor(failure_rate: float) -> float:
    """v ≥ 1 with v − 1 − log v = 2 log(1/(1−J)): how far the variance of the score grows given failure (Lemma 3).

    The mean square of a sub-Gaussian score, given an event of probability 1−J, is at most v times its proxy;
    v grows like 2 log(1/(1−J)).
    """
    excess = -2 * math.log(failure_rate)
    if excess <= 0:
        return 1.0
    v = 1 + excess + math.sqrt(2 * excess)  # above the root of a convex function: Newton's steps only fall
    while True:
        smaller = v - (v - 1 - math.log(v) - excess) / (1 - 1 / v)
        if not smaller < v * (1 - 1e-15):
            return v
        v = smaller


def bounds(
    alignment: float,
    success_rate: float,
    failure_rate: float,
    length: float,
    max_length: float,
    token_score_bound: float,
    token_hessian_bound: float,
) -> Bounds:
    """The paper's bound and Propositions 1–5 on the step size η at one policy.

    Parameters
    ----------
    alignment : float
        Gap alignment Δμ = ⟨w, g⟩ of the unit direction w.
    success_rate, failure_rate : float
        J and 1 − J.
    length, max_length : float
        Largest mean length T along the step, and the length that no response exceeds, in tokens.
    token_score_bound, token_hessian_bound : float
        G_p and L_p, along w at least.

    Returns
    -------
    Bounds
        Zero where the alignment is not positive: no step is then guaranteed to help.
    """
    aligned = max(alignment, 0.0)
    score_bound = max_length * token_score_bound
    hessian_bound = max_length * token_hessian_bound
    g2 = token_score_bound**2
    prop3 = prop5 = math.nan
    if failure_rate <= 0.5:
        tail = 4 * g2 * math.log(math.sqrt(2) / failure_rate)
        prop3 = success_rate * aligned / (max_length * (token_hessian_bound + tail))
        tail = min(g2, token_hessian_bound) * tail_factor(failure_rate)
        prop5 = success_rate * aligned / (max_length * (token_hessian_bound + tail))
    return Bounds(
        paper=aligned / (2 * (hessian_bound + 8 * score_bound**2)),
        prop1=aligned / (2 * hessian_bound + score_bound**2),
        prop2=success_rate * failure_rate * aligned / (length * (g2 + token_hessian_bound)),
        prop3=prop3,
        prop4=success_rate * failure_rate * aligned / (length * token_hessian_bound),
        prop5=prop5,
    )


def instance_bounds(instance: Instance) -> Bounds:
    """All bounds at the start of an instance, for a step along the gradient gap."""
    success, failure, gap = instance.at(instance.theta0)
    return bounds(
        abs(gap),
        success,
        failure,
        instance.length,
        instance.max_length,
        instance.token_score_bound,
        instance.token_hessian_bound,
    )


def one_step_closed_form(instance: Instance) -> float:
    """η* = 2|θ₀| for `counting` and `gated`, whose success rate is even and unimodal (C2); else nan."""
    return 2 * abs(instance.theta0) if instance.family in _COUNTED else math.nan


def critical_closed_form(instance: Instance, advantage: str, aggregation: str) -> float:
    """α* = 2 J(1−J) · divisor / (c(J) |J″|) at the best θ, where the fixed point loses stability (C4).

    With J″(0) = −ε (N/4)(2B+1) f(N/2+B), f the Bin(N−1, ½) mass (C3). Known for `counting` and `gated`; nan
    elsewhere, and for `unit`, whose update does not vanish at the best θ.
    """
    if instance.family not in _COUNTED or advantage == "unit":
        return math.nan
    long_length, width, share = instance.parameters
    n, b = int(long_length), int(width)
    curvature = share * n / 4 * (2 * b + 1) * pmf(n // 2 + b, n - 1, 0.5, 0.5)
    success, failure, _ = instance.at(instance.best_theta)
    coefficient = ADVANTAGES.find(advantage).coefficient(success, failure, 0.0)
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)
    return 2 * success * failure * divisor / (coefficient * curvature)


_COUNTED = ("counting", "gated")


def length_exponent(family: str, advantage: str, aggregation: str) -> float:
    """a in α* ∝ T^a at fixed success rate (E1): −1 for token sums, 0 for anything divided by a length."""
    return -1.0 if aggregation == "seq-mean-token-sum" else 0.0


def failure_exponent(family: str, advantage: str, aggregation: str) -> float:
    """b in α* ∝ (1−J)^b at fixed length (E2), for `gated`.

    The update is (1−J)^p g / divisor and the stability of the best θ asks for (1−J) / (1−J)^p times the divisor,
    which is the mean length (no power), or the long length N ∝ T/(1−J) (one power less).
    """
    power = ADVANTAGES.find(advantage).power
    if family != "gated" or power is None:
        return math.nan
    lost = {"seq-mean-token-sum": 0.0, "token-mean": 0.0}.get(aggregation, 1.0)
    return 1.0 - power - lost


def plateau_closed_form(instance: Instance, step: float) -> float:
    """Mean failure rate over the two-cycle in which the `unit` rule with a fixed step ends (C5).

    The iterates walk to x = |θ₀| mod η on one side of the best θ and then hop between x and x − η. nan where the
    success rate is not known to be even and unimodal.
    """
    if instance.family not in _COUNTED:
        return math.nan
    x = math.fmod(abs(instance.theta0), step)
    return (instance.at(x)[1] + instance.at(x - step)[1]) / 2
