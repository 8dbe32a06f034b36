"""Predictions for training with optimizers, clipping and several steps on each batch.

The names in brackets are those of docs/theory_optimizers.md. All formulas are for the families `counting` and
`gated`. N is the length of a long response (N = T on `counting`), and ``x = |θ|√N/2`` is the distance from the best
θ in standard deviations of the count of ones.
"""

import math
from dataclasses import dataclass

from ..bandits import FAMILIES
from ..errors import ConfigError
from ..training.optimizers import OPTIMIZERS
from ..training.ratios import RATIOS
from ..training.rules import AGGREGATIONS


def kept(x: float, window: float = 1.0) -> float:
    """Share of the best success rate at x, for long responses: P(|Z + x| ≤ b) / P(|Z| ≤ b) (O1).

    Parameters
    ----------
    x : float
        Standard deviations from the best θ.
    window : float
        b, half-width of the window in standard deviations.

    Examples
    --------
    >>> kept(0.0), round(kept(1.4), 3)
    (1.0, 0.493)
    """
    return _inside(x, window) / _inside(0.0, window)


def _inside(x: float, window: float) -> float:
    root = math.sqrt(2.0)
    return (math.erf((window - x) / root) + math.erf((window + x) / root)) / 2


def start_deviations(success_rate: float = 0.2, window: float = 1.0) -> float:
    """The distance x₀ from the best θ at which a long response is right with this probability (O1).

    Raises
    ------
    ConfigError
        If no x gives this success rate.

    Examples
    --------
    >>> round(start_deviations(0.2), 2)
    1.83
    """
    best = _inside(0.0, window)
    if not 0.0 < success_rate < best:
        raise ConfigError(
            f"success_rate: {success_rate:g} is out of reach at window {window:g}; allowed: above 0, below {best:.6g}"
        )
    return _root(lambda x: _inside(x, window) - success_rate, 0.0, 40.0)


def _root(function, low: float, high: float) -> float:
    """The root of a falling function, by bisection to the last bit."""
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if function(middle) > 0:
            low = middle
        else:
            high = middle


def scaled_rate(learning_rate: float, long_length: float) -> float:
    """C = α√N/2, the step of a scale-free optimizer in standard deviations of the count (O1).

    Examples
    --------
    >>> scaled_rate(0.1, 400)
    1.0
    """
    return learning_rate * math.sqrt(long_length) / 2


def sign_plateau(start: float, step: float, window: float = 1.0) -> float:
    """The share kept by sign descent, which ends in a cycle of two points (O2).

    From x = `start`, with steps of C = `step`, it walks to ``x mod C`` on its side of the best θ. Then it jumps to
    and fro between that point and the one at C minus it on the other side.

    Examples
    --------
    >>> sign_plateau(1.84, 0.1) > 0.99
    True
    """
    rest = math.fmod(start, step)
    return (kept(rest, window) + kept(step - rest, window)) / 2


def sign_half_kept(start: float, window: float = 1.0, starts: int = 24) -> float:
    """The C at which sign descent keeps half, as a mean over starts spread evenly over x₀·[0.8, 1.2] (O2).

    Parameters
    ----------
    start : float
        x₀.
    window : float
    starts : int

    Returns
    -------
    float
        nan if the half-kept step is not longer than the farthest start; then use `phase_averaged`.

    Examples
    --------
    >>> round(sign_half_kept(start_deviations(0.2)), 2)
    2.82
    """
    at = [start * (0.8 + 0.4 * i / (starts - 1)) for i in range(starts)] if starts > 1 else [start]

    def excess(step: float) -> float:
        return sum((kept(x, window) + kept(step - x, window)) / 2 for x in at) / len(at) - 0.5

    farthest = max(at)  # every first step that is longer than this lands beyond the best θ
    return _root(excess, farthest, 50.0 * farthest) if excess(farthest) > 0 else math.nan


def phase_averaged(window: float = 1.0) -> float:
    """The C at which sign descent keeps half if the phase of its two-cycle is uniform: ∫₀^C kept = C/2 (O2).

    Examples
    --------
    >>> round(phase_averaged(), 2)
    2.9
    """

    def integral(step: float) -> float:
        cells = 2000
        width = step / cells
        return sum(kept((i + 0.5) * width, window) for i in range(cells)) * width

    low = _root(lambda x: kept(x, window) - 0.5, 0.0, 40.0)
    return _root_near(lambda step: integral(step) / step - 0.5, low, 3 * low)


