"""Read YAML strictly, and remember on which line everything is.

YAML accepts many things that nobody means. The second of two equal keys wins silently, ``1e-4`` is a text, ``010`` is
eight, and a few lines of aliases can stand for a billion values. Here a file may contain mappings, lists, numbers,
texts, true, false and null, of limited size and depth. Everything else is refused, with its line.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..values import read_number

#: Bytes of a file, values in it once aliases are replaced, how deep they are nested, and letters of one text.
MOST_BYTES, MOST_VALUES, DEEPEST, LONGEST_TEXT = 2**20, 20_000, 12, 300
#: Problems that one message tells.
MOST_PROBLEMS = 20

#: Where a value stands: keys of mappings and places in lists, from the top.
Place = tuple[str | int, ...]


@dataclass
class Document:
    """The content of a configuration, with the line of every value.

    Attributes
    ----------
    content : any
        Mappings, lists, numbers, texts, true, false, None.
    source : str
        The file's name, for messages.
    lines : dict of tuple to int
        The line of every value or its key, counted from 1; empty if the content is not from a file.
    texts : dict of tuple to str
        Numbers as they are written in the file.
    problems : list of (tuple, str)
        Problems found so far: the place, and what is wrong there.
    """

    content: Any
    source: str
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)
    problems: list[tuple[Place, str]] = field(default_factory=list)

    def note(self, place: Iterable[str | int], problem: str) -> None:
        """Keep a problem for the final message."""
        entry = (tuple(place), problem)
        if entry not in self.problems:
            self.problems.append(entry)

    def line(self, place: Place) -> int | None:
        """The line of a value, or of the nearest value around it."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.lines:
                return self.lines[place[:end]]
        return None

    def shown(self, place: Place, value: Any) -> str:
        """A value for a message: numbers as they are written, and anything long shortened.

        >>> Document({}, "my.yaml").shown(("studies", "a"), [1, 2, "three"])
        "[1, 2, 'three']"
        """
        return short(self.texts.get(place) or repr(value))

    def refuse(self) -> None:
        """Raise an error if there are problems.

        Raises
        ------
        ConfigError
            With a line for each problem, in the order of the file: file and line, key, what is wrong.
        """
        if not self.problems:
            return
        ordered = sorted(self.problems, key=lambda problem: self.line(problem[0]) or 0)
        told = []
        for place, problem in ordered[:MOST_PROBLEMS]:
            line = self.line(place) if self.lines else None
            where = self.source if line is None else f"{self.source}:{line}"
            told.append(f"{where}: {key(place)}: {problem}" if place else f"{where}: {problem}")
        if len(ordered) > MOST_PROBLEMS:
            told.append(f"{self.source}: and {len(ordered) - MOST_PROBLEMS} more")
        raise ConfigError("\n".join(told))


def key(place: Iterable[str | int]) -> str:
    """A place in the form used in messages.

    >>> key(("studies", "stagnation", "length", 1))
    'studies.stagnation.length[1]'
    """
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{short(part)}" if text else short(part)
    return text


