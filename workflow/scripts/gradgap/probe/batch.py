"""`probe`: the headroom of a step from one batch of fresh responses."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from . import checks
from .result import Curve, Headroom, Status
from .weights import (
    blend,
    contributions,
    crossing,
    effective,
    excess,
    grid,
    log_odds,
    quantiles,
    resampled,
    summed,
)

#: The reach ends where the effective number of responses of an outcome falls below this share of their number.
LEAST_SHARE = 0.3
#: The reach also ends where the effective number of responses of an outcome falls below this.
LEAST_EFFECTIVE = 8.0
#: An edge up to this many times the reach is believed, if its interval begins within the reach. If the estimate
#: itself had to lie within, then for a truth near the reach only the low estimates would be kept, which would be a
#: bias.
_TRUSTED = 1.5
#: If no edge is seen, the lower bound is the lower end of an interval of this level.
_PROMISED = 0.98


def generator_of(seed: int | np.random.Generator) -> np.random.Generator:
    """The given generator, or a new one from a seed."""
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)


def reach_of(places: np.ndarray, shares: np.ndarray, sizes: np.ndarray, least_share: float) -> float:
    """Reach: the largest t up to which each outcome keeps enough effective responses.

    Parameters
    ----------
    places : ndarray, shape (points,)
        Trial steps t, rising, above 0.
    shares, sizes : ndarray, shape (2, points)
        Effective sample size of each outcome, as a share of its responses and as a number.
    least_share : float
        Least share; the least number is `LEAST_EFFECTIVE`.

    Returns
    -------
    float

    Examples
    --------
    >>> places, share = np.array([1.0, 2.0]), np.array([0.4, 0.2])
    >>> round(reach_of(places, np.stack([share, share]), np.full((2, 2), 100.0), 0.3), 6)
    1.5
    """
    share = shares / least_share if least_share > 0 else np.full_like(shares, np.inf)
    margin = np.minimum(np.minimum(share, sizes / LEAST_EFFECTIVE).min(axis=0), 1e9)
    short = np.nonzero(margin < 1)[0]
    if not short.size:
        return float(places[-1])
    i = int(short[0])
    if i == 0:
        return 0.0
    part = (margin[i - 1] - 1) / (margin[i - 1] - margin[i])
    return float(places[i - 1] + part * (places[i] - places[i - 1]))


def parabola(steps: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Fit a parabola through (0, 0) to gains, by least squares.

    Parameters
    ----------
    steps : ndarray, shape (m,)
        Trial steps t.
    gain : ndarray, shape (m, ...)
        J(t) − J(0).

    Returns
    -------
    ndarray, shape (2, ...)
        Slope and half of the curvature at 0.

    Examples
    --------
    >>> t = np.array([0.5, 1.0, 2.0])
    >>> parabola(t, 3 * t - t**2).round(6)
    array([ 3., -1.])
    """
    design = np.stack([steps, steps**2], axis=1)
    return np.linalg.lstsq(design, gain, rcond=None)[0]


def mean_weight(weight: np.ndarray, change: np.ndarray) -> tuple[float, float]:
    """Mean importance weight e^λ and its standard error, to check that responses come from the policy at t = 0.

    For such responses the mean is 1, but for noise.

    Parameters
    ----------
    weight : ndarray, shape (n,)
        Weight of each response in the success rate, of sum 1.
    change : ndarray, shape (n,)
        λ.

    Returns
    -------
    mean, error : float

    Examples
    --------
    >>> mean_weight(np.full(2, 0.5), np.log([0.5, 1.5]))[0]
    1.0
    """
    ratio = np.exp(np.minimum(change, 300.0))
    mean = float(weight @ ratio)
    return mean, float(np.sqrt(weight**2 @ (ratio - mean) ** 2))


def quadratic_headroom(slope: float, half: float) -> float:
    """The t at which the parabola slope · t + half · t² falls below 0; infinite if it curves upwards.

    Examples
    --------
    >>> quadratic_headroom(3.0, -1.0), quadratic_headroom(3.0, 1.0)
    (3.0, inf)
    """
    return float(max(-slope / half, 0.0)) if half < 0 else np.inf


