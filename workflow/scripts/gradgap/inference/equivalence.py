"""Verdicts by equivalence: a prediction is confirmed if the measured value is shown to lie near it.

A test of "no difference" refutes every prediction once the measurement is precise enough, and confirms every
prediction that was measured badly. So the question is put the other way round: does the whole interval lie within a
margin of the prediction? The margin is a tenth of the distance between rival exponents, which differ by ½.
"""

import enum
import math
from collections.abc import Iterable

#: How far from its prediction an exponent may lie and still be the predicted one.
MARGIN = 0.05

#: The rule in words, for captions and tables.
RULE = (
    f"Verdicts are by equivalence with a margin of {MARGIN:g}: an exponent is confirmed if its whole 95 % interval "
    f"lies within {MARGIN:g} of the prediction, refuted if the interval lies wholly outside, and undecided "
    "otherwise. Where the prediction is the scaling of a bound, which may hold without being tight, it is attained "
    "or not attained instead. The interval is the larger of the one from the residuals and the one from the bootstrap."
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
        Undecided where a number is nan.

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
    """Which searches are one and the same.

    With exact updates, dividing by a constant of the bandit only rescales the learning rate, and several advantages
    have one expected update: their thresholds are one search written in several units, not several pieces of evidence.

    Parameters
    ----------
    names : iterable of str
        One a search.
    series : iterable of iterable of float
        Of each search, its thresholds over their closed form, in which units drop out; points in one order. Searches
        whose series agree everywhere to within `tolerance` are the same. A series with a nan stands alone.
    tolerance : float
        Relative.

    Returns
    -------
    dict of str to str
        For each name, that of the first search that it repeats: itself, where it repeats none.

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
