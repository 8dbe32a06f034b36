"""Verdicts by equivalence: a prediction is confirmed if the measured value is shown to lie close to it.

A test of "no difference" would refute every prediction that is measured precisely, and confirm every one that is
measured badly. So the question here is the opposite one: does the whole interval lie within a margin of the
prediction? Rival exponents differ by ½, and the margin is a tenth of that.
"""

import enum
import math
from collections.abc import Iterable

#: An exponent agrees with its prediction if it differs by no more than this.
MARGIN = 0.05

#: The rule in words, for captions and tables.
RULE = (
    f"Verdicts are by equivalence with a margin of {MARGIN:g}: an exponent is confirmed if its whole 95 % interval "
    f"lies within {MARGIN:g} of the prediction, refuted if the interval lies wholly outside, and undecided "
    "otherwise. Where the prediction is the scaling of a bound, which may hold without being tight, it is attained "
    "or not attained instead. The interval is the larger of that from the residuals and that from the bootstrap."
)


class Statement(enum.Enum):
    """What a predicted exponent says."""

    LAW = "law"  #: The critical value follows it.
    BOUND = "bound"  #: A guaranteed step follows it; the critical value may lie above.


class Verdict(enum.StrEnum):
    """What the measurement says about a prediction."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    ATTAINED = "attained"
    NOT_ATTAINED = "not attained"


#: Verdicts by which a prediction stands.
FOR = (Verdict.CONFIRMED, Verdict.ATTAINED)


def verdict(
    predicted: float, low: float, high: float, statement: Statement = Statement.LAW, margin: float = MARGIN
) -> Verdict:
    """Verdict on a prediction.

    Parameters
    ----------
    predicted : float
    low, high : float
        Ends of the interval of what was measured.
    statement : Statement
    margin : float

    Returns
    -------
    Verdict
        Undecided if a number is nan.

    Examples
    --------
    >>> [verdict(-1, low, high).value for low, high in [(-1.01, -0.96), (-1.2, -0.98), (-0.5, 0.1)]]
    ['confirmed', 'undecided', 'refuted']
    >>> verdict(-1, -0.5, 0.1, Statement.BOUND).value
    'not attained'
    """
    if any(math.isnan(value) for value in (predicted, low, high)):
        return Verdict.UNDECIDED
    inside = predicted - margin <= low and high <= predicted + margin
    outside = high < predicted - margin or predicted + margin < low
    law = statement is Statement.LAW
    if inside:
        return Verdict.CONFIRMED if law else Verdict.ATTAINED
    if outside:
        return Verdict.REFUTED if law else Verdict.NOT_ATTAINED
    return Verdict.UNDECIDED


def searches(
    names: Iterable[str], series: Iterable[Iterable[float]], tolerance: float = 1e-9
) -> dict[str, str]:
    """Find out which searches for thresholds are the same search in other units.

    With exact updates, an aggregation that divides by a constant of the bandit only rescales the learning rate, and
    several advantages have the same expected update. Their thresholds are not independent evidence.

    Parameters
    ----------
    names : iterable of str
        A name for each search.
    series : iterable of iterable of float
        For each search its thresholds divided by their closed form, which removes the units, at the same points in
        the same order. Searches whose series agree everywhere within `tolerance` are the same. A series with a nan is
        the same as no other.
    tolerance : float
        Relative.

    Returns
    -------
    dict of str to str
        For each name the name of the first search that is the same, which may be itself.

    Examples
    --------
    >>> searches(["reinforce", "rloo", "grpo"], [[1.0, 1.01], [1.0, 1.01], [1.0, 1.02]])
    {'reinforce': 'reinforce', 'rloo': 'reinforce', 'grpo': 'grpo'}
    """
    firsts: dict[str, list[float]] = {}
    found: dict[str, str] = {}
    for name, one in zip(names, series, strict=True):
        values = list(one)
        for first, other in firsts.items():
            if len(other) == len(values) and all(
                math.isclose(a, b, rel_tol=tolerance) for a, b in zip(values, other, strict=True)
            ):
                found[name] = first
                break
        else:
            firsts[name] = values
            found[name] = name
    return found
