"""An audit of every bound on random policies: is the one-step critical step ever below a bound?

All responses of these policies are enumerated, so the one-step critical step and the gain of a step are exact.
"""

from dataclasses import dataclass

import numpy as np

from ..bandits.enumerated import Line, draw, entropy
from ..numerics import streams
from ..numerics.elementary import each, log1p, norm
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..theory import bounds
from ..values import number

#: Names of the bounds, in the order of `theory.Bounds`, and those that promise a gain in log-odds.
BOUNDS = bounds.BOUNDS
LOG_ODDS = ("paper", "prop1")
#: The promised gain is tested at these fractions of a bound.
FRACTIONS = (0.25, 0.5, 1.0)
#: T is the largest mean length on this multiple of the step, because the proofs give a rise up to twice the bound.
_REACH = 2.0
#: Largest step of the search for a critical step, in units of 1/G_p. There all tokens are practically certain.
FURTHEST = 1e4

VARIABLES = {
    "policy_success_rate": Variable("success rate", "1", "J of the policy.", drop=("bound",)),
    "policy_failure_rate": Variable(
        "failure rate", "1", "1 − J of the policy, summed directly.", drop=("bound",)
    ),
    "policy_alignment": Variable("gap alignment", "1", "Δμ of the direction.", drop=("bound",)),
    "policy_cosine": Variable("cosine to the gap", "1", "Δμ/‖g‖: 1 is the gap itself.", drop=("bound",)),
    "policy_mean_length": Variable("mean response length", "tokens", "E|o| of the policy.", drop=("bound",)),
    "policy_max_length": Variable(
        "largest response length", "tokens", "Tokens of the longest.", drop=("bound",)
    ),
    "policy_entropy": Variable("entropy a response", "nats", "0 is deterministic.", drop=("bound",)),
    "policy_critical_step": Variable(
        "one-step critical step", "1", "Smallest η that lowers J; infinite where none does.", drop=("bound",)
    ),
    "policy_proved_rise": Variable(
        "proved rise over largest bound",
        "1",
        "Share of twice the largest bound, or of the critical step if that is smaller, on which a bound on the "
        "curvature proves that no dip was missed; 1 is all of it.",
        drop=("bound",),
    ),
    "policy_bound": Variable(
        "bound", "1", "Step below which J must rise; nan where the condition does not hold.", undefined=True
    ),
    "policy_ratio": Variable(
        "critical step over bound", "1", "Below 1 the bound is wrong; below 2 its proof is.", undefined=True
    ),
    "policy_kept": Variable(
        "gain over promise",
        "1",
        "Least ratio of the gain to the promised one at 1/4, 1/2 and all of the bound; below 1 the bound is wrong.",
        undefined=True,
    ),
}


def cost(settings: Settings) -> float:
    """Seconds for a policy of a few thousand responses."""
    return 8e-4


@dataclass(frozen=True)
class Audit:
    """The results of an audit of one policy and direction.

    Attributes
    ----------
    success_rate, failure_rate, alignment, mean_length : float
        J, 1 − J, Δμ and E|o|.
    critical_step : float
        One-step critical step η*; infinite if no step lowers J.
    proved : float
        A rise is proved (`Line.proved_rise`) on this share of the steps up to twice the largest bound, or up to the
        critical step if that is smaller. If it is 1, the search for the critical step missed no dip that matters.
    bound, ratio, kept : ndarray, shape (bounds,)
        Every bound, η* over it, and the smallest ratio of gain to promised gain at `FRACTIONS` of it.
    """

    success_rate: float
    failure_rate: float
    alignment: float
    mean_length: float
    critical_step: float
    proved: float
    bound: np.ndarray
    ratio: np.ndarray
    kept: np.ndarray


def bounds_of(line: Line) -> tuple[float, float, float, float, np.ndarray]:
    """J, 1 − J, Δμ, E|o| and every bound of a line with Δμ > 0.

    The constants make the test stricter than the bounds as they are stated. G_p and L_p are the smallest numbers that
    are known to hold along this line. T is the largest mean length on twice the largest step that the mean length at
    the start would allow.

    Returns
    -------
    success, failure, alignment, mean_length : float
    bound : ndarray, shape (bounds,)
    """
    success, failure, alignment, mean_length = line.at(0.0)
    spread = line.spread
    max_length = line.tree.longest

    def bounds_at(length: float) -> np.ndarray:
        found = bounds.bounds(alignment, success, failure, length, max_length, spread, spread * spread / 4)
        return np.array(list(vars(found).values()))

    bound = bounds_at(mean_length)
    if mean_length < max_length:
        # a bound in the mean length only shrinks as that grows
        furthest = max(bound[BOUNDS.index("prop2")], bound[BOUNDS.index("prop4")])
        bound = bounds_at(max(mean_length, line.longest(_REACH * furthest)))
    return success, failure, alignment, mean_length, bound


def audit(line: Line) -> Audit:
    """Measure the one-step critical step of a line with Δμ > 0, and test every bound and promised gain.

    Examples
    --------
    >>> policy, direction = draw(np.random.default_rng(0), 3, 2, 2)
    >>> found = audit(policy.line(direction))
    >>> bool(np.nanmin(found.ratio) >= 2)
    True
    """
    success, failure, alignment, mean_length, bound = bounds_of(line)
    critical = line.critical_step(np.nanmin(bound) / 8, FURTHEST / line.spread)
    # the march can only approach the critical step
    needed = min(2 * float(np.nanmax(bound)), critical * (1 - 1e-5))
    proved = line.proved_rise(needed) / needed
    steps = np.multiply.outer(FRACTIONS, bound)
    gain = line.gains(steps.ravel()).reshape(steps.shape)
    log_odds = each(log1p, gain / success) - each(log1p, -gain / failure)
    promised = steps * alignment / 2
    in_log_odds = np.array([name in LOG_ODDS for name in BOUNDS])
    kept = np.where(in_log_odds, log_odds / promised, gain / (promised * success * failure)).min(axis=0)
    return Audit(success, failure, alignment, mean_length, critical, proved, bound, critical / bound, kept)


def generator_at(seed: int, coordinates: Point) -> np.random.Generator:
    """A random generator for these coordinates; it depends on them and the seed only."""
    return np.random.Generator(np.random.PCG64(streams.state(seed, coordinates)))


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of one policy over the bounds."""
    generator = generator_at(settings["seed"], {"measurement": "bound_audit", **point})
    length, vocabulary, dimension = (
        int(number(point[name])) for name in ("policy_length", "vocabulary", "dimension")
    )
    policy, direction = draw(generator, length, vocabulary, dimension)
    line = policy.line(direction)
    found = audit(line)
    probability = line.responses()[0]
    order = [BOUNDS.index(name) for name in inner["bound"]]
    return {
        "policy_success_rate": found.success_rate,
        "policy_failure_rate": found.failure_rate,
        "policy_alignment": found.alignment,
        "policy_cosine": found.alignment / norm(policy.gap()),
        "policy_mean_length": found.mean_length,
        "policy_max_length": float(length),
        "policy_entropy": entropy(probability),
        "policy_critical_step": found.critical_step,
        "policy_proved_rise": found.proved,
        "policy_bound": found.bound[order],
        "policy_ratio": found.ratio[order],
        "policy_kept": found.kept[order],
    }


MEASUREMENTS.add("bound_audit")(
    Measurement(VARIABLES, compute, inner=("bound",), together=("bound",), random=True, cost=cost)
)
