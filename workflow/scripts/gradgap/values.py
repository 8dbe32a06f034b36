"""Values of axes, as text and as numbers.

Every value has one canonical text. It names the value in paths and keys its random stream, and the number is what
that text says. Success rates are handled as decimals, so that 1 − J is exact.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


def canonical(value: Any) -> str:
    """The canonical text of an axis value: the shortest decimal, without trailing zeros or a + in the exponent.

    >>> canonical(64.0), canonical(0.1), canonical(1e-5), canonical("gated")
    ('64', '0.1', '1e-5', 'gated')
    """
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value)).replace("e-0", "e-").replace("e+", "e")


def number(text: str) -> float:
    """The number that a canonical text stands for."""
    return float(text)


#: The one way to write a number, in YAML and on the command line.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
#: Letters of a number, and the largest and smallest size that it may have, 0 apart.
LONGEST, LARGEST, SMALLEST = 40, 1e300, 1e-300


def read_number(written: str | int | float) -> int | float:
    """Read a number as it was written in a configuration or on the command line.

    Parameters
    ----------
    written : str, int or float
        A decimal, with or without an exponent. A number is checked in the same way.

    Returns
    -------
    int or float
        An int if it is written as a whole number.

    Raises
    ------
    ValueError
        If it is not a number, not finite, or too large or small for anything here. The message says which.

    Examples
    --------
    >>> read_number("64"), read_number("1.0e+2"), read_number("1e-4")
    (64, 100.0, 0.0001)
    >>> read_number("1e400")
    Traceback (most recent call last):
    ValueError: 1e400 is too large; numbers are at most 1e+300
    """
    if isinstance(written, int) and not -(10**LONGEST) < written < 10**LONGEST:
        raise ValueError(f"a whole number of {written.bit_length()} bits is too large")
    text = str(written).strip()
    if text.lower().lstrip("+-.") in ("nan", "inf", "infinity"):
        raise ValueError(f"{text} is not a finite number")
    if len(text) > LONGEST:
        raise ValueError(f"{text[:12]}... is too long; a number has at most {LONGEST} digits")
    match = _NUMBER.fullmatch(text)
    if match is None or not text.isascii():
        raise ValueError(f"{text!r} is not a number; write a decimal such as 0.25 or 1.0e-4")
    leading = text.lstrip("+-")
    if leading[0] == "0" and leading[1:2].isdigit():
        raise ValueError(f"{text} begins with 0; write a decimal number")
    exact = Decimal(text)
    if abs(exact) > LARGEST:
        raise ValueError(f"{text} is too large; numbers are at most {LARGEST:g}")
    if exact and abs(exact) < SMALLEST:
        raise ValueError(f"{text} is too close to 0; numbers are at least {SMALLEST:g}")
    return int(text) if match[2] is None and match[3] is None and "." not in text else float(text)


@dataclass(frozen=True)
class Rate:
    """A success rate J that knows its failure rate 1 − J, each to its last digit.

    Subtracting floats would lose digits of 1 − J near J = 1. Here both follow from one exact decimal.

    Attributes
    ----------
    text : str
        J as canonical decimal text. It names the rate in paths and keys its random stream.

    Examples
    --------
    >>> Rate.of_success("0.9999999999").failure
    1e-10
    >>> Rate.of_failure("0.001").text, Rate.of_failure(0.001).success
    ('0.999', 0.999)
    """

    text: str

    @classmethod
    def of_success(cls, written: str | float) -> "Rate":
        """Make a rate from J, given as text or as a number."""
        return cls(_decimal(written))

    @classmethod
    def of_failure(cls, written: str | float) -> "Rate":
        """Make a rate from 1 − J, given as text or as a number."""
        return cls(complement(_decimal(written)))

    @property
    def success(self) -> float:
        """J, correctly rounded."""
        return float(self.text)

    @property
    def failure(self) -> float:
        """1 − J, correctly rounded."""
        return float(1 - Decimal(self.text))


def _decimal(written: str | float) -> str:
    """A rate as decimal text without exponent."""
    return format(Decimal(written if isinstance(written, str) else canonical(written)).normalize(), "f")


def complement(text: str) -> str:
    """Canonical text of 1 − x, exact in decimals.

    >>> complement("0.999"), complement("0.001")
    ('0.001', '0.999')
    """
    return format((1 - Decimal(text)).normalize(), "f")


def failure_rate(text: str) -> float:
    """1 − J, correctly rounded, from the canonical text of J."""
    return float(1 - Decimal(text))