def probe(
    rewards: Any,
    logps: Any,
    steps: Any,
    *,
    prompts: Any = None,
    weights: Any = None,
    seed: int | np.random.Generator,
    ids: Any = None,
    built: Any = None,
    in_sample: bool = False,
    level: float = 0.9,
    resamples: int = 400,
    least_share: float = LEAST_SHARE,
) -> Headroom:
    """Headroom of a step from one batch of fresh responses (docs/probe.md).

    The responses are drawn from the policy before the step, t = 0, and scored once under each trial policy θ + t u.
    With w_i(t) = π_t(o_i)/π_0(o_i), the log-odds gained are exactly ℓ(t) − ℓ(0) = log E[w | right] − log E[w |
    wrong]. The function estimates J(t) − J(0) = E[(r − b)(w − 1)] instead, which has less noise, with the best
    baseline b.

    Parameters
    ----------
    rewards : array_like, shape (n,)
        1 for a right response, 0 for a wrong one.
    logps : array_like, shape (n, steps)
        Log-probability of each whole response (the sum over its tokens, the end of sequence included) under each
        trial policy. Lengths may differ. Compute those of t = 0 by the same code as the others: the log-probabilities
        of an inference engine differ from them by more than a small step changes them.
    steps : array_like, shape (steps,)
        Trial steps t in units of the step. 0 must be among them. A good choice is 0, 0.5, 1, 2, 4, 8.
    prompts : array_like, shape (n,), optional
        Label of each response's prompt. The success rate is then the mean over prompts, and prompts are the blocks
        of the bootstrap.
    weights : array_like, shape (n,), optional
        Weight of each response's prompt in the success rate; equal by default.
    seed : int or Generator
        Random numbers of the bootstrap.
    ids, built : iterable of hashable, optional
        Names of these responses, and of those from which the update was computed. If a response is in both, the call
        is refused.
    in_sample : bool
        Whether the responses were used to compute the step. True is refused.
    level : float
        Level of the interval.
    resamples : int
        Resamples of the bootstrap.
    least_share : float
        The answer is believed as long as the effective share of the responses of each outcome is at least this.

    Returns
    -------
    Headroom

    Raises
    ------
    ConfigError
        If the arrays do not fit together, have values that are not allowed, or have one outcome only. If responses
        built the update, according to `in_sample` or to `ids` and `built`.

    Notes
    -----
    On the responses that built u, the gain of u looks too large, and the more so the fewer they are (docs/probe.md
    has measurements). **This cannot be seen from the numbers**: rewards and log-probabilities of such responses look
    like those of fresh ones, so pass `ids` and `built`. It can also not be seen whether two prompts are nearly the
    same, or whether the answer leaks into the prompt.

    Examples
    --------
    A single token that is right with probability p = σ(θ), at θ = 0. With u = −1 every step does harm:

    >>> right = np.arange(200) % 2
    >>> steps = np.array([0.0, 1.0, 2.0])
    >>> logp = -np.log1p(np.exp(np.where(right[:, None] == 1, steps, -steps)))
    >>> answer = probe(right, logp, steps, seed=1)
    >>> round(answer.gain, 2), answer.headroom, str(answer.status)
    (-0.23, 0.0, 'measured')
    """
    if in_sample:
        raise ConfigError(
            "in_sample: responses that built the update make its gain look too large; allowed: "
            "responses that the update has not seen, such as those of the next batch"
        )
    checks.refuse_in_sample(ids, built)
    data = checks.batch(rewards, logps, steps, prompts, weights)
    if not (data.steps > 0).any():
        raise ConfigError("steps: found none above 0; allowed: at least one trial step along the update")
    places = grid(data.steps)
    change = data.change @ blend(data.steps, places).T
    block = data.prompt
    if data.grouped and block.max() == 0:
        block = np.arange(len(block))  # one prompt: its responses are the blocks
    responses = Responses(
        data.right, data.weight, data.prompt if data.grouped else None, block, np.zeros(block.max() + 1, int)
    )
    return answer(
        places,
        change,
        np.zeros((len(block), 1)),
        responses,
        generator_of(seed),
        level=level,
        resamples=resamples,
        least_share=least_share,
        near=(data.steps, data.change),
    )