def _root_near(function, low: float, high: float) -> float:
    """Like `_root`, but only to ten digits, for slow functions."""
    for _ in range(40):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def adam_plateau(learning_rate: float, beta1: float) -> float:
    """Root mean square of θ at Adam's plateau, α(1−β1)/(2(1+β1)), for β2 → 1 and eps = 0 (O3).

    Examples
    --------
    >>> round(adam_plateau(1e-3, 0.9), 9)
    2.6316e-05
    """
    return learning_rate * (1.0 - beta1) / (2.0 * (1.0 + beta1))


def stability_factor(optimizer: str, settings: dict[str, float] | None = None) -> float:
    """Critical learning rate near the best θ over that of plain ascent (O4); nan if the optimizer is not linear.

    Examples
    --------
    >>> stability_factor("momentum", {"momentum": 0.9}), round(stability_factor("nesterov", {"momentum": 0.9}), 4)
    (1.9, 0.6786)
    >>> stability_factor("adam")
    nan
    """
    found = OPTIMIZERS.find(optimizer)
    return math.nan if found.stability is None else found.stability(found.complete(settings)) / 2.0


def delay_factor(delay: int) -> float:
    """Critical learning rate with updates that are τ iterations old, divided by that without: sin(π/(4τ+2)) (O5).

    Examples
    --------
    >>> delay_factor(0), round(delay_factor(1), 12)
    (1.0, 0.5)
    """
    return math.sin(math.pi / (4 * delay + 2))


def kl_critical_learning_rate(slope: float) -> float:
    """Critical learning rate with a KL term: α* = 2/|u′(θ_β)| (O6).

    Parameters
    ----------
    slope : float
        u′(θ_β), the derivative of the update u, KL term included, where u vanishes.

    Examples
    --------
    >>> kl_critical_learning_rate(-0.5)
    4.0
    """
    return 2.0 / abs(slope)


def clip_half_kept(distance: float, update: float, limit: float) -> float:
    """Half-kept learning rate with clipped updates: 2A/min(u(A), c), from the symmetric two-cycle (O7).

    Parameters
    ----------
    distance : float
        A > 0, the |θ| at which half is kept.
    update : float
        |u(A)|, the size of the update there.
    limit : float
        c, the largest norm of an update.

    Examples
    --------
    >>> clip_half_kept(0.5, 4.0, 1.0), clip_half_kept(0.5, 4.0, math.inf)
    (1.0, 0.25)
    """
    return 2.0 * distance / min(update, limit)


def eps_half_kept(without: float, eps: float, start_update: float) -> float:
    """Half-kept learning rate of Adam with eps, from that without: α_½(0)(1 + eps/|u₀|) (O8).

    Parameters
    ----------
    without : float
        α_½ with eps = 0.
    eps : float
    start_update : float
        u₀, the update at the start.

    Examples
    --------
    >>> eps_half_kept(0.1, 1e-8, 1e-8)
    0.2
    """
    return without * (1.0 + eps / abs(start_update))


def update_rms(long_length: float, share: float, group_size: int, window: float = 1.0) -> float:
    """Root mean square of the sampled update at the best θ, for the advantage r − m and token sums (O9).

    E u² = ((n−1)/n)²/n · [V₁(F² + JF/(n−1)) + V₀(J² + JF/(n−1))], where F = 1 − J and V_r = E[s² 1(reward is r)]. It
    is exact in n. The count of ones is taken to be Gaussian.

    Parameters
    ----------
    long_length : float
        N.
    share : float
        ε, the probability of a long response; 1 for `counting`.
    group_size : int
        n ≥ 2.
    window : float
        Half-width of the window in standard deviations; (2B + 1)/√N is more exact at small N.

    Examples
    --------
    >>> update_rms(64, 1.0, 16) > update_rms(64, 1.0, 64)
    True
    """
    density = math.exp(-window * window / 2) / math.sqrt(2 * math.pi)
    outside = math.erfc(window / math.sqrt(2.0))
    wrong_square = 2 * window * density + outside  # E[z² 1(|z| > b)]
    failure = share * outside
    success = 1.0 - failure
    per_long = share * long_length / 4
    n = float(group_size)
    mixed = success * failure / (n - 1)
    square = (1 - wrong_square) * (failure * failure + mixed) + wrong_square * (success * success + mixed)
    return (n - 1) / n * math.sqrt(per_long * square / n)


