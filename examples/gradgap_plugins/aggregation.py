"""An aggregation from outside: summed scores divided by the square root of the mean response length."""

import math

from gradgap.numerics.compiler import kernel
from gradgap.training.rules import AGGREGATIONS, Aggregation


@kernel
def sampled(length, size, total_length, max_length):
    return 1.0 / (size * math.sqrt(total_length / size))


# no exponent is written down: √T in the divisor makes α* ∝ T^(½−1), and says nothing of 1−J
AGGREGATIONS.add("root-mean")(Aggregation(lambda instance: math.sqrt(instance.length), sampled))
