"""What is predicted: bounds, closed forms and exponents. Every formula cites docs/theory.md."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

from ..bandits import FAMILIES, Instance
from ..numerics.compiler import kernel
from ..numerics.elementary import exp, log, log1p, log_factorial
from ..numerics.roots import root
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


#: Names of the bounds, the paper's first.
BOUNDS = tuple(field.name for field in fields(Bounds))


@kernel
def tail_factor(failure_rate):
    """v ≥ 1 with v − 1 − log v = 2 log(1/(1−J)): how far the variance of the score grows given failure (Lemma 3).

    The mean square of a sub-Gaussian score, given an event of probability 1−J, is at most v times its proxy;
    v grows like 2 log(1/(1−J)).
    """
    excess = -2.0 * log(failure_rate)
    if excess <= 0.0:
        return 1.0
    v = 1 + excess + math.sqrt(2 * excess)  # above the root of a convex function: Newton's steps only fall
    while True:
        smaller = v - (v - 1 - log(v) - excess) / (1 - 1 / v)
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
    g2 = token_score_bound * token_score_bound
    prop3 = prop5 = math.nan
    if failure_rate <= 0.5:
        tail = 4 * g2 * log(math.sqrt(2) / failure_rate)
        prop3 = success_rate * aligned / (max_length * (token_hessian_bound + tail))
        tail = min(g2, token_hessian_bound) * tail_factor(failure_rate)
        prop5 = success_rate * aligned / (max_length * (token_hessian_bound + tail))
    return Bounds(
        paper=aligned / (2 * (hessian_bound + 8 * score_bound * score_bound)),
        prop1=aligned / (2 * hessian_bound + score_bound * score_bound),
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
    return 2 * abs(instance.theta0) if FAMILIES.find(instance.family).even_and_unimodal else math.nan


def critical_closed_form(instance: Instance, advantage: str, aggregation: str) -> float:
    """α* = 2 J(1−J) · divisor / (c(J) |J″|) at the best θ, where the fixed point loses stability (C4).

    With J″(0) = −ε (N/4)(2B+1) f(N/2+B), f the Bin(N−1, ½) mass (C3). Known for `counting` and `gated`; nan
    elsewhere, and for `unit`, whose update does not vanish at the best θ.
    """
    chosen = ADVANTAGES.find(advantage)
    curvature = FAMILIES.find(instance.family).curvature(instance)
    if math.isnan(curvature) or not chosen.vanishes:
        return math.nan
    success, failure, _ = instance.at(instance.best_theta)
    coefficient = chosen.coefficient(success, failure, 0.0)
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)
    return 2 * success * failure * divisor / (coefficient * curvature)


def length_exponent(family: str, advantage: str, aggregation: str) -> float:
    """a in α* ∝ T^a at fixed success rate (E1): −1, and what the aggregation divides by makes good again.

    Examples
    --------
    >>> length_exponent("counting", "grpo", "seq-mean-token-sum"), length_exponent("gated", "grpo", "token-mean")
    (-1.0, 0.0)
    """
    return sum(AGGREGATIONS.find(aggregation).powers) - 1.0


def failure_exponent(family: str, advantage: str, aggregation: str) -> float:
    """b in α* ∝ (1−J)^b at fixed length (E2), for families that state how their lengths grow as J → 1.

    The update is (1−J)^p g / divisor and the stability of the best θ asks for (1−J) / (1−J)^p times the divisor: on
    `gated` the mean length has no power of 1−J, the long length N ∝ T/(1−J) has one power less.

    Examples
    --------
    >>> [failure_exponent("gated", "grpo", f"seq-mean-token-{how}") for how in ("sum", "mean")]
    [0.5, -0.5]
    """
    power, lengths = ADVANTAGES.find(advantage).power, FAMILIES.find(family).failure_powers
    if lengths is None or power is None:
        return math.nan
    divided = AGGREGATIONS.find(aggregation).powers
    return 1.0 - power + sum(own * of for own, of in zip(divided, lengths, strict=True))


def plateau_closed_form(instance: Instance, step: float) -> float:
    """Mean failure rate over the two-cycle in which the `unit` rule with a fixed step ends (C5).

    The iterates walk to x = |θ₀| mod η on one side of the best θ and then hop between x and x − η. nan where the
    success rate is not known to be even and unimodal.
    """
    if not FAMILIES.find(instance.family).even_and_unimodal:
        return math.nan
    x = math.fmod(abs(instance.theta0), step)
    return (instance.at(x)[1] + instance.at(x - step)[1]) / 2


@dataclass(frozen=True)
class Reach:
    """How far the closed form of the critical learning rate reaches (docs/theory.md, C6).

    Attributes
    ----------
    word : str
        ``global``: every start no farther from the best θ than θ₀ converges at every learning rate below the closed
        form, which is then the critical learning rate itself. ``local``: only starts close to the best θ do. Empty
        where no closed form is known.
    safe : float
        min 2|θ|·divisor/|F(θ)| over 0 < |θ| ≤ |θ₀|, F the update with token sums: below this learning rate every
        iterate is nearer to the best θ than the one before. The closed form itself where that is global.
    """

    word: str
    safe: float


def window_is_narrow(long_length: int, half_width: int) -> bool:
    """Whether (2B+1)² ≤ 3(N+1), exactly where the closed form is global for the mean-centred rules (C6).

    Examples
    --------
    >>> window_is_narrow(1024, 27), window_is_narrow(1024, 28)  # b = 1.72 and 1.78
    (True, False)
    """
    width = 2 * half_width + 1
    return width * width <= 3 * (long_length + 1)


def critical_reach(instance: Instance, advantage: str, aggregation: str) -> Reach:
    """Whether the closed form of the critical learning rate is global or local, and the learning rate that is safe.

    For `reinforce`, `rloo` and `dr_grpo` the word is that of the theorem (`window_is_narrow`); for the other
    advantages it is read off the smallest value of 2|θ|/|F(θ)| on a fine grid. A measured critical learning rate
    can lie above a global closed form: by its tolerance (M1) a run on a small cycle around the best θ counts as
    converged, and where the success rate is flat there, as in wide windows, that reaches far.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> wide = FAMILIES.find("counting").instance(1024, 0.2, window=4)
    >>> critical_reach(wide, "reinforce", "seq-mean-token-sum").word
    'local'
    """
    closed = critical_closed_form(instance, advantage, aggregation)
    if math.isnan(closed):
        return Reach("", math.nan)
    coefficient = ADVANTAGES.find(advantage).coefficient
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)

    def ratio(theta: float) -> float:
        success, failure, gap = instance.at(theta)
        update = coefficient(success, failure, abs(gap)) * abs(gap)
        return 2 * theta * divisor / update if update > 0 else math.inf

    start = abs(instance.theta0)
    grid = [start * step / 512 for step in range(1, 513)]
    values = [ratio(theta) for theta in grid]
    least = min(range(512), key=values.__getitem__)
    safe = values[least]
    if 0 < least < 511:
        safe = min(safe, _least(ratio, grid[least - 1], grid[least + 1]))
    if advantage in _MEAN_CENTRED:
        everywhere = window_is_narrow(int(instance.kernels.constants[0]), int(instance.kernels.constants[1]))
    else:
        everywhere = safe >= closed * (1 - 1e-9)
    return Reach("global", closed) if everywhere else Reach("local", min(safe, closed))


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a function with one minimum between two points, by golden section."""
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-9 * high:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = function(right)
    return min(at_left, at_right)


