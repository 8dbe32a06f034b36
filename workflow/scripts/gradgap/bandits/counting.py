"""The exact families `counting` and `gated`: a response is right if its number of ones lies in a window.

In `counting` every response has N tokens. Each token is a one with probability σ(θ), and the response is right if its
number of ones is within B of N/2. In `gated` this happens with probability ε only; otherwise the response is a single
token and right. So failures of `gated` are rare and long. `counting` is `gated` with ε = 1.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import ConfigError
from ..numerics.binomial import pmf, window
from ..numerics.compiler import borrowed, inlined, kernel
from ..numerics.elementary import exp, log, log1p, log_factorial
from ..numerics.roots import root
from ..numerics.sampling import binomials, failures_before_success, some, table_size
from ..settings import Setting
from ..values import canonical
from . import FAMILIES, Family, Instance, Kernels, LengthPowers
from .groups import COUNT, LENGTH, PROMPT, REWARD, SCORE, WEIGHT
from .responses import Responses
from .surrogates import LARGEST, RESPONSE, TOKEN, bounded, clip_bounds, clipped, response_share


@inlined
def evaluate(theta, parameters):
    """Success rate, failure rate and gradient gap of `counting` or `gated` at θ (docs/theory.md, C1).

    Parameters
    ----------
    theta : float
        Logit of a one.
    parameters : ndarray, shape (3,)
        Long length N, half-width B of the window, and the share ε of long responses.

    Examples
    --------
    Sixteen tokens, right with 6 to 10 ones; below the centre the gap points upwards:

    >>> success, failure, gap = evaluate(-1.0, np.array([16.0, 2.0, 1.0]))
    >>> success + failure, gap > 0
    (1.0, True)
    """
    share = parameters[2]
    success, failure, success_slope, failure_slope = window(theta, int(parameters[0]), int(parameters[1]))
    if share < 1.0:
        whole = (1.0 - share) + share * success
        success_slope *= share * success / whole
        success = whole
        failure *= share
    return success, failure, success_slope + failure_slope


@kernel
def _evaluate(theta, constants, workspace, rates, gaps):
    """`Kernels.evaluate`."""
    rates[0, 0], rates[1, 0], gap = evaluate(theta[0], constants)
    if gaps.shape[0] > 0:
        gaps[0, 0] = gap


@kernel
def _chances(theta):
    """Probabilities of a one and of a zero, each to full accuracy."""
    odds = exp(-abs(theta))
    p, q = odds / (1.0 + odds), 1.0 / (1.0 + odds)
    if theta > 0.0:
        return q, p
    return p, q


@kernel
def _score(state, theta, constants, workspace, rows, group, update):
    """`Kernels.score`: the scores were already drawn by `_outcomes`."""
    total = 0.0
    for i in range(rows):
        total += group[COUNT, i] * group[WEIGHT, i] * group[SCORE, i]
    update[0] += total


@kernel
def _outcomes(state, theta, parameters, workspace, rates, size, most, group):
    """Draw groups until one of them has a long response.

    Of a long response only its count of ones is drawn. Groups without a long response, which move nothing, are
    counted and not drawn. So the cost grows neither with the length nor with the number of such groups.

    Parameters
    ----------
    state : ndarray, shape (4,), uint64
        Of the stream, changed in place.
    theta : ndarray, shape (1,)
        Logit of a one.
    parameters : ndarray, shape (3,)
        As in `evaluate`.
    workspace : ndarray, shape (sampling.table_size(N),)
    rates : ndarray
        Not read.
    size : int
        Group size.
    most : int
        Largest number of groups to draw.
    group : ndarray, shape (COLUMNS, size + 1)
        Filled with the last group: a row for each long response, then one row for all responses of one token.

    Returns
    -------
    rows, groups : int
        Rows of the last group, 0 if no group had a long response, and the number of groups drawn.
    """
    workspace, group = borrowed(workspace), borrowed(group)
    n, half_width, share = int(parameters[0]), int(parameters[1]), parameters[2]
    before = 0
    long = size
    if share < 1.0:
        log_none = size * log1p(-share)
        before = failures_before_success(state, log_none, most)
        if before == most:
            return 0, most
        long = some(state, size, share, log_none)
    p, q = _chances(theta[0])
    binomials(state, n, p, q, long, workspace, group[SCORE])
    for i in range(long):  # loops that fill one column each become vector instructions
        group[LENGTH, i] = n
    for i in range(long):
        group[COUNT, i] = 1.0
    for i in range(long):
        group[PROMPT, i] = 0.0
    for i in range(long):
        ones = group[SCORE, i]
        group[REWARD, i] = 1.0 if abs(ones - n // 2) <= half_width else 0.0
        group[SCORE, i] = ones * q - (n - ones) * p
    if long == size:
        return long, before + 1
    group[REWARD, long] = 1.0
    group[LENGTH, long] = 1.0
    group[COUNT, long] = size - long
    group[SCORE, long] = 0.0
    group[PROMPT, long] = 0.0
    return long + 1, before + 1


@kernel
def _softplus(x):
    """log(1 + e^x)."""
    return max(x, 0.0) + log1p(exp(-abs(x)))


#: Counts whose probability is below this share of the largest are left out of a batch in expectation: 15 standard
#: deviations, which ratios of whole responses need where one batch moves θ by several.
_NEVER = 1e-50


@kernel
def _every(theta, parameters, workspace, surrogate, group):
    """`Kernels.every`: a row for each count of ones of a long response, and one for the short response.

    Ratios of single tokens are the same in all responses, so that the counts of right and of wrong ones share a row.
    """
    n, half_width, share = int(parameters[0]), int(parameters[1]), parameters[2]
    logit = bounded(theta[0])
    p, q = _chances(logit)
    odds = exp(logit)
    mode = min(math.floor((n + 1) * p), n)
    largest = pmf(mode, n, p, q)
    together = surrogate[RESPONSE] == 0.0
    rows = 0
    if together:
        for right in range(2):
            _long_row(group, right, right, n, 0.0, 0.0)
        rows = 2
    mass = largest
    for ones in range(mode, -1, -1):  # down from the mode, then up
        rows = _add_count(group, rows, together, ones, n, half_width, p, q, share * mass)
        mass *= ones / ((n - ones + 1) * odds)
        if mass < _NEVER * largest:
            break
    mass = largest
    for ones in range(mode + 1, n + 1):
        mass *= (n - ones + 1) * odds / ones
        if mass < _NEVER * largest:
            break
        rows = _add_count(group, rows, together, ones, n, half_width, p, q, share * mass)
    if together:
        for right in range(2):
            if group[COUNT, right] > 0.0:
                group[SCORE, right] /= group[COUNT, right]
    if share == 1.0:
        return rows
    group[REWARD, rows] = 1.0
    group[LENGTH, rows] = 1.0
    group[COUNT, rows] = 1.0 - share
    group[SCORE, rows] = 0.0
    group[PROMPT, rows] = 0.0
    return rows + 1


@kernel
def _long_row(group, row, reward, n, probability, score):
    group[REWARD, row] = reward
    group[LENGTH, row] = n
    group[COUNT, row] = probability
    group[SCORE, row] = score
    group[PROMPT, row] = 0.0


@kernel
def _add_count(group, rows, together, ones, n, half_width, p, q, probability):
    """Add the responses with that many ones; returns the number of rows then."""
    right = 1 if abs(ones - n // 2) <= half_width else 0
    score = ones * q - (n - ones) * p
    if together:
        group[COUNT, right] += probability
        group[SCORE, right] += probability * score
        return rows
    _long_row(group, rows, right, n, probability, score)
    return rows + 1


@kernel
def _with_token_ratios(one, zero, length, mean, low, high, p, q, rows, group):
    """The update where the ratio of a token is its own: one number for all ones, and one for all zeros."""
    one_up, zero_up = clipped(one, 1.0, low, high) * q, clipped(zero, 1.0, low, high) * p
    one_down, zero_down = clipped(one, -1.0, low, high) * q, clipped(zero, -1.0, low, high) * p
    total = 0.0
    for i in range(rows):
        weight = group[COUNT, i] * group[WEIGHT, i]
        if weight == 0.0 or group[LENGTH, i] != length:  # the short response has no score
            continue
        ones = group[SCORE, i] + mean
        if weight > 0.0:
            total += weight * (ones * one_up - (length - ones) * zero_up)
        else:
            total += weight * (ones * one_down - (length - ones) * zero_down)
    return total


#: Responses that are taken at once, in loops over columns that become vector instructions. Two columns of so many are
#: in the workspace.
_AT_ONCE = 64


@kernel
def _with_response_ratios(
    log_one, log_zero, of_token, of_response, length, mean, low, high, p, q, workspace, rows, group
):
    """The update where the ratio of a token depends on its response; without a share of its own it is the same for
    ones and zeros.
    """
    of_ones, of_zeros = workspace[:_AT_ONCE], workspace[_AT_ONCE : 2 * _AT_ONCE]
    total = 0.0
    for first in range(0, rows, _AT_ONCE):
        some = min(_AT_ONCE, rows - first)
        scores, lengths = group[SCORE, first : first + some], group[LENGTH, first : first + some]
        counts, weights = group[COUNT, first : first + some], group[WEIGHT, first : first + some]
        for i in range(some):
            shared = of_response * (length * log_zero + (scores[i] + mean) * (log_one - log_zero))
            of_ones[i] = min(of_token * log_one + shared, LARGEST)
            of_zeros[i] = min(of_token * log_zero + shared, LARGEST)
        for i in range(some):
            of_ones[i] = exp(of_ones[i])
        if of_token > 0.0:
            for i in range(some):
                of_zeros[i] = exp(of_zeros[i])
        else:
            of_zeros = of_ones
        for i in range(some):
            weight = counts[i] * weights[i]
            if weight == 0.0 or lengths[i] != length:  # the short response has no score
                continue
            ones = scores[i] + mean
            one, zero = clipped(of_ones[i], weight, low, high), clipped(of_zeros[i], weight, low, high)
            total += weight * (ones * one * q - (length - ones) * zero * p)
    return total


@kernel
def _revisit(theta, old, parameters, workspace, rows, group, surrogate, update):
    """`Kernels.revisit`: a long response has tokens of two kinds, ones and zeros, and is known by its count of ones.

    Counts, or their means, are found again from the scores, ones − Np.
    """
    workspace, group = borrowed(workspace), borrowed(group)
    length = parameters[0]
    now, then = bounded(theta[0]), bounded(old[0])
    p, q = _chances(now)
    old_p, old_q = _chances(then)
    of_token, of_response = surrogate[TOKEN], response_share(surrogate, length)
    low, high = clip_bounds(surrogate)
    mean = length * old_p
    if of_token == 1.0 and of_response == 0.0:
        update[0] += _with_token_ratios(p / old_p, q / old_q, length, mean, low, high, p, q, rows, group)
    else:
        log_zero = log(q / old_q)
        log_one = log_zero + (now - then)  # because log(p/q) = θ
        update[0] += _with_response_ratios(
            log_one, log_zero, of_token, of_response, length, mean, low, high, p, q, workspace, rows, group
        )


@kernel
def _divergence(theta, start, parameters, workspace, slope):
    """`Kernels.divergence`: εN[p log(p/p₀) + q log(q/q₀)] has the slope εNpq(θ − θ₀)."""
    now = bounded(theta[0])
    p, q = _chances(now)
    slope[0] = parameters[2] * parameters[0] * p * q * (now - start[0])


def _sigmoid(x: float) -> float:
    small = exp(-abs(x))
    return 1 / (1 + small) if x >= 0 else small / (1 + small)


@kernel
def _fill_masses(n, p, out):
    for k in range(n + 1):
        out[k] = pmf(k, n, p, 1.0 - p)


def _masses(n: int, p: float) -> np.ndarray:
    """Mass of every count of ones among n tokens."""
    out = np.empty(n + 1)
    _fill_masses(n, p, out)
    return out


@dataclass(frozen=True)
class _LongOrShort:
    """`ResponseModel` of counting and gated: a long response is its count of ones; kind 0 is short, 1 is long."""

    length: int
    half_width: int
    share: float

    def draw(self, theta, size, generator):
        n = self.length
        masses = _masses(n, _sigmoid(float(theta[0])))
        long = generator.random(size) < self.share
        ones = np.minimum(np.searchsorted(np.cumsum(masses), generator.random(size), side="right"), n)
        right = ~long | (np.abs(ones - n // 2) <= self.half_width)
        features = np.where(long, ones, 0)[:, None].astype(float)
        lengths = np.where(long, float(n), 1.0)
        return Responses(right.astype(float), lengths, features, long.astype(int), np.zeros(size, int))

    def normalisers(self, theta):
        of_short = -log1p(-self.share) if self.share < 1 else 0.0
        return np.array([of_short, self.length * _softplus(float(theta[0])) - log(self.share)])

    def slopes(self, theta):
        return np.array([[0.0], [self.length * _sigmoid(float(theta[0]))]])


def half_width(length: int, window: float) -> int:
    """B = round(window · √length / 2), the half-width of the window in tokens.

    Examples
    --------
    >>> half_width(64, 1.0), half_width(64, 2.0)
    (4, 8)
    """
    return math.floor(window * math.sqrt(length) / 2 + 0.5)


@kernel
def _log_odds(theta, length, half_width):
    """Log-odds of success of a window; a rate below the smallest float counts as that float."""
    success, failure, _, _ = window(theta, length, half_width)
    return log(max(success, 5e-324)) - log(max(failure, 5e-324))


def start(length: int, half_width: int, success_rate: float, failure_rate: float) -> float:
    """The start θ₀ < 0 at which a window of this half-width has this success rate.

    Examples
    --------
    >>> theta = start(64, 4, 0.2, 0.8)
    >>> round(evaluate(theta, np.array([64.0, 4.0, 1.0]))[0], 12)
    0.2
    """
    target = log(success_rate) - log(failure_rate)

    def excess(theta: float) -> float:
        return _log_odds(theta, length, half_width) - target

    low = -1 / math.sqrt(length)
    while excess(low) > 0:
        low *= 2
    return root(excess, low, 0.0)


_LOG_10 = 2.302585092994046


def log10_success_rate(instance: Instance, theta: float) -> float:
    """log₁₀ J of `counting` or `gated` at θ, also where J is smaller than the smallest float.

    Below the window, Np < a with a its lower edge, the mass at a is the largest of the window, and
    log J = log C(N, a) + a log p + (N − a) log(1 − p) + log Σ (masses of the window over the mass at a).

    Parameters
    ----------
    instance : Instance
        Of one of these two families.
    theta : float
        Logit of a one.

    Examples
    --------
    >>> bandit = FAMILIES.find("counting").instance(4096, 0.2)
    >>> round(log10_success_rate(bandit, 1.884), 1)
    -670.2
    """
    n, width = int(instance.kernels.constants[0]), int(instance.kernels.constants[1])
    odds, low = exp(-abs(theta)), n // 2 - width
    if instance.kernels.constants[2] < 1.0 or n * odds / (1 + odds) >= low:
        return log(instance.at(theta)[0]) / _LOG_10
    inside = term = 1.0
    for k in range(low, n // 2 + width):
        term *= (n - k) / (k + 1) * odds
        inside += term
    choose = log_factorial(n) - log_factorial(low) - log_factorial(n - low)
    return (choose - low * abs(theta) - n * log1p(odds) + log(inside)) / _LOG_10


def make(
    family: str, length: int, half_width: int, share: float, theta0: float, **settings: float
) -> Instance:
    """The instance with responses of N tokens in a share ε of cases, a window of half-width B, and start θ₀.

    Examples
    --------
    One response in ten is long, of 100 tokens, and the others are one token:

    >>> bandit = make("gated", 100, 5, 0.1, -0.5)
    >>> bandit.length, bandit.max_length
    (10.9, 100)
    """
    return Instance(
        family=family,
        kernels=Kernels(
            evaluate=_evaluate,
            outcomes=_outcomes,
            score=_score,
            constants=np.array([length, half_width, share], dtype=float),
            workspace=max(table_size(length), 2 * _AT_ONCE),
            revisit=_revisit,
            every=_every,
            every_rows=length + 3,
            divergence=_divergence,
        ),
        start=np.array([theta0]),
        best=np.zeros(1),
        length=share * length + (1 - share),
        max_length=length,
        score_length=length,
        token_score_bound=1.0,
        token_hessian_bound=0.25,
        settings=settings,
        responses=_LongOrShort(length, half_width, share),
    )


def _check_window(length: int, window: float) -> int:
    width = half_width(length, window)
    if window <= 0 or width >= length // 2:
        raise ConfigError(
            f"window: {window:g} standard deviations is a half-width of {width} tokens at length {length}; "
            f"allowed: above 0 and below half the length"
        )
    return width


def _check_rate(success_rate: float, failure_rate: float | None) -> float:
    if not 0 < success_rate < 1:
        raise ConfigError(
            f"success_rate: {canonical(success_rate)} is not allowed; it lies strictly between 0 and 1"
        )
    return 1 - success_rate if failure_rate is None else failure_rate


def _check_length(length: int) -> None:
    if length != int(length) or length < 2 or length % 2:
        raise ConfigError(
            f"length: {length} is not allowed; it must be an even whole number of tokens, 2 or more"
        )


WINDOW = Setting(
    description="Half-width of the success window, in standard deviations √T/2 of the count.",
    above=0,
    maximum=1000,
    default=1,
)


def window_is_narrow(long_length: int, half_width: int) -> bool:
    """Whether (2B+1)² ≤ 3(N+1): exactly then the closed form is global for updates along ∇J (docs/theory.md, C6).

    Examples
    --------
    >>> window_is_narrow(1024, 27), window_is_narrow(1024, 28)  # b = 1.72 and 1.78
    (True, False)
    """
    width = 2 * half_width + 1
    return width * width <= 3 * (long_length + 1)


class _Window(Family):
    """What counting and gated share: J is largest where the mean count is in the middle of the window."""

    even_and_unimodal: ClassVar = True

    def curvature(self, instance):
        """|J″(0)| = ε (N/4)(2B+1) f(N/2+B), where f is the Bin(N−1, ½) mass (docs/theory.md, C3)."""
        long_length, half_width, share = instance.kernels.constants
        n, b = int(long_length), int(half_width)
        return float(share) * n / 4 * (2 * b + 1) * pmf(n // 2 + b, n - 1, 0.5, 0.5)

    def stable_globally(self, instance):
        """Whether (2B+1)² ≤ 3(N+1) (docs/theory.md, C6)."""
        return window_is_narrow(int(instance.kernels.constants[0]), int(instance.kernels.constants[1]))


class Counting(_Window):
    """Responses of T tokens that are right if the number of ones is within B of T/2."""

    settings: ClassVar = {"window": WINDOW}
    usual: ClassVar = {"success_rate": 0.2}
    success_vanishes: ClassVar = True

    def instance(self, length, success_rate, failure_rate=None, *, window=1.0):
        _check_length(length)
        failure_rate = _check_rate(success_rate, failure_rate)
        width = _check_window(length, window)
        best, worst, _ = evaluate(0.0, np.array([length, width, 1.0]))
        if failure_rate <= worst:
            raise ConfigError(
                f"success_rate: {canonical(success_rate)} is out of reach for counting at length {length} with "
                f"window {window:g}; allowed: above 0 and below the best reachable success rate {best:.6g}"
            )
        theta0 = start(length, width, success_rate, failure_rate)
        return make("counting", length, width, 1.0, theta0, window=window)

    def from_deviations(self, length: int, deviations: float, half_width: int) -> Instance:
        """The instance that starts a given number of standard deviations away from the centre of the window.

        Parameters
        ----------
        length : int
            Tokens T.
        deviations : float
            (T/2 − E[S]) / (√T/2) at the start, between 0 and √T.
        half_width : int
            B, which then sets the success rate.
        """
        _check_length(length)
        if not 0 < deviations < math.sqrt(length):
            raise ConfigError(
                f"start_deviations: {deviations:g} is not allowed at length {length}; it lies between 0 and √length"
            )
        theta0 = -log1p(2 * deviations / (math.sqrt(length) - deviations))  # −2 artanh(deviations/√T)
        return make("counting", length, half_width, 1.0, theta0)


class Gated(_Window):
    """Rare, long failures: one token and right, or with probability ε a counting response of N tokens."""

    #: N ≈ T/ε and ε ∝ 1 − J, so the long length has the power −1.
    failure_powers: ClassVar = LengthPowers(mean=0.0, scored=-1.0, largest=-1.0)
    settings: ClassVar = {
        "window": WINDOW,
        "start_failure_rate": Setting(
            description="Failure rate q₀ of a long response at the start (gated).",
            above=0,
            below=1,
            default=0.8,
        ),
    }
    usual: ClassVar = {"success_rate": 0.99}

    def instance(self, length, success_rate, failure_rate=None, *, window=1.0, start_failure_rate=0.8):
        failure_rate = _check_rate(success_rate, failure_rate)
        if not 0 < start_failure_rate < 1:
            raise ConfigError(
                f"start_failure_rate: {canonical(start_failure_rate)} is not allowed; it lies strictly between "
                "0 and 1"
            )
        share = failure_rate / start_failure_rate
        if share > 1:
            raise ConfigError(
                f"success_rate: {canonical(success_rate)} is out of reach for gated with start_failure_rate "
                f"{canonical(start_failure_rate)}; allowed: {1 - start_failure_rate:g} or more"
            )
        if length < 2:
            raise ConfigError(f"length: {length} is not allowed; it must be 2 tokens or more")
        long_length = 2 * round((length - (1 - share)) / share / 2)
        width = _check_window(long_length, window)
        worst = evaluate(0.0, np.array([long_length, width, 1.0]))[1]
        if start_failure_rate <= worst:
            raise ConfigError(
                f"start_failure_rate: {canonical(start_failure_rate)} is out of reach for gated at length {length} "
                f"with window {window:g}; allowed: above {worst:.6g}, the failure rate of a long response at its best"
            )
        theta0 = start(long_length, width, 1 - start_failure_rate, start_failure_rate)
        return make(
            "gated", long_length, width, share, theta0, window=window, start_failure_rate=start_failure_rate
        )


FAMILIES.add("counting")(Counting())
FAMILIES.add("gated")(Gated())