def sampled_adam_half_kept(sgd: float, rms: float) -> float:
    """α_½ of Adam in sampled groups, from that of plain ascent: α_½,SGD · rms(u) (O9).

    Examples
    --------
    >>> sampled_adam_half_kept(2.0, 0.25)
    0.5
    """
    return sgd * rms


#: C² = _LONE (1−β2) + _AVERAGED n(1−J), at most _EXACT² (O9). The numbers are measured, for β1 = 0.9, window 1 and
#: start failure rate 0.8.
_LONE, _AVERAGED, _EXACT = 1.44, 0.46, 4.25


def sampled_adam_scaled(
    failures: float, beta2: float, dynamic_sampling: bool = False, minibatches: int = 1
) -> float:
    """C = α_½√N/2 of Adam in sampled groups, as a function of n(1−J) and β2 (O9), and of minibatches (O10).

    The form of the law is derived, and its three numbers are measured. Measured over predicted is 0.67 to 1.3.

    Parameters
    ----------
    failures : float
        n(1−J), expected failures in a group.
    beta2 : float
    dynamic_sampling : bool
        Whether groups all right or all wrong are dropped. Then every group that counts has a failure.
    minibatches : int
        Parts m of different responses of a group that take a step each.

    Examples
    --------
    >>> round(sampled_adam_scaled(0.2, 0.999), 2), sampled_adam_scaled(1000, 0.999)
    (0.31, 4.25)
    """
    if dynamic_sampling:
        failures = failures / -math.expm1(-failures)
    noise = math.sqrt(_LONE * (1.0 - beta2) + _AVERAGED * failures / minibatches)
    return min(noise, _EXACT / minibatches)


def regime(group_size: float, failure_rate: float, beta2: float, dynamic_sampling: bool = False) -> str:
    """The regime that a scale-free optimizer is in, by the number of failures in a group (O9).

    Returns
    -------
    str
        ``lone``: each failure is a kick of the same size. This is so for n(1−J) below 3.1(1−β2), or below 1 if idle
        groups are dropped. ``averaged``: updates are mostly noise, and the average of squares covers many failures;
        up to n(1−J) = 39. ``sign``: groups agree on the direction; above that. Within a factor 3 of a border both
        names are given, with a slash.

    Examples
    --------
    >>> regime(8, 0.01, 0.999), regime(8, 1e-5, 0.999), regime(1024, 0.2, 0.999), regime(8, 0.01, 0.95)
    ('averaged', 'lone', 'sign', 'lone/averaged')
    """
    failures = group_size * failure_rate
    low = 1.0 if dynamic_sampling else _LONE / _AVERAGED * (1.0 - beta2)
    high = _EXACT**2 / _AVERAGED
    if failures < low / 3:
        return "lone"
    if failures <= low * 3:
        return "lone/averaged"
    if failures < high / 3:
        return "averaged"
    return "averaged/sign" if failures <= high * 3 else "sign"


@dataclass(frozen=True)
class Exponents:
    """The powers in α ∝ T^length (1−J)^failure n^group_size; nan where there is no such law."""

    length: float
    failure: float
    group_size: float


def scale_free_exponents(family: str, regime: str) -> Exponents:
    """Exponents of the half-kept learning rate of a scale-free optimizer (O1, O9).

    They hold for every aggregation, and for every advantage with such a law. In all of them C = α√N/2 is fixed, or
    depends on n(1−J) alone; a family says by its `failure_powers` how N grows with T and 1 − J.

    Parameters
    ----------
    family : str
        A family with one parameter, such as ``counting`` or ``gated``.
    regime : str
        ``exact`` for expected updates, else ``lone``, ``averaged`` or ``sign`` (see `regime`).

    Raises
    ------
    ConfigError
        If there is no such law.

    Examples
    --------
    >>> scale_free_exponents("gated", "averaged")
    Exponents(length=-0.5, failure=1.0, group_size=0.5)
    """
    known = FAMILIES.find(family)
    if not known.even_and_unimodal:
        able = ", ".join(sorted(name for name, other in FAMILIES.items() if other.even_and_unimodal))
        raise ConfigError(f"family: {family!r} has no exponents under optimizers; allowed: {able}")
    lengths = known.failure_powers
    of_length = math.nan if lengths is None else -0.5 * lengths.scored  # α ∝ 1/√N
    laws = {"exact": Exponents(-0.5, of_length, 0.0), "sign": Exponents(-0.5, of_length, 0.0)}
    if lengths is not None:  # failures can be rare
        laws["averaged"] = Exponents(-0.5, of_length + 0.5, 0.5)  # C ∝ √(n(1−J))
        laws["lone"] = Exponents(-0.5, of_length, 0.0)
    if regime not in laws:
        raise ConfigError(f"regime: {regime!r} has no law on {family}; allowed: {', '.join(laws)}")
    return laws[regime]


