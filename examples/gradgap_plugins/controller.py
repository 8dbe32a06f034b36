"""A controller from outside: a move that lowers J halves the learning rate; after three others it grows slowly."""

from gradgap.numerics.compiler import kernel
from gradgap.training.controllers import Controller
from gradgap.training.schedules import SCHEDULES


@kernel
def control(half_gain, gain, factor, constants, memory):
    if gain < 0.0:
        memory[0] = 0.0
        return 0.5 * factor
    memory[0] += 1.0
    return constants[0] * factor if memory[0] >= 3.0 else factor


SCHEDULES.add("halve-on-falls")(Controller(control, slots=1, constants=(1.01,)))
