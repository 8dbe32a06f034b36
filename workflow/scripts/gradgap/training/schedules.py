"""Schedules: the factor on the learning rate at each iteration.

A schedule is a compiled function ``schedule(iteration, iterations, failure_rate, start_failure_rate) -> factor``, all
float64: `iteration` k counts from 0, `iterations` K is the length of the run, and the rates are those of the policy
now and at the start.
"""

import math
from collections.abc import Callable

from ..numerics.compiler import f8, function_type, kernel
from ..plugins import Registry

#: Type of every schedule, for an engine that takes one as an argument.
SCHEDULE = function_type(f8, f8, f8, f8, f8)


@kernel
def _sine(x):
    """sin x for |x| ≤ π/4, by its series: basic operations alone, the same on every machine."""
    v = x * x
    series = 1.0 - v / 272.0
    for n in range(7, 0, -1):
        series = 1.0 - v / (2 * n * (2 * n + 1.0)) * series
    return x * series


@kernel
def _constant(iteration, iterations, failure_rate, start_failure_rate):
    return 1.0


@kernel
def _failure_rate(iteration, iterations, failure_rate, start_failure_rate):
    return failure_rate / start_failure_rate


@kernel
def _inverse_sqrt(iteration, iterations, failure_rate, start_failure_rate):
    return 1.0 / math.sqrt(iteration + 1.0)


@kernel
def _warmup(iteration, length):
    """1/length, 2/length … 1, and 1 ever after: no iteration is spent on a rate of 0."""
    return min((iteration + 1.0) / length, 1.0)


@kernel
def _warmup_10(iteration, iterations, failure_rate, start_failure_rate):
    return _warmup(iteration, 10.0)


@kernel
def _warmup_100(iteration, iterations, failure_rate, start_failure_rate):
    return _warmup(iteration, 100.0)


@kernel
def _linear_decay(iteration, iterations, failure_rate, start_failure_rate):
    return max(iterations - iteration, 0.0) / iterations


@kernel
def _cosine(iteration, iterations, failure_rate, start_failure_rate):
    """½(1 + cos πx) at x = k/K, from whichever sine has the small argument."""
    x = min(iteration / iterations, 1.0)
    if x < 0.5:
        sine = _sine(0.5 * math.pi * x)
        return 1.0 - sine * sine
    sine = _sine(0.5 * math.pi * (1.0 - x))
    return sine * sine


#: All schedules by name.
SCHEDULES: Registry[Callable] = Registry("schedule")
SCHEDULES.add("constant")(_constant)
SCHEDULES.add("failure-rate")(_failure_rate)
SCHEDULES.add("inverse-sqrt")(_inverse_sqrt)
SCHEDULES.add("warmup-10")(_warmup_10)
SCHEDULES.add("warmup-100")(_warmup_100)
SCHEDULES.add("linear-decay")(_linear_decay)
SCHEDULES.add("cosine")(_cosine)
