"""A schedule from outside: the full learning rate in the first half of a run, a tenth of it in the second."""

from gradgap.numerics.compiler import kernel
from gradgap.training.schedules import SCHEDULES


@kernel
def schedule(iteration, iterations, failure_rate, start_failure_rate):
    return 1.0 if 2.0 * iteration < iterations else 0.1


SCHEDULES.add("half-way")(schedule)
