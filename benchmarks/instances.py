"""What the benchmarks run on: a bandit, and half its critical learning rate of GRPO with token sums."""

import functools

from gradgap.bandits import FAMILIES, Instance
from gradgap.thresholds import exact
from gradgap.training.schedules import SCHEDULES

ADVANTAGE, AGGREGATION = "grpo", "seq-mean-token-sum"
SUCCESS_RATE = {"counting": "0.2", "gated": "0.99"}

#: A constant schedule under another name: runs do not stop early, so that every iterate is computed.
SCHEDULES.add("benchmark")(SCHEDULES.find("constant"))


@functools.cache
def at(family: str, length: int, success_rate: str = "") -> tuple[Instance, float]:
    """A bandit and the learning rate."""
    instance = FAMILIES.find(family).instance(length, float(success_rate or SUCCESS_RATE[family]))
    return instance, exact.critical(instance, ADVANTAGE, iterations=200).learning_rate / 2