#: Advantages whose expected update is a multiple of ∇J.
_MEAN_CENTRED = ("reinforce", "rloo", "dr_grpo")


def strict_factor(step_ratio: float) -> float:
    """|θ_{k+1}|/|θ_k| = |1 − 2c| under steps η_k = c·2|θ_k| along the gap, on `counting` and `gated` (C7).

    2|θ_k| is the critical step of every iterate (C2). c < 1: |θ| falls and J rises at every iteration, to J_max.
    c > 1: |θ| grows and J falls at every iteration, to its limit as |θ| → ∞, which is 0 on `counting`. The threshold
    c = 1 is exact.

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
        Where 2θ/|g(θ)|, having passed its maximum, is least; beyond it the ratio grows without end as 2θ/a.
    """

    convergence: float
    below_start: float
    strict: float
    turn: float


def gap_falls(instance: Instance) -> Fall:
    """The three thresholds of the rule `gap` on `counting`, with token sums (C8).

    Raises
    ------
    ValueError
        If the family is not `counting`: with short right responses J has a floor above 0.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> found = gap_falls(FAMILIES.find("counting").instance(64, 0.2))
    >>> found.convergence < found.below_start <= found.strict
    True
    """
    if instance.family != "counting":
        raise ValueError(f"family: {instance.family} is not allowed here; only counting, whose J falls to 0")

    def ratio(theta: float) -> float:
        return 2 * theta / abs(instance.at(theta)[2])

    start = abs(instance.theta0)
    largest = strict = ratio(start)
    turn, theta, before = start, start, strict
    # far out the gap is within a hundredth of its limit a, and the ratio only grows
    while theta < max(16.0, 4 * start):
        theta *= 1.001
        here = ratio(theta)
        if (
            here < before
        ):  # still on the way down from a maximum: that one counts, and the turn is not yet reached
            strict, turn = largest, theta
        largest, before = max(largest, here), here
    return Fall(
        critical_closed_form(instance, "gap", "seq-mean-token-sum"),
        ratio(start),
        strict,
        turn,
    )


