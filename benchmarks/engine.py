"""The training loop: what a run costs beside its updates, and what an update costs with each optimizer."""

import numpy as np
from gradgap.training import run as training
from gradgap.training.optimizers import OPTIMIZERS

from .instances import ADVANTAGE, AGGREGATION, at
from .timing import Row, compare, interleaved, processor

#: Runs in one call, where there are many.
MANY = 64
#: So small that θ stays where it starts, and the rates cost the same in every run.
TINY = 1e-12


def _train(learning_rates, iterations: int, optimizer: str = "sgd") -> None:
    """Exact runs on `counting` that compute every update."""
    training.train(
        at("counting", 64)[0],
        ADVANTAGE,
        AGGREGATION,
        learning_rates,
        iterations=iterations,
        schedule="benchmark",
        optimizer=optimizer,
    )


def measure(quick: bool) -> list[Row]:
    """One run a call against many; each optimizer against `sgd`."""
    repeats = 3 if quick else 15
    return [*_calls(200 if quick else 1000, repeats), *_optimizers(2000 if quick else 20000, repeats)]


def _calls(longer: int, repeats: int) -> list[Row]:
    """Time of a run of one update, less the time of an update as longer runs tell it."""
    one, many = np.full(1, TINY), np.full(MANY, TINY)

    def alone(iterations: int) -> None:
        for _ in range(MANY):
            _train(one, iterations)

    seconds = interleaved(
        {
            "alone": lambda: alone(1),
            "together": lambda: [_train(many, 1) for _ in range(10)],
            "together, longer": lambda: _train(many, 1 + longer),
        },
        repeats,
        clock=processor,
    )
    # medians: single differences of long and short runs are noise
    update = np.median(seconds["together, longer"] - seconds["together"] / 10) / longer
    beside = {
        "ours": seconds["alone"] - update,
        f"the same, {MANY} runs a call": seconds["together"] / 10 - update,
    }
    return compare("engine", "a run beside its updates", beside, per=MANY * 1e-6, unit="µs a run")


def _optimizers(iterations: int, repeats: int) -> list[Row]:
    seconds = interleaved(
        {name: lambda name=name: _train(np.full(1, TINY), iterations, name) for name in OPTIMIZERS},
        repeats,
        clock=processor,
    )
    found = []
    for name, ours in seconds.items():
        pair = {"ours": ours, "the same with sgd": seconds["sgd"]}
        found += compare(
            "engine", f"an exact update with {name}", pair, per=iterations * 1e-9, unit="ns an update"
        )
    return found
