"""Schedules: by what factor the learning rate changes along a run.

There are two kinds. A `controllers.Controller` is told what every move did to the success rate, and has a memory. All
others look at the time and at the failure rate only: they are compiled functions
``schedule(iteration, iterations, failure_rate, start_failure_rate) -> factor`` of float64 numbers. `iteration` counts
the updates from 0, `iterations` is the length of the run, and the two rates are the failure rates of the policy now
and at the start.
"""

import math
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError
from ..numerics.compiler import f8, function_type, kernel, require_kernel
from ..plugins import Registry
from .controllers import ControlKernel, Controller, check_controller, control_kernel, hold_headroom

#: Type of every schedule, for engines that take one as an argument.
SCHEDULE = function_type(f8, f8, f8, f8, f8)


@kernel
def _sine(x):
    """sin x for |x| ≤ π/4 by its series. Only basic operations are used, so it is the same on every machine."""
    v = x * x
    series = 1.0 - v / 272.0
    for n in range(7, 0, -1):
        series = 1.0 - v / (2 * n * (2 * n + 1.0)) * series
    return x * series


@kernel
def constant(iteration, iterations, failure_rate, start_failure_rate):
    """The schedule that is always 1; where it is used, the engine may skip idle iterations."""
    return 1.0


@kernel
def _failure_rate(iteration, iterations, failure_rate, start_failure_rate):
    return failure_rate / start_failure_rate


@kernel
def _inverse_sqrt(iteration, iterations, failure_rate, start_failure_rate):
    return 1.0 / math.sqrt(iteration + 1.0)


@kernel
def _warmup(iteration, length):
    """1/length, 2/length … 1, then 1 to the end. It does not start from 0, which would waste an iteration."""
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
    """½(1 + cos πx) at x = k/K, from the sine of whichever angle is smaller."""
    x = min(iteration / iterations, 1.0)
    if x < 0.5:
        sine = _sine(0.5 * math.pi * x)
        return 1.0 - sine * sine
    sine = _sine(0.5 * math.pi * (1.0 - x))
    return sine * sine


def check_schedule(schedule: Any) -> None:
    """Check that a schedule does what the engine relies on. It runs on the schedules of plugins when they are loaded.

    Parameters
    ----------
    schedule : compiled function or Controller

    Raises
    ------
    ConfigError
        If it is no kernel of this type, returns a factor that is negative or not finite, or returns 0 all through a
        run; for a controller see `controllers.check_controller`. The message is one sentence that says what to mend.

    Examples
    --------
    >>> check_schedule(SCHEDULES.find("cosine"))
    """
    if isinstance(schedule, Controller):
        check_controller(schedule)
        return
    require_kernel("schedule", schedule, SCHEDULE, "iteration, iterations, failure_rate, start_failure_rate")
    for iterations in (1.0, 2.0, 10.0, 1000.0, 1e6):
        largest = 0.0
        for k in {0.0, 1.0, iterations // 2, iterations - 1.0}:
            if k >= iterations:
                continue
            for rate, start in ((0.8, 0.8), (1.0, 0.8), (1e-9, 0.8), (0.0, 1e-3), (1e-3, 1e-3)):
                factor = schedule(k, iterations, rate, start)
                if not 0.0 <= factor < math.inf:
                    raise ConfigError(
                        f"the factor is {factor} at iteration {k:g} of {iterations:g}, with failure rate {rate:g} "
                        f"and {start:g} at the start; it must be 0 or more, and finite"
                    )
                largest = max(largest, factor)
        if largest == 0.0:
            raise ConfigError(
                f"the factor is 0 all through a run of {iterations:g} iterations; one must be above 0"
            )


#: All schedules by name.
SCHEDULES: Registry[Callable | Controller] = Registry("schedule", check=check_schedule)


def kernels(name: str) -> tuple[Callable, ControlKernel]:
    """The compiled function and the controller of a schedule: `constant`, or a controller that is not present.

    Examples
    --------
    >>> kernels("headroom-2")[0] is constant, kernels("cosine")[1].present
    (True, False)
    """
    found = SCHEDULES.find(name)
    if isinstance(found, Controller):
        return constant, control_kernel(found)
    return found, control_kernel(None)


SCHEDULES.add("constant")(constant)
SCHEDULES.add("failure-rate")(_failure_rate)
SCHEDULES.add("inverse-sqrt")(_inverse_sqrt)
SCHEDULES.add("warmup-10")(_warmup_10)
SCHEDULES.add("warmup-100")(_warmup_100)
SCHEDULES.add("linear-decay")(_linear_decay)
SCHEDULES.add("cosine")(_cosine)
SCHEDULES.add("headroom-2")(hold_headroom(2))
SCHEDULES.add("headroom-4")(hold_headroom(4))
