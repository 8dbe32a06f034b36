"""What the benchmarks run on: a bandit, and half its critical learning rate of GRPO with token sums."""

import functools

from gradgap.bandits import FAMILIES, Instance
from gradgap.numerics.compiler import kernel
from gradgap.thresholds import exact
from gradgap.training.schedules import SCHEDULES

ADVANTAGE, AGGREGATION = "grpo", "seq-mean-token-sum"
SUCCESS_RATE = {"counting": "0.2", "gated": "0.99"}


@kernel
def _one(iteration, iterations, failure_rate, start_failure_rate):
    """Always 1, but not the constant schedule: runs do not stop early, so that every iterate is computed."""
    return 1.0


SCHEDULES.add("benchmark")(_one)


@functools.cache
def at(family: str, length: int, success_rate: str = "") -> tuple[Instance, float]:
    """A bandit and the learning rate."""
    instance = FAMILIES.find(family).instance(length, float(success_rate or SUCCESS_RATE[family]))
    return instance, exact.critical(instance, ADVANTAGE, iterations=200).learning_rate / 2
