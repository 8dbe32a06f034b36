"""Threshold search: strides and bisection against a plain dense scan."""

import math

from gradgap.numerics.elementary import exp10
from gradgap.thresholds import exact
from gradgap.training import rules
from gradgap.training import run as training
from gradgap.training.outcome import Outcome

from .instances import ADVANTAGE, AGGREGATION, at
from .timing import Row, processor, rows, same

ITERATIONS = 2000


def dense(
    instance, per_decade: int = 32, decades: float = 4.0, precision: float = 1e-3
) -> tuple[tuple[float, float], int]:
    """Bracket of the critical learning rate, and how many runs that took.

    The scan takes every rung up to the bracket, each in a call of its own, and then bisects. It bisects twice before
    it looks at the width, as the search does.
    """
    runs = 0

    def converges(rate: float) -> bool:
        nonlocal runs
        runs += 1
        return (
            training.run(instance, ADVANTAGE, AGGREGATION, rate, iterations=ITERATIONS).outcome
            == Outcome.converged
        )

    success, failure, gap = instance.at(instance.theta0)
    update = rules.ADVANTAGES.find(ADVANTAGE).coefficient(success, failure, abs(gap)) * abs(gap)
    centre = exact.one_step(instance) / update
    low = high = math.nan
    for rung in range(round(2 * decades * per_decade) + 1):
        rate = centre * exp10(rung / per_decade - decades)
        if converges(rate):
            low = rate
        elif not math.isnan(low):
            high = rate
            break
    while high / low - 1 > precision:
        for _ in range(2):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if converges(middle) else (low, middle)
    return (low, high), runs


def counted(instance) -> tuple[int, int]:
    """Runs that the search takes, and calls of the compiled loop that make them."""
    runs = calls = 0
    train = exact.train

    def counting(policy, advantage, aggregation, learning_rates, **options):
        nonlocal runs, calls
        runs += len(learning_rates)
        calls += 1
        return train(policy, advantage, aggregation, learning_rates, **options)

    exact.train = counting
    try:
        exact.critical(instance, ADVANTAGE, iterations=ITERATIONS)
    finally:
        exact.train = train
    return runs, calls


def measure(quick: bool) -> list[Row]:
    """Time, runs and calls of a threshold."""
    found = []
    for family, length in (("counting", 64), ("counting", 1024), ("gated", 64), ("gated", 1024))[
        : 1 if quick else None
    ]:
        instance, _ = at(family, length)

        def ours(instance=instance) -> exact.Critical:
            return exact.critical(instance, ADVANTAGE, iterations=ITERATIONS)

        (low, high), many = dense(instance)
        searched = ours()
        same("dense scan", low, searched.low, 1e-12)
        same("dense scan", high, searched.high, 1e-12)
        runs, calls = counted(instance)
        name = f"dense scan ({many} runs; ours {runs} in {calls})"
        timed = {"ours": ours, name: lambda instance=instance: dense(instance)}
        found += rows(
            "search",
            f"{family}, T = {length}",
            timed,
            repeats=2 if quick else 7,
            per=1e-3,
            unit="ms",
            clock=processor,
        )
    return found