def shared_length_exponent(optimizer: str, aggregation: str) -> float:
    """Exponent in T of the half-kept learning rate where prompts share parameters, from one success rate (K5).

    In the limit of long responses the dynamics of token sums does not depend on T. An aggregation that divides by a
    length adds its power, except under a scale-free optimizer.

    Examples
    --------
    >>> shared_length_exponent("sgd", "seq-mean-token-sum"), shared_length_exponent("sgd", "token-mean")
    (0.0, 1.0)
    >>> shared_length_exponent("adam", "token-mean")
    0.0
    """
    powers = AGGREGATIONS.find(aggregation).powers
    return 0.0 if OPTIMIZERS.find(optimizer).scale_free else float(sum(powers))


def epochs_factor(steps: int, ratio: str, length: float = math.inf, excess: float = 0.0) -> float:
    """Critical learning rate with `steps` steps on each batch, divided by that with one step (O10).

    With κ the curvature of the ratio's surrogate over that of J: (1 − (1 − 2κ)^(1/μ))/(2κ) for κ below ½, which is
    1/μ for token ratios (κ = 0) and 1/μ + O(1/N) for GSPO's (κ = 1/N); and 1 for the full sequence ratio (κ = 1),
    which makes every step an on-policy one. A clip on ratios does not change it.

    Parameters
    ----------
    steps : int
        μ.
    ratio : str
        Name in `training.ratios.RATIOS`.
    length : float
        N; by default the limit of long responses.
    excess : float
        E[A s′]/λ at the best θ, 0 where all responses are of one length; F(1−ε)N/(4|J″|) on `gated`. Token and
        sequence ratios do not feel it.

    Raises
    ------
    ConfigError
        If there is no such ratio.

    Examples
    --------
    >>> epochs_factor(16, "token"), epochs_factor(16, "sequence")
    (0.0625, 1.0)
    >>> round(16 * epochs_factor(16, "gspo", 64), 4)
    1.015
    """
    chosen = RATIOS.find(ratio)
    curvature = chosen.curvature(length)
    felt = 1.0 - chosen.token - curvature
    if felt != 0.0:
        curvature -= felt * excess
    if curvature == 0.0:
        return 1.0 / steps
    rest = 1.0 - 2.0 * curvature
    if rest >= 0.0:
        return (1.0 - rest ** (1.0 / steps)) / (2.0 * curvature)
    if steps % 2 == 0:
        return 1.0 / curvature
    return (1.0 + (-rest) ** (1.0 / steps)) / (2.0 * curvature)


def clip_range(length: float, ratio: str) -> float:
    """The widest clip range of ratios that keeps half at learning rates that alone would not (O10).

    log(1 + c) is 2.82/√T for token ratios, if steps are small compared with `token_pull_back`, and 5.9/T for GSPO. It
    is infinite for the full sequence ratio, whose steps need no clip in expectation. All are derived, but for GSPO's
    number, which is measured.

    Raises
    ------
    ConfigError
        If there is no such ratio.

    Examples
    --------
    >>> round(clip_range(1024, "token"), 3), round(clip_range(1024, "gspo"), 5)
    (0.092, 0.00578)
    """
    found = RATIOS.find(ratio)
    if found.clip_scale == math.inf:
        return math.inf
    return math.expm1(found.clip_scale * length**found.clip_power)


def token_pull_back(learning_rate: float, length: float, success_rate: float) -> float:
    """How far, in standard deviations, one step goes back once token ratios are clipped (O10).

    α J(1−J) N^{3/2}/4, for token sums on `counting`. Beyond the clip only the tokens that pull back still count, and
    they no longer cancel. Above about 1 a clip does harm.

    Examples
    --------
    >>> token_pull_back(0.01, 16, 0.5)
    0.04
    """
    return learning_rate * success_rate * (1.0 - success_rate) * length * math.sqrt(length) / 4