@dataclass(frozen=True)
class Responses:
    """What `answer` needs to know about the responses.

    Attributes
    ----------
    right, weight : ndarray, shape (n,)
        Outcome of each response, and its weight in the success rate. The weights sum to 1.
    prompt : ndarray of int, shape (n,), or None
        Prompt of each response, if there are prompts.
    block : ndarray of int, shape (n,)
        Block of each response in the bootstrap, which draws whole blocks.
    strata : ndarray of int, shape (blocks,)
        Stratum of each block. As many blocks of a stratum are drawn as it has.
    """

    right: np.ndarray
    weight: np.ndarray
    prompt: np.ndarray | None
    block: np.ndarray
    strata: np.ndarray


def answer(
    places: np.ndarray,
    change: np.ndarray,
    start: np.ndarray,
    data: Responses,
    generator: np.random.Generator,
    *,
    level: float,
    resamples: int,
    least_share: float,
    near: tuple[np.ndarray, np.ndarray],
) -> Headroom:
    """Headroom from log-ratios, for responses that were drawn from one policy or from a mixture of several.

    Parameters
    ----------
    places : ndarray, shape (points,)
        Trial steps t > 0, rising.
    change : ndarray, shape (n, points)
        Log of π_t over the density from which the responses were drawn.
    start : ndarray, shape (n, 1)
        The same at t = 0. It is zero if the responses were drawn from π_0.
    data : Responses
    generator : Generator
    level, resamples, least_share
        As in `probe`.
    near : tuple of ndarray
        Trial steps, shape (m,), and λ there, shape (n, m), for the cross-check.
    """
    right, weight = data.right, data.weight
    base = excess(start)
    drawn = np.array([[weight[mask].sum() ** 2 / (weight[mask] ** 2).sum()] for mask in (right, ~right)])
    kept = np.stack([effective(change[mask], weight[mask]) for mask in (right, ~right)])
    reach = reach_of(places, kept / drawn, kept, least_share)
    mass = weight * np.exp(start[:, 0])
    parts = summed(
        np.column_stack(
            [
                contributions(weight, excess(change) - base, right, data.prompt),
                weight * 1.0,
                mass,
                mass * right,
            ]
        ),
        data.block,
    )

    def gain_of(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return total[..., :-3] / total[..., -3:-2], total[..., -1:] / total[..., -2:-1]

    gain, success = gain_of(parts.sum(axis=0))
    edge = float(crossing(places, gain))
    gains, successes = gain_of(resampled(generator, resamples, data.strata) @ parts)
    edges = crossing(places, gains)
    low, high = quantiles(edges, level)
    read_at = min(edge, _TRUSTED * reach, places[-1])
    effective_right, effective_wrong = (float(np.interp(read_at, places, row)) for row in kept)
    if reach == 0:
        status, edge, low, high = Status.void, np.nan, np.nan, np.nan
    elif low <= reach and edge <= _TRUSTED * reach:
        status = Status.measured
    else:
        # an edge can be missed by chance, so the lower bound is one that nearly all resamples agree with
        status, edge, high = Status.beyond_reach, min(reach, quantiles(edges, _PROMISED)[0]), np.inf
        reach = low = edge
    steps, moved = near
    size = np.where(steps == 0, np.inf, np.abs(steps))
    inside = size <= max(reach, size.min())
    around = contributions(weight, excess(moved[:, inside]) - base, right, data.prompt).sum(axis=0)
    slope, half = parabola(steps[inside], around)
    mean, error = mean_weight(weight, moved[:, int(np.argmin(size))])
    at_one = places[-1] >= 1 and np.interp(1.0, places, kept.min(axis=0)) >= LEAST_EFFECTIVE
    first = np.zeros(1)
    ends = [(1 - level) / 2, (1 + level) / 2]
    band = np.quantile(log_odds(gains, np.clip(successes, 1e-12, 1 - 1e-12)), ends, axis=0, method="nearest")
    return Headroom(
        gain=float(np.interp(1.0, places, gain)) if at_one else np.nan,
        headroom=edge,
        headroom_interval=(low, high),
        reach=reach,
        effective_right=effective_right,
        effective_wrong=effective_wrong,
        status=status,
        quadratic=quadratic_headroom(slope, half),
        mean_weight=mean,
        mean_weight_error=error,
        responses=len(right),
        curve=Curve(
            np.concatenate([first, places]),
            np.concatenate([first, log_odds(gain, success)]),
            np.concatenate([first, band[0]]),
            np.concatenate([first, band[1]]),
        ),
    )
