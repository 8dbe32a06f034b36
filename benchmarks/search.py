"""Threshold search: strides and bisection against a plain dense scan."""

import math

from gradgap.thresholds import exact
from gradgap.training import rules
from gradgap.training import run as dynamics
from gradgap.training.run import Outcome

from .instances import ADVANTAGE, AGGREGATION, at
from .timing import Row, rows, same

ITERATIONS = 2000


def dense(instance, per_decade: int = 32, decades: float = 4.0, precision: float = 1e-3) -> tuple[float, int]:
    """Critical learning rate by a scan that takes every rung up to the bracket, and how many runs that took."""
    runs = 0

    def converges(rate: float) -> bool:
        nonlocal runs
        runs += 1
        return (
            dynamics.run(instance, ADVANTAGE, AGGREGATION, rate, iterations=ITERATIONS).outcome
            == Outcome.converged
        )

    success, failure, gap = instance.at(instance.theta0)
    update = rules.ADVANTAGES.find(ADVANTAGE).coefficient(success, failure, abs(gap)) * abs(gap)
    centre = exact.one_step(instance) / update
    low = high = math.nan
    for rung in range(round(2 * decades * per_decade) + 1):
        rate = centre * 10 ** (rung / per_decade - decades)
        if converges(rate):
            low = rate
        elif not math.isnan(low):
            high = rate
            break
    while high / low - 1 > precision:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if converges(middle) else (low, middle)
    return math.sqrt(low * high), runs


def _counted(instance) -> int:
    """Runs that the search takes."""
    runs = 0
    run = exact.run

    def counting(*arguments, **options):
        nonlocal runs
        runs += 1
        return run(*arguments, **options)

    exact.run = counting
    try:
        exact.critical(instance, ADVANTAGE, iterations=ITERATIONS)
    finally:
        exact.run = run
    return runs


def measure(quick: bool) -> list[Row]:
    """Time and runs of a threshold."""
    found = []
    for family, length in (("counting", 64), ("counting", 1024), ("gated", 64), ("gated", 1024))[
        : 1 if quick else None
    ]:
        instance, _ = at(family, length)

        def ours(instance=instance) -> float:
            return exact.critical(instance, ADVANTAGE, iterations=ITERATIONS).learning_rate

        expected, runs = dense(instance)
        same("dense scan", ours(), expected, 1e-12)
        name = f"dense scan ({runs} runs for {_counted(instance)})"
        timed = {"ours": ours, name: lambda instance=instance: dense(instance)}
        found += rows(
            "search", f"{family}, T = {length}", timed, repeats=2 if quick else 7, per=1e-3, unit="ms"
        )
    return found
