"""An update rule from outside: its expected update is the gradient gap damped by J(1−J)²."""

from gradgap.numerics.compiler import kernel
from gradgap.training.rules import ADVANTAGES, Advantage


@kernel
def coefficient(success_rate, failure_rate, gap_norm):
    return success_rate * failure_rate**2


# c ~ (1−J)² as J → 1, from which the exponent of the critical learning rate follows
ADVANTAGES.add("squared")(Advantage(coefficient, power=2.0))
