"""How an axis value is written, and the number that the text denotes.

A value has one canonical text, which names it in paths and keys its random stream; the number itself is what
that text denotes. Success rates are decimals, so that the failure rate is their exact complement.
"""

from decimal import Decimal
from typing import Any


def canonical(value: Any) -> str:
    """The one text of an axis value: shortest decimal of a number, without exponent sign or trailing zeros.

    >>> canonical(64.0), canonical(0.1), canonical(1e-5), canonical("gated")
    ('64', '0.1', '1e-5', 'gated')
    """
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value)).replace("e-0", "e-").replace("e+", "e")


def number(text: str) -> float:
    """The number that a canonical text denotes."""
    return float(text)


def complement(text: str) -> str:
    """Canonical text of 1 − x, exact in decimals.

    >>> complement("0.999"), complement("0.001")
    ('0.001', '0.999')
    """
    return format((1 - Decimal(text)).normalize(), "f")


def failure_rate(text: str) -> float:
    """1 − J of a success rate given as canonical text, correctly rounded."""
    return float(1 - Decimal(text))
