"""Critical learning rates on `counting` against the window: measured, in closed form, and what is safe (C4, C6)."""

import enum
import math

import numpy as np

from ..bandits.counting import Counting, evaluate, half_width
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, empty, product
from ..theory import closed_forms
from ..thresholds import exact
from ..training import rules
from ..values import Rate, number

#: For which starts the closed form of a critical learning rate holds, see `closed_forms.Reach`; unknown if the window
#: does not reach the success rate, because then there is no start.
Word = enum.IntEnum("Word", {"unknown": 0, "local": 1, "global": 2})

VARIABLES = {
    "reach_half_width": Variable(
        "half-width of the window",
        "tokens",
        "B, which follows from the window.",
        drop=("rule",),
        integer=True,
    ),
    "reach_critical_learning_rate": Variable(
        "critical learning rate",
        "1",
        "As critical_learning_rate, on counting, with the same success rate at the start for every window; nan if "
        "the window does not reach that success rate.",
        undefined=True,
    ),
    "reach_search": Variable(
        "end of the search",
        "1",
        "How the threshold search ended; never_converged if there is no start.",
        codes=exact.Search,
    ),
    "reach_closed_form": Variable(
        "critical learning rate, closed form", "1", "Where the best θ loses stability.", undefined=True
    ),
    "reach_word": Variable(
        "reach of the closed form",
        "1",
        "Whether every start up to θ₀ converges below the closed form, or only starts close to the best θ are known "
        "to.",
        codes=Word,
    ),
    "reach_safe_learning_rate": Variable(
        "safe learning rate",
        "1",
        "min 2|θ|·divisor/|F(θ)| over 0 < |θ| ≤ |θ₀|: below it every update comes nearer to the best θ.",
        undefined=True,
    ),
}


def cost(settings: Settings) -> float:
    """Seconds for a point, at most; see `thresholds.cost`."""
    return 1.5e-5 * settings["iterations"]


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of the instance of one length and window, over rules."""
    out = empty(inner, VARIABLES)
    length, rate = int(number(point["length"])), Rate(point["success_rate"])
    width = min(half_width(length, number(point["window"])), length // 2 - 1)
    out["reach_half_width"][...] = width
    if evaluate(0.0, np.array([length, width, 1.0]))[0] <= rate.success:
        for name in ("reach_critical_learning_rate", "reach_closed_form", "reach_safe_learning_rate"):
            out[name][...] = math.nan
        out["reach_search"][...], out["reach_word"][...] = exact.Search.never_converged, Word["unknown"]
        return out
    # the window of exactly this half-width; a quarter of a token is rounded to a half-width of 0
    window = max(width, 0.25) * 2 / math.sqrt(length)
    instance = Counting().instance(length, rate.success, rate.failure, window=window)
    for index, of_rule in product(inner):
        advantage, aggregation = rules.of_point({**point, **of_rule})
        found = exact.critical(
            instance,
            advantage,
            iterations=settings["iterations"],
            tolerance=settings["tolerance"],
            per_decade=settings["scan_per_decade"],
        ).divided(rules.AGGREGATIONS.find(aggregation).divisor(instance))
        reach = closed_forms.critical_reach(instance, advantage, aggregation)
        out["reach_critical_learning_rate"][index] = found.learning_rate
        out["reach_search"][index] = found.search
        out["reach_closed_form"][index] = closed_forms.critical_closed_form(instance, advantage, aggregation)
        out["reach_word"][index] = Word[reach.word or "unknown"]
        out["reach_safe_learning_rate"][index] = reach.safe
    return out


MEASUREMENTS.add("window_thresholds")(
    Measurement(
        VARIABLES,
        compute,
        inner=("rule",),
        settings=("iterations", "tolerance", "scan_per_decade"),
        cost=cost,
    )
)
