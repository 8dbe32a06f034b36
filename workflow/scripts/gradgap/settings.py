"""Descriptions of settings: what a value may be, what it means, and its default.

There is one description for each setting. The check of a configuration, its messages, its schema, the command line
and docs/config.md all read it, and no other table holds a limit or a default. The axes of a grid have descriptions of
their own, `gradgap.sweep.axes.Axis`. A setting belongs to the component that reads it: a family keeps its settings in
`Family.settings`. Settings that several measurements or analyses share are registered in `SETTINGS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .plugins import NAME, Registry
from .values import canonical

Kind = Literal["label", "integer", "number"]
_KINDS = {"label": "a name", "integer": "a whole number", "number": "a number"}


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What one value may be.

    Attributes
    ----------
    kind : {"label", "integer", "number"}
        A text, a whole number (which may be written 64.0 or 6.4e+1), or any number.
    minimum, maximum : float, optional
        Smallest and largest allowed value.
    above, below : float, optional
        The value must be larger, or smaller, than this.
    multiple : int
        Whole numbers are multiples of this.
    choices : tuple of str
        All allowed texts; if empty, any text is allowed.

    Examples
    --------
    >>> length = Allowed(kind="integer", minimum=2, multiple=2)
    >>> length.accepts(16.0), length.accepts(17), str(length)
    (True, False, 'a whole number, at least 2, even')
    """

    kind: Kind = "number"
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    multiple: int = 1
    choices: tuple[str, ...] = ()

    def accepts(self, value: Any) -> bool:
        """Whether a value is allowed."""
        if self.kind == "label":
            return (
                isinstance(value, str) and bool(NAME.fullmatch(value)) and value in (self.choices or (value,))
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if self.kind == "integer" and (value != int(value) or int(value) % self.multiple):
            return False
        return (
            (self.minimum is None or value >= self.minimum)
            and (self.above is None or value > self.above)
            and (self.maximum is None or value <= self.maximum)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """The description in words, to follow "it must be"."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        bounds = {"at least": self.minimum, "above": self.above, "at most": self.maximum, "below": self.below}
        words = [f"{word} {canonical(bound)}" for word, bound in bounds.items() if bound is not None]
        multiple = (
            [] if self.multiple == 1 else ["even" if self.multiple == 2 else f"a multiple of {self.multiple}"]
        )
        return ", ".join([_KINDS[self.kind], *words, *multiple])

    def schema(self) -> dict[str, Any]:
        """The description as JSON Schema."""
        kinds = {"label": "string", "integer": "integer", "number": "number"}
        found: dict[str, Any] = {
            "type": kinds[self.kind],
            "minimum": self.minimum,
            "exclusiveMinimum": self.above,
            "maximum": self.maximum,
            "exclusiveMaximum": self.below,
            "multipleOf": None if self.multiple == 1 else self.multiple,
            "enum": list(self.choices) or None,
            "pattern": f"^{NAME.pattern}$" if self.kind == "label" else None,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Setting(Allowed):
    """A value of the configuration that is not an axis.

    Attributes
    ----------
    description : str
        What it is, in a sentence, with its unit.
    default : optional
        Its value if none is given; None if it must be given.
    by : str, optional
        Name of an axis. The setting is then a mapping with a value for each value of that axis. For a value that is
        left out, the component of that name may give one in its `usual`.
    """

    description: str
    default: Any = None
    by: str | None = None


#: Settings that are not of one component alone, by name.
SETTINGS: Registry[Setting] = Registry("setting", "gradgap.measurements")


def settings_of(component: Any) -> Mapping[str, Setting]:
    """The settings that belong to a component: its attribute `settings`, if it has one."""
    found = getattr(component, "settings", {})
    return {name: setting for name, setting in found.items() if isinstance(setting, Setting)}
