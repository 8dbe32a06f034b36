"""Axes of a grid: what their values mean, how the configuration writes them, and which components they name."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from ..errors import ConfigError
from ..plugins import Registry
from ..settings import Allowed
from ..values import Rate, canonical


@dataclass(frozen=True)
class Axis:
    """Meaning of one axis.

    Attributes
    ----------
    kind : {"label", "integer", "number"}
        What kind of values it has.
    long_name, units, description : str
        Attributes of the dataset's coordinate.
    multiple : int
        Integers must be multiples of this. A range is rounded to such multiples.
    components : Registry or callable, optional
        The registry whose names are the values, or a function ``components(value)`` that returns registry and name of
        every component that a value stands for. None if the values name no components.
    minimum, above, maximum, below : float, optional
        Limits of numbers. `minimum` and `maximum` themselves are allowed, `above` and `below` are not.
    choices : tuple of str
        All labels that are allowed, where the values name no components.
    counted : bool
        A whole number n may stand for the values 0 to n − 1.
    """

    kind: Literal["label", "integer", "number"]
    long_name: str
    units: str
    description: str
    multiple: int = 1
    components: Registry | Callable[[str], Sequence[tuple[Registry, str]]] | None = None
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    counted: bool = False

    @property
    def allowed(self) -> Allowed:
        """What one value may be."""
        return Allowed(
            kind=self.kind,
            minimum=self.minimum,
            above=self.above,
            maximum=self.maximum,
            below=self.below,
            multiple=self.multiple,
            choices=self.choices,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All components that the values may name, if each value names one."""
        return tuple(self.components.discover()) if isinstance(self.components, Registry) else ()

    def named(self, value: str) -> list[tuple[Any, str]]:
        """Every component that a value stands for, with the module that registered it.

        Raises
        ------
        ConfigError
            If there is none of that name.
        """
        if self.components is None:
            return []
        if isinstance(self.components, Registry):
            pairs: Sequence[tuple[Registry, str]] = [(self.components, value)]
        else:
            pairs = self.components(value)
        return [(registry.find(name), registry.origins[name]) for registry, name in pairs]


#: Values of one axis at the most.
MOST_VALUES = 20_000
#: All axes by name; `gradgap.measurements.axes` registers those of the package.
AXES: Registry[Axis] = Registry("axis", "gradgap.measurements")


def expand(name: str, spec: Sequence | Mapping | int, key: str) -> tuple[str, ...]:
    """The values of an axis, from the way it is written in a configuration.

    Parameters
    ----------
    name : str
        Name in `AXES`, or ``failure_rate`` for the success-rate axis written as 1 − J.
    spec : list, mapping or int
        A list of values; a number n, for the values 0 to n − 1; or a logarithmic range ``{from, to, per_decade}``
        that includes both ends. Values of a range are rounded to four digits, integers to the multiple of the axis.
    key : str
        Place in the configuration, for error messages.

    Returns
    -------
    tuple of str
        Canonical texts, in the order written.

    Raises
    ------
    ConfigError
        If a value occurs twice, or there are too many.
    """
    axis = AXES.find("success_rate" if name == "failure_rate" else name)
    if isinstance(spec, (int, float)):
        if spec > MOST_VALUES:
            raise ConfigError(f"{key}: {canonical(spec)} values; at most {MOST_VALUES} are allowed")
        spec = range(int(spec))
    if isinstance(spec, Mapping):
        first, last = float(spec["from"]), float(spec["to"])
        ratio = Decimal(repr(last)) / Decimal(repr(first))  # decimals are the same on every machine
        if abs(math.log10(last) - math.log10(first)) * spec["per_decade"] > MOST_VALUES:
            raise ConfigError(f"{key}: a range of more than {MOST_VALUES} values; make per_decade smaller")
        steps = max(1, round(abs(float(ratio.log10())) * spec["per_decade"]))
        raw = [first * float(ratio ** (Decimal(step) / steps)) for step in range(steps + 1)]
        if axis.kind == "integer":
            values = [canonical(axis.multiple * round(value / axis.multiple)) for value in raw]
            values = list(dict.fromkeys(values))  # a fine range of small integers names some twice
        else:
            values = [canonical(float(f"{value:.4g}")) for value in raw]
    else:
        values = [canonical(value) for value in spec]
    for value, count in Counter(values).items():
        if count > 1:
            raise ConfigError(f"{key}: {value} is given twice; each value of an axis is given once")
    if name == "failure_rate":
        values = [Rate.of_failure(value).text for value in values]
    return tuple(values)