def gap_floor(instance: Instance, learning_rate: float) -> float:
    """The |θ| at which a strictly falling run of `gap` on `counting` ends: the largest root of α|g| = 2θ (C8).

    There it hops between θ and −θ for ever. a = N/2 − B bounds |g| in the limit, and the root is near αa/2.

    Returns
    -------
    float
        0 where no root is left above the best θ.
    """
    long_length = int(instance.kernels.constants[0])
    if instance.family != "counting":
        raise ValueError(f"family: {instance.family} is not allowed here; only counting, whose J falls to 0")

    def excess(theta: float) -> float:
        return learning_rate * abs(instance.at(theta)[2]) - 2 * theta

    # |g| ≤ N, so no root lies above αN/2; go down from there to the first θ with an update that is too large
    theta = learning_rate * long_length / 2
    while theta > 1e-12:
        if excess(theta) > 0:
            return root(excess, theta, theta * 1.01)
        theta /= 1.01
    return 0.0


def linear_bandit_fall(start: float, learning_rate: float) -> float:
    """Updates after which REINFORCE on the linear token bandit has success rate 0 (docs/theory.md, C9).

    Two tokens, each a one with probability ½ + θ, |θ| ≤ ½; right if they differ: J = ½ − 2θ². REINFORCE moves
    θ' = (1 − 4α) θ, held within ±½. The threshold is α = ½ exactly.

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
    ValueError
        If the start is not strictly between 0 and ½ in size.

    Examples
    --------
    >>> linear_bandit_fall(0.1, 0.75), linear_bandit_fall(0.1, 0.5)
    (3.0, inf)
    """
    if not 0 < abs(start) < 0.5:
        raise ValueError(f"start: {start:g} is not allowed; its size lies strictly between 0 and 1/2")
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
    """θ and success rate of REINFORCE on the linear token bandit (C9), start included.

    Returns
    -------
    theta, success_rate : list of float, length iterations + 1
        Once J is 0 no response is ever right, and nothing moves.

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


def log10_success_rate(instance: Instance, theta: float) -> float:
    """log₁₀ J on `counting`, also where J is below the smallest float.

    log J = log C(N, a) + a log p + (N − a) log q + log Σ of the window's masses over that of its lower edge a, which
    is the largest of them where Np < a.

    Raises
    ------
    ValueError
        If the family is not `counting`.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(4096, 0.2)
    >>> round(log10_success_rate(bandit, 1.884), 1)
    -670.2
    """
    if instance.family != "counting":
        raise ValueError(f"family: {instance.family} is not allowed here; only counting, whose J falls to 0")
    n, width = int(instance.kernels.constants[0]), int(instance.kernels.constants[1])
    odds, low = exp(-abs(theta)), n // 2 - width
    if n * odds / (1 + odds) >= low:
        return log(instance.at(theta)[0]) / _LOG_10
    inside = term = 1.0
    for k in range(low, n // 2 + width):
        term *= (n - k) / (k + 1) * odds
        inside += term
    choose = log_factorial(n) - log_factorial(low) - log_factorial(n - low)
    return (choose - low * abs(theta) - n * log1p(odds) + log(inside)) / _LOG_10


_LOG_10 = 2.302585092994046
