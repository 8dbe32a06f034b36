"""Roots of functions of one variable. Only basic operations are used, so results are the same on every machine."""

from collections.abc import Callable


def root(
    function: Callable[[float], float],
    low: float,
    high: float,
    *,
    absolute: float = 0.0,
    relative: float = 1e-15,
) -> float:
    """A root of a continuous function between two points where it has different signs.

    Chandrupatla's method (Adv. Eng. Softw. 28, 1997): inverse quadratic interpolation where the last three points
    allow it, and bisection elsewhere. It never takes many more steps than bisection.

    Parameters
    ----------
    function : callable
    low, high : float
        Ends of the bracket.
    absolute, relative : float
        The root is found to within `absolute` + `relative` · |root|. A `relative` below 4e-16 counts as 4e-16.

    Returns
    -------
    float
        That end of the last bracket where the function is smaller in size.

    Raises
    ------
    ValueError
        If the function has the same sign at both ends.

    Examples
    --------
    >>> round(root(lambda x: x * x - 2.0, 0.0, 2.0), 12)
    1.414213562373
    """
    relative = max(relative, 4e-16)
    newest, at_newest = low, function(low)
    other, at_other = high, function(high)
    if at_newest == 0.0:
        return newest
    if at_other == 0.0:
        return other
    if (at_newest > 0.0) == (at_other > 0.0):
        raise ValueError(f"the function is {at_newest} at {low} and {at_other} at {high}: no change of sign")
    part = 0.5
    while True:
        x = newest + part * (other - newest)
        at_x = function(x)
        if (at_x > 0.0) == (at_newest > 0.0):
            before, at_before = newest, at_newest
        else:
            before, at_before = other, at_other
            other, at_other = newest, at_newest
        newest, at_newest = x, at_x
        best = newest if abs(at_newest) < abs(at_other) else other
        least = (absolute + relative * abs(best)) / (2 * abs(other - newest)) if other != newest else 1.0
        if least > 0.5 or at_newest == 0.0:
            return best
        place = (newest - other) / (before - other)
        value = (at_newest - at_other) / (at_before - at_other)
        part = 0.5
        if value * value < place and (1.0 - value) * (1.0 - value) < 1.0 - place:
            part = at_newest / (at_other - at_newest) * (at_before / (at_other - at_before)) + (
                before - newest
            ) / (other - newest) * (at_newest / (at_before - at_newest)) * (at_other / (at_before - at_other))
        part = min(max(part, least), 1.0 - least)