def short(text: str, most: int = 60) -> str:
    """A text on one line, shortened if it is long.

    >>> short("a text of many words", 10)
    'a text ...'
    """
    text = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    return text if len(text) <= most else text[: most - 4].rstrip() + " ..."


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most similar to a given one, as the end of a sentence; empty if none is similar.

    >>> nearest("lenght", ["length", "family"]), nearest("x", ["length"])
    ("; did you mean 'length'?", '')
    """
    found = difflib.get_close_matches(name[:LONGEST_TEXT], list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def read(path: str | Path) -> Document:
    """Read a YAML file.

    Problems with single values are kept in the document, and are reported together with all later ones.

    Raises
    ------
    ConfigError
        If the file is missing, is not text or not YAML, is too large or too deep, or refers to itself.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError(f"{path}: is a directory; a configuration file in YAML was expected")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; a configuration in YAML was expected") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: larger than {MOST_BYTES} bytes; this is no configuration")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not a text in UTF-8") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """Read YAML from a text; see `read`.

    >>> parse("length: [16, 1.0e+2]", "my.yaml").content
    {'length': [16, 100.0]}
    """
    document = Document(None, source)
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        document.content = _Builder(document, events).whole()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        reason = " ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(f"{where}: not YAML: {' '.join(reason.split())}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {short(' '.join(str(error).split()), 200)}") from None
    return document


@dataclass
class _Node:
    """A value, with the lines, texts and problems of everything inside it."""

    value: Any
    line: int
    size: int = 1
    depth: int = 0
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)
    problems: list[tuple[Place, str]] = field(default_factory=list)

    def take(self, part: str | int, child: "_Node") -> None:
        """Take over what is known about a value inside this one."""
        self.depth = max(self.depth, child.depth + 1)
        self.lines[part,] = child.line
        for place, line in child.lines.items():
            self.lines[part, *place] = line
        for place, text in child.texts.items():
            self.texts[part, *place] = text
        self.problems += [((part, *place), problem) for place, problem in child.problems]


class _Builder:
    """Builds the tree from the parser's events one by one, so that nothing large is built before it is refused."""

    def __init__(self, document: Document, events: Iterable[yaml.Event]):
        self.source = document.source
        self.document = document
        self.events = iter(events)
        self.anchors: dict[str, _Node | None] = {}  # None while its value is not complete
        self.values = 0

    def stop(self, line: int, reason: str) -> ConfigError:
        return ConfigError(f"{self.source}:{line}: {reason}")

    def whole(self) -> Any:
        found = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.stop(
                        event.start_mark.line + 1, "a second document begins; one file is one configuration"
                    )
                found = self.node(next(self.events), 0)
        if found is None:
            return None
        self.document.lines = {(): found.line, **found.lines}
        self.document.texts = found.texts
        for place, problem in found.problems:
            self.document.note(place, problem)
        return found.value

    def node(self, event: yaml.Event, depth: int) -> _Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            known = self.anchors.get(event.anchor, _Node(None, 0))
            if known is None:
                raise self.stop(line, f"*{short(event.anchor)} refers to itself")
            if event.anchor not in self.anchors:
                raise self.stop(line, f"*{short(event.anchor)} refers to nothing")
            self.count(known.size, line)
            if depth + known.depth > DEEPEST:
                raise self.stop(line, f"nested more than {DEEPEST} deep")
            return known
        if event.anchor:
            self.anchors[event.anchor] = None
        self.count(1, line)
        if depth > DEEPEST:
            raise self.stop(line, f"nested more than {DEEPEST} deep")
        if isinstance(event, yaml.ScalarEvent):
            built = self.scalar(event, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            built = self.sequence(event, line, depth)
        else:
            built = self.mapping(event, line, depth)
        if event.anchor:
            self.anchors[event.anchor] = built
        return built

    def count(self, size: int, line: int) -> None:
        self.values += size
        if self.values > MOST_VALUES:
            raise self.stop(line, f"more than {MOST_VALUES} values; give a range {{from, to, per_decade}}")

    def tag(self, event: yaml.Event, node: _Node) -> None:
        if event.tag and event.tag != "!":
            node.problems.append(((), f"the tag {short(event.tag)} is not allowed; write the plain value"))

    def scalar(self, event: yaml.Event, line: int) -> _Node:
        text = event.value
        node = _Node(text, line)
        self.tag(event, node)
        if len(text) > LONGEST_TEXT:
            kind = f"a number of {len(text)} digits" if text.isdigit() else f"a text of {len(text)} letters"
            node.problems.append(((), f"{kind}; at most {LONGEST_TEXT} are allowed"))
            node.value = None
        elif event.implicit[0]:  # not in quotes
            node.value, problem = _plain(text)
            if problem:
                node.problems.append(((), problem))
            if isinstance(node.value, (int, float)):
                node.texts[()] = text
        return node

    def sequence(self, event: yaml.Event, line: int, depth: int) -> _Node:
        node = _Node([], line)
        self.tag(event, node)
        while not isinstance(following := next(self.events), yaml.SequenceEndEvent):
            child = self.node(following, depth + 1)
            node.take(len(node.value), child)
            node.size += child.size
            node.value.append(child.value)
        return node

    def mapping(self, event: yaml.Event, line: int, depth: int) -> _Node:
        node = _Node({}, line)
        self.tag(event, node)
        while not isinstance(following := next(self.events), yaml.MappingEndEvent):
            name = self.node(following, depth + 1)
            child = self.node(next(self.events), depth + 1)
            if name.problems or not isinstance(name.value, str) or not name.value:
                shown = name.problems[0][1] if name.problems else name.texts.get((), short(repr(name.value)))
                node.problems.append(
                    ((), f"the key {shown} (line {name.line}) is not allowed; a key is a name")
                )
                continue
            if name.value == "<<":
                node.problems.append(
                    ((), f"the merge key << (line {name.line}) is not allowed; write the keys")
                )
                continue
            if name.value in node.value:
                first = node.lines[name.value,]
                node.problems.append(((name.value,), f"given twice, on line {first} and on line {name.line}"))
                continue
            node.take(name.value, child)
            node.lines[name.value,] = name.line
            node.size += child.size + 1
            node.value[name.value] = child.value
        return node


_RESOLVER = yaml.SafeLoader("")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}.*")


