"""Predicted exponents of the critical learning rate, α* ∝ T^a (1−J)^b (docs/theory.md, E1 and E2)."""

import math

from ..bandits import FAMILIES
from ..training.rules import ADVANTAGES, AGGREGATIONS


def length_exponent(family: str, advantage: str, aggregation: str) -> float:
    """a in α* ∝ T^a at fixed success rate (E1): −1, and what the aggregation divides by makes good again.

    Examples
    --------
    >>> length_exponent("counting", "grpo", "seq-mean-token-sum"), length_exponent("gated", "grpo", "token-mean")
    (-1.0, 0.0)
    """
    return sum(AGGREGATIONS.find(aggregation).powers) - 1.0


def failure_exponent(family: str, advantage: str, aggregation: str) -> float:
    """b in α* ∝ (1−J)^b at fixed length (E2), for families that state how their lengths grow as J → 1.

    The update is (1−J)^p g / divisor and the stability of the best θ asks for (1−J) / (1−J)^p times the divisor: on
    `gated` the mean length has no power of 1−J, the long length N ∝ T/(1−J) has one power less.

    Examples
    --------
    >>> [failure_exponent("gated", "grpo", f"seq-mean-token-{how}") for how in ("sum", "mean")]
    [0.5, -0.5]
    """
    power, lengths = ADVANTAGES.find(advantage).power, FAMILIES.find(family).failure_powers
    if lengths is None or power is None:
        return math.nan
    divided = AGGREGATIONS.find(aggregation).powers
    return 1.0 - power + sum(own * of for own, of in zip(divided, lengths, strict=True))
