"""Controllers: schedules that see what every move did to the success rate, and remember it.

After each iteration that moved θ, the engine evaluates the success rate J also halfway along that move. Then it calls
a compiled function

``control(half_gain, gain, factor, constants, memory) -> factor``.

`half_gain` is J halfway along the move minus J before it, and `gain` is J after the move minus J before it. Both are
means over the prompts, and exact even in sampled runs. `factor` is the factor of the learning rate of this move, and
the function returns the factor of the next move. A run starts with the factor 1 and a memory of zeros. `constants`
and `memory` are float64 arrays. The function may change `memory` only, and must not allocate memory. With several
steps on a batch, the move is the sum of these steps.

A trainer does not know J exactly. There `probe.HeadroomController` holds the headroom by the same rule, from
estimates.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..numerics.compiler import f8, function_type, kernel, require_kernel, vector
from ..numerics.elementary import exp, log

#: Type of every `control`, for engines that take one as an argument.
CONTROL = function_type(f8, f8, f8, f8, vector, vector)


@dataclass(frozen=True)
class Controller:
    """A schedule with a memory.

    Attributes
    ----------
    control : compiled function
        Returns the factor of the next move; its arguments are described at the top of this module.
    slots : int
        How many numbers its memory holds.
    constants : tuple of float
        Numbers that `control` receives at every call.
    """

    control: Callable
    slots: int
    constants: tuple[float, ...] = ()


@kernel
def gained(before, after):
    """Change of J, the mean over prompts, computed from the smaller of J and 1 − J, so that its digits do not cancel.

    Parameters
    ----------
    before, after : ndarray, shape (2, Q)
        Success and failure rate of each prompt.

    Examples
    --------
    Near J = 1 the difference of two success rates would be 0. The failure rates still show the gain:

    >>> gained(np.array([[1.0], [1e-20]]), np.array([[1.0], [4e-21]]))
    6e-21
    """
    total = 0.0
    for q in range(before.shape[1]):
        if before[0, q] < before[1, q]:
            total += after[0, q] - before[0, q]
        else:
            total += before[1, q] - after[1, q]
    return total / before.shape[1]


@kernel
def _hold_headroom(half_gain, gain, factor, constants, memory):
    target, warm_up, pace, most = constants[0], constants[1], constants[2], constants[3]
    # the parabola through the three values of J, in units of the factor: slope at the start of the move, curvature
    window = (memory.size - 1) // 2
    place = 1 + 2 * (int(memory[0]) % window)
    memory[place] = (4.0 * half_gain - gain) / factor
    memory[place + 1] = 4.0 * (gain - 2.0 * half_gain) / (factor * factor)
    memory[0] += 1.0
    if memory[0] < warm_up:
        return factor
    slope, curvature = 0.0, 0.0
    for i in range(1, memory.size, 2):
        slope += memory[i]
        curvature += memory[i + 1]
    if slope == 0.0 and curvature == 0.0:
        return factor
    largest = log(most)
    if slope <= 0.0:
        change = -largest
    elif curvature >= 0.0:
        change = largest
    else:
        edge = 2.0 * slope / -curvature
        change = min(max(pace * log(edge / (factor * target)), -largest), largest)
    return min(max(factor * exp(change), constants[4]), constants[5])


def hold_headroom(
    target: float,
    *,
    window: int = 20,
    warm_up: int = 3,
    pace: float = 0.2,
    most: float = 1.2,
    lowest: float = 1e-6,
    highest: float = 100.0,
) -> Controller:
    """A controller that holds the headroom of the moves at a target.

    It uses exact success rates, and otherwise follows the rule of `probe.HeadroomController`.

    Parameters
    ----------
    target : float
        Headroom to hold, above 1.
    window : int
        Number of moves that are pooled.
    warm_up : int
        Number of moves before the first change.
    pace : float
        Share of the way to the target at each move, on a log scale.
    most : float
        Largest factor by which the learning rate changes at each move.
    lowest, highest : float
        Limits of the factor.

    Examples
    --------
    As a plugin, with a headroom of 3: ``SCHEDULES.add("headroom-3")(hold_headroom(3))``.

    >>> hold_headroom(3).slots
    41
    """
    limits = (float(target), float(warm_up), float(pace), float(most), float(lowest), float(highest))
    return Controller(_hold_headroom, 1 + 2 * window, limits)


class ControlKernel(NamedTuple):
    """A controller in the form that the engine needs.

    Attributes
    ----------
    control : compiled function
    constants, memory : ndarray
    present : bool
        Whether the run has a controller. If not, the engine never calls the function.
    """

    control: Callable
    constants: np.ndarray
    memory: np.ndarray
    present: bool


def control_kernel(controller: Controller | None) -> ControlKernel:
    """A controller with a new memory, in the form that the engine needs. None stands for no controller."""
    if controller is None:
        return ControlKernel(_hold_headroom, np.empty(0), np.empty(0), False)
    constants = np.array(controller.constants, float)
    return ControlKernel(controller.control, constants, np.zeros(controller.slots), True)


def check_controller(controller: Controller) -> None:
    """Check that a controller does what the engine relies on.

    Parameters
    ----------
    controller : Controller

    Raises
    ------
    ConfigError
        If a field has a wrong type, or if the factor is not above 0, not finite, or not the same for the same moves.
        The message is one sentence that says what to mend.

    Examples
    --------
    >>> check_controller(hold_headroom(2))
    """
    require_kernel("control", controller.control, CONTROL, "half_gain, gain, factor, constants, memory")
    slots = controller.slots
    if isinstance(slots, bool) or not isinstance(slots, int) or slots < 0:
        raise ConfigError(f"slots: {slots!r} is not allowed; it is a whole number, 0 or more")
    for value in controller.constants:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"constants: {value!r} is not allowed; they are finite numbers")
    # moves that help, that harm, that are silent, and of very different sizes
    sizes = np.repeat([1e-9, 1e-6, 1e-4, 1e-2, 1.0], 40)
    moves = np.random.default_rng(0).normal(size=(200, 2)) * sizes[:, None]
    moves[::7] = 0.0
    for gains in (moves, np.abs(moves), -np.abs(moves)):
        if not np.array_equal(_factors(controller, gains), _factors(controller, gains)):
            raise ConfigError("control must give the same factors for the same moves from a memory of zeros")


def _factors(controller: Controller, gains: np.ndarray) -> list[float]:
    """The factors that a controller returns along these moves."""
    constants = np.array(controller.constants, float)
    guarded = np.concatenate([np.zeros(controller.slots), [7.0]])
    found = [1.0]
    for half_gain, gain in gains:
        factor = controller.control(half_gain, gain, found[-1], constants, guarded[:-1])
        if not 0.0 < factor < math.inf:
            raise ConfigError(
                f"the factor is {factor} after a move that gained {half_gain:g} halfway and {gain:g} in all; it must "
                f"be above 0, and finite"
            )
        found.append(factor)
    if guarded[-1] != 7.0:
        raise ConfigError(f"control writes beyond its memory; it needs more than {controller.slots} slots")
    if not np.array_equal(constants, np.array(controller.constants, float)):
        raise ConfigError("control must leave its constants as they are")
    return found
