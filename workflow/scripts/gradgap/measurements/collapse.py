"""Runs whose success rate falls at every iteration, and the thresholds of such runs (docs/theory.md, C7–C9).

The axis `dynamics` names a run by what moves it and by a multiple of its threshold. For example, ``gap 1.05 fold`` is
the rule `gap` on `counting` at 1.05 times the fold, the learning rate from which on J falls at every iteration.
"""

from collections.abc import Callable

from ..bandits import FAMILIES, Instance, of_one_parameter
from ..bandits.counting import log10_success_rate
from ..numerics.elementary import log10
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..theory import catastrophe, closed_forms
from ..thresholds import exact
from ..training.rules import ADVANTAGES
from ..values import failure_rate, number

#: Stands for log₁₀ of a success rate of 0, because a dataset should have finite numbers.
NOTHING = -1e6
#: Start θ₀ of the linear bandit.
LINEAR_START = 0.01

THRESHOLDS = {
    "collapse_convergence": Variable(
        "loss of convergence", "1", "Learning rate of `gap` at which runs stop converging, measured."
    ),
    "collapse_below_start": Variable(
        "fall below the start", "1", "Least learning rate of `gap` at which a run falls below J₀, measured."
    ),
    "collapse_strict": Variable(
        "fall at every iteration",
        "1",
        "Least learning rate of `gap` at which J falls at every iteration until beyond the turn, measured; nan where "
        "there is no fold, as on short responses.",
        undefined=True,
    ),
    "collapse_convergence_predicted": Variable("loss of convergence, closed form", "1", "2/|g′(0)| (C4)."),
    "collapse_below_start_predicted": Variable(
        "fall in the first update", "1", "2|θ₀|/|g(θ₀)| (C2): at most this for the run."
    ),
    "collapse_strict_predicted": Variable("the fold", "1", "max 2θ/|g| from θ₀ to the turn (C8)."),
    "collapse_iterations": Variable(
        "strictly falling iterations",
        "updates",
        "At 1.05 times the fold: updates for which J fell.",
        integer=True,
    ),
    "collapse_floor": Variable(
        "floor", "1", "log₁₀ J where J, at 1.05 times the fold, no longer fell at an iteration."
    ),
    "collapse_floor_predicted": Variable(
        "floor, predicted", "1", "log₁₀ J at the largest root of α|g| = 2θ (C8)."
    ),
}
CURVES = {
    "collapse_log_success_rate": Variable(
        "log₁₀ success rate", "1", f"log₁₀ J along a run; {NOTHING:g} stands for J = 0."
    ),
}


def falling(instance: Instance, learning_rate: float, most: int) -> tuple[int, float]:
    """Count the updates of `gap`, from the start on, that make J fall.

    Parameters
    ----------
    instance : Instance
    learning_rate : float
    most : int
        Where to stop counting.

    Returns
    -------
    updates : int
    theta : float
        |θ| after the last of them.

    Examples
    --------
    At a small learning rate J rises at once:

    >>> falling(FAMILIES.find("counting").instance(64, 0.2), 1e-3, 10)[0]
    0
    """
    theta, updates = abs(instance.theta0), 0
    while updates < most:
        ahead = learning_rate * abs(instance.at(theta)[2]) - theta
        if not ahead > theta:
            break
        theta, updates = ahead, updates + 1
    return updates, theta


def _least(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest learning rate between two others at which a condition holds, to a relative 1e-6."""
    rungs = 64
    # a ladder by repeated products is the same on every machine
    ratio = 1.0 + (high / low - 1.0) / rungs
    below = low
    for rung in range(1, rungs + 1):
        above = low * (1.0 + (ratio - 1.0) * rung)
        if holds(above):
            while above > below * (1 + 1e-6):
                middle = (below + above) / 2
                below, above = (below, middle) if holds(middle) else (middle, above)
            return above
        below = above
    return high


def _falls_below(instance: Instance, iterations: int) -> Callable[[float], bool]:
    def holds(learning_rate: float) -> bool:
        theta, start = abs(instance.theta0), abs(instance.theta0)
        for _ in range(iterations):
            theta = abs(theta - learning_rate * abs(instance.at(theta)[2]))
            if theta > start * (1 + 1e-12):
                return True
        return False

    return holds


def _counting(point: Point) -> Instance:
    rate = point["success_rate"]
    family = FAMILIES.find("counting")
    return of_one_parameter(family.instance(int(number(point["length"])), number(rate), failure_rate(rate)))


def thresholds(point: Point, inner: Axes, settings: Settings) -> dict:
    """The three thresholds of `gap` at one length, and how far J falls in a run above the last one."""
    instance = _counting(point)
    iterations = settings["iterations"]
    found = catastrophe.gap_falls(instance)
    updates, theta = falling(instance, 1.05 * found.strict, iterations)
    folded = found.turn > abs(instance.theta0)
    strict = (
        _least(
            lambda rate: falling(instance, rate, iterations)[1] > found.turn,
            0.5 * found.below_start,
            1.5 * found.strict,
        )
        if folded
        else float("nan")
    )
    return {
        "collapse_convergence": exact.critical(instance, "gap", iterations=iterations).learning_rate,
        "collapse_below_start": _least(
            _falls_below(instance, iterations), found.convergence, 1.01 * found.below_start
        ),
        "collapse_strict": strict,
        "collapse_convergence_predicted": found.convergence,
        "collapse_below_start_predicted": found.below_start,
        "collapse_strict_predicted": found.strict,
        "collapse_iterations": updates,
        "collapse_floor": log10_success_rate(instance, theta),
        "collapse_floor_predicted": log10_success_rate(
            instance, catastrophe.gap_floor(instance, 1.05 * found.strict)
        ),
    }


def curves(point: Point, inner: Axes, settings: Settings) -> dict:
    """log₁₀ J of one run at some iterations."""
    name, factor, *unit = point["dynamics"].split()
    at = [int(number(text)) for text in inner["iteration"]]
    if name == "linear":
        rates = catastrophe.linear_bandit(LINEAR_START, float(factor) / 2, max(at))[1]
        return {"collapse_log_success_rate": [log10(rates[k]) if rates[k] > 0 else NOTHING for k in at]}
    instance = _counting(point)
    if name == "steps":
        growth = catastrophe.strict_factor(float(factor))
        theta = abs(instance.theta0)
        path = [theta]
        for _ in range(max(at)):
            theta = min(growth * theta, 600.0)  # beyond this J is so small that the figure does not show it
            path.append(theta)
    else:
        falls = catastrophe.gap_falls(instance)
        scale = (
            falls.strict
            if unit == ["fold"]
            else closed_forms.critical_closed_form(instance, name, "seq-mean-token-sum")
        )
        coefficient, theta, path = ADVANTAGES.find(name).coefficient, abs(instance.theta0), []
        for _ in range(max(at) + 1):
            path.append(theta)
            success, failure, gap = instance.at(theta)
            update = coefficient(success, failure, abs(gap)) * abs(gap)
            theta = abs(theta - float(factor) * scale * update)
    return {"collapse_log_success_rate": [log10_success_rate(instance, path[k]) for k in at]}


MEASUREMENTS.add("collapse_thresholds")(
    Measurement(
        THRESHOLDS, thresholds, settings=("iterations",), cost=lambda settings: 1e-3 * settings["iterations"]
    )
)
MEASUREMENTS.add("collapse_curves")(
    Measurement(CURVES, curves, inner=("iteration",), together=("iteration",), cost=lambda settings: 0.02)
)