def _plain(text: str) -> tuple[Any, str | None]:
    """The value of a text without quotes, and the problem with it, if any."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
    if tag == "null":
        return None, None
    if tag == "bool":
        return text.lower() in ("yes", "true", "on"), None
    if tag == "timestamp" or (tag == "str" and _DATE.fullmatch(text)):
        return None, f"{short(text)} is a date; put it into quotes where a text is meant"
    if tag in ("int", "float"):
        try:
            return read_number(text), None
        except ValueError as error:
            return None, str(error)
    if tag == "str":
        try:  # YAML wants a point and a sign in 1.0e-4
            value = read_number(text)
        except ValueError:
            return text, None
        return None, f"{text} is a text to YAML; write {_with_point(text)}" if value is not None else None
    return text, None


def _with_point(text: str) -> str:
    """A number in the form that YAML reads as a number.

    >>> _with_point("1e-4"), _with_point("2.5E3")
    ('1.0e-4', '2.5e+3')
    """
    digits, _, power = text.lower().partition("e")
    if "." not in digits:
        digits += ".0"
    if digits.lstrip("+-").startswith("."):
        digits = digits.replace(".", "0.", 1)
    if not power:
        return digits
    return f"{digits}e{power if power[0] in '+-' else '+' + power}"


def from_mapping(content: Any, source: str) -> Document:
    """A document with content from elsewhere. Its numbers are checked in the same way.

    >>> document = from_mapping({"seed": float("nan")}, "config")
    >>> document.problems
    [(('seed',), 'nan is not a finite number')]
    """
    document = Document(None, source)
    document.content = _bounded(document, content, (), [0])
    return document


def _bounded(document: Document, value: Any, place: Place, count: list[int]) -> Any:
    count[0] += 1
    if len(place) > DEEPEST:
        raise ConfigError(f"{document.source}: {key(place[:4])}: nested more than {DEEPEST} deep")
    if count[0] > MOST_VALUES:
        raise ConfigError(f"{document.source}: more than {MOST_VALUES} values")
    if isinstance(value, Mapping):
        found = {}
        for name, part in value.items():
            if isinstance(name, str) and name:
                found[name] = _bounded(document, part, (*place, name), count)
            else:
                document.note(place, f"the key {short(str(name)[:99])} is not allowed; it must be a name")
        return found
    if isinstance(value, (list, tuple)):
        return [_bounded(document, part, (*place, index), count) for index, part in enumerate(value)]
    if value is None or isinstance(value, (bool, str)):
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            document.note(place, f"a text of {len(value)} letters; at most {LONGEST_TEXT} are allowed")
            return None
        return value
    if isinstance(value, (int, float)):
        try:
            return read_number(value)
        except ValueError as error:
            document.note(place, str(error))
            return None
    document.note(place, f"{short(str(value))} is of a kind that is not allowed: {type(value).__name__}")
    return None
