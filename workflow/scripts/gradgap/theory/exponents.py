"""Predicted exponents of the critical learning rate, α* ∝ T^a (1−J)^b (docs/theory.md, E1 and E2)."""

import math

from ..bandits import FAMILIES
from ..training.rules import ADVANTAGES, AGGREGATIONS


def length_exponent(family: str, advantage: str, aggregation: str) -> float:
    """The exponent a in α* ∝ T^a at fixed success rate (E1).

    With token sums it is −1. An aggregation that divides by a power of a length adds that power.

    Parameters
    ----------
    family, advantage, aggregation : str
        Names in their registries.

    Returns
    -------
    float
        nan if the divisor of the aggregation is no product of powers of lengths.

    Examples
    --------
    >>> length_exponent("counting", "grpo", "seq-mean-token-sum"), length_exponent("gated", "grpo", "token-mean")
    (-1.0, 0.0)
    """
    return sum(AGGREGATIONS.find(aggregation).powers) - 1.0


def failure_exponent(family: str, advantage: str, aggregation: str) -> float:
    """The exponent b in α* ∝ (1−J)^b at fixed length (E2).

    The update is (1−J)^p g / divisor, with p the power of the advantage. The best θ is then stable up to a learning
    rate ∝ (1−J)^(1−p) · divisor. The divisor has a power of 1−J too: on `gated` 0 for the mean length T, and −1 for
    the length of long responses, N ∝ T/(1−J).

    Parameters
    ----------
    family, advantage, aggregation : str
        Names in their registries.

    Returns
    -------
    float
        nan if the family does not say how its lengths grow as J → 1, or the advantage has no power.

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
