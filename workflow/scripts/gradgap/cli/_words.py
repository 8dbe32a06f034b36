"""Results of one bandit as text: each number with its meaning, its symbol and its unit."""

from collections.abc import Iterable, Mapping

#: A line: what it is, its symbol, and the value with its unit.
Line = tuple[str, str, str]


def shown(value: float | None, unit: str = "", unknown: str = "unknown") -> str:
    """A number to read, or a word where there is none.

    >>> shown(0.012345678, "tokens"), shown(None, unknown="none")
    ('0.0123457 tokens', 'none')
    """
    return unknown if value is None else f"{value:.6g} {unit}".rstrip()


def table(sections: Mapping[str, Iterable[Line]]) -> str:
    """Sections of lines with their columns aligned.

    >>> print(table({"start": [("success rate", "J", "0.2"), ("failure rate", "1 − J", "0.8")]}))
    start
      success rate  J      0.2
      failure rate  1 − J  0.8
    """
    whole = {title: list(lines) for title, lines in sections.items()}
    every = [line for lines in whole.values() for line in lines]
    words, symbols = (max((len(line[k]) for line in every), default=0) for k in (0, 1))
    text = []
    for title, lines in whole.items():
        text.append(title)
        text += [f"  {line[0]:<{words}}  {line[1]:<{symbols}}  {line[2]}".rstrip() for line in lines]
    return "\n".join(text)
