"""The configuration: read, checked against one schema, defaults filled in, axes expanded.

The schema in workflow/schemas/ says what every axis and setting may be; which of them a study takes, the study
itself says. Everything wrong is found here, before any work starts, and told in one message.
"""

import functools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ..errors import ConfigError
from ..values import canonical, read_number
from . import former_names
from .axes import expand
from .checks import check
from .grid import StudyConfig, measurement_of, sweep_axes
from .reading import Document, from_mapping, nearest, read, short
from .study import STUDIES, Study

SCHEMA_FILE = Path(__file__).with_suffix(".schema.yaml")
#: Points of a sweep at the most.
MOST_POINTS = 10**10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Config:
    """The whole configuration, checked and complete.

    Attributes
    ----------
    seed, shard_points : int
    shard_seconds : float
    figures : dict
        Widths (mm), font size (pt) and resolution (dpi) of figures.
    studies : dict of str to StudyConfig
    source : str
        The configuration as given, as JSON, for provenance.
    """

    seed: int
    shard_points: int
    shard_seconds: float
    figures: dict[str, Any]
    studies: dict[str, StudyConfig]
    source: str


def setting_names(study: Study) -> tuple[str, ...]:
    """Settings that the measurements and the analysis of a study read, without its axes."""
    names = (name for sweep in study.sweeps.values() for name in measurement_of(sweep).settings)
    return tuple(dict.fromkeys(name for name in (*names, *study.settings) if name not in study.axes))


def _range(values: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of a logarithmic range whose two ends are restricted like `values`."""
    return {
        "additionalProperties": False,
        "required": ["from", "to", "per_decade"],
        "properties": {
            "from": {"description": "First value.", "type": "number", **values},
            "to": {"description": "Last value.", "type": "number", **values},
            "per_decade": {
                "description": "Values a factor of ten; the ends are always included.",
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1000,
            },
        },
    }


def _axis_schema(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of an axis: a list of its items, or a logarithmic range or a count where it has one."""
    allowed = {
        "type": ["array", "object"] if "range" in definition else "array",
        "items": definition["items"],
    }
    if "range" in definition:
        allowed |= _range(definition["range"])
    if "count" in definition:
        allowed |= {"type": ["array", "integer"], **definition["count"]}
    return {"description": definition["description"], **allowed, "minItems": 1, "uniqueItems": True}


def _study_schema(study: Study, definitions: Mapping[str, Any]) -> dict[str, Any]:
    known = {**definitions, **study.schema}
    properties = {}
    for axis in study.axes:
        properties[axis] = _axis_schema(known[axis])
    for name in setting_names(study):
        definition = known["success_rate_by_family" if name == "success_rate" else name]
        if "items" in definition:  # an axis of other studies, here one value
            definition = {key: definition[key] for key in ("description", "default")} | definition["items"]
        properties[name] = definition
    for name, default in study.defaults.items():
        properties[name] = properties[name] | {"default": default}
    required = [axis for axis in study.axes if axis not in study.defaults]
    rule: dict[str, Any] = {"required": required}
    if "success_rate" in required:  # either spelling will do, but one of them
        required.remove("success_rate")
        properties["failure_rate"] = _axis_schema(known["failure_rate"])
        rule["oneOf"] = [{"required": ["success_rate"]}, {"required": ["failure_rate"]}]
    return {
        "description": study.title,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **rule,
    }


@functools.cache
def schema() -> dict[str, Any]:
    """The complete JSON Schema: the file's, with the axes and settings of every study filled in."""
    whole: dict[str, Any] = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    definitions = whole.pop("$defs")
    whole["properties"]["studies"]["properties"] = {
        name: _study_schema(study, definitions) for name, study in STUDIES.discover().items()
    }
    return whole


_TYPES = {
    "array": "a list",
    "object": "a mapping",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
}


def allowed(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    kind = schema.get("type", "object")
    words = [" or ".join(_TYPES[t] for t in ([kind] if isinstance(kind, str) else kind))]
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    words += [f"{text} {canonical(schema[key])}" for key, text in limits.items() if key in schema]
    if schema.get("multipleOf") == 2:
        words.append("even")
    if "array" in kind and schema.get("range", schema.get("properties")):
        words[0] = "a list, or a range {from, to, per_decade}"
    return ", ".join(words)


def _note(document: Document, error: jsonschema.ValidationError) -> None:
    """Keep an error of the schema for the message: the key, the value found and what is allowed."""
    place = tuple(error.absolute_path)
    found = document.shown(place, error.instance)
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema["properties"])
            for extra in sorted(set(error.instance) - set(known)):
                if former_names.KEYS.get(extra) in known:
                    document.note(
                        (*place, extra), f"is now called {former_names.KEYS[extra]!r}; rename the key"
                    )
                    continue
                near = nearest(extra, known) or f"; allowed: {', '.join(known)}"
                document.note((*place, extra), f"unknown key {short(extra)!r}{near}")
        case "required":
            for missing in error.validator_value:
                if missing not in error.instance:
                    document.note(place, f"the key {missing!r} is missing")
        case "oneOf" if isinstance(error.instance, Mapping):
            given = [name for name in ("success_rate", "failure_rate") if name in error.instance]
            found = " and ".join(given) or "neither"
            document.note(place, f"give either success_rate or failure_rate, and not both; found {found}")
        case "minItems" | "minProperties":
            document.note(place, f"{found} is empty; give at least one value")
        case "uniqueItems" | "oneOf":
            pass  # `expand` tells the first, and knows that 64 and 64.0 are one value; the type tells the second
        case _:
            document.note(place, f"{found} is not allowed; it must be {allowed(error.schema)}")


def _fill(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value with the schema's defaults where keys are missing, and whole numbers written as such."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if not isinstance(value, Mapping) or "properties" not in schema:
        return value
    filled = dict(value)
    for key, part in schema["properties"].items():
        if key not in filled and "default" in part:
            filled[key] = part["default"]
        if key in filled:
            filled[key] = _fill(filled[key], part)
    return filled


def parse(raw: Any, source: str = "config") -> Config:
    """Check a configuration and complete it.

    Parameters
    ----------
    raw : mapping or Document
        As read from YAML.
    source : str
        Where a mapping came from, for error messages.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        If keys or values are not allowed. One message tells them all, a line each: where it stands, the key, the
        value found, what is allowed, and the nearest known name.
    """
    document = raw if isinstance(raw, Document) else from_mapping(raw, source)
    if not isinstance(document.content, Mapping):
        kind = "nothing" if document.content is None else type(document.content).__name__
        raise ConfigError(f"{document.source}: expected a mapping of keys to values, found {kind}")
    bad = [place for place, _ in document.problems]
    for error in jsonschema.Draft202012Validator(schema()).iter_errors(document.content):
        if tuple(error.absolute_path) not in bad:  # that value is spoken of already
            _note(document, error)
    filled = _fill(document.content, schema())
    written = filled.get("studies")
    studies = {}
    for name in written if isinstance(written, Mapping) else ():
        if name in STUDIES and isinstance(written[name], Mapping):
            complete = _study(document, name, written[name], filled.get("seed"))
            if complete is not None:
                studies[name] = complete
    document.refuse()
    return Config(
        seed=filled["seed"],
        shard_points=filled["shard_points"],
        shard_seconds=filled["shard_seconds"],
        figures=filled["figures"],
        studies=studies,
        source=json.dumps(document.content, sort_keys=True),
    )


def _study(document: Document, name: str, written: Mapping[str, Any], seed: Any) -> StudyConfig | None:
    """One study with its axes expanded; None, and notes in the document, where something is wrong with it."""
    study = STUDIES.find(name)
    top = ("studies", name)
    if not _NAME.fullmatch(name):
        document.note(
            top, f"a study is named with letters, digits, _ and -; mend the plugin that adds {name!r}"
        )
        return None
    wrong = {place[2] for place, _ in document.problems if place[:2] == top and len(place) > 2}
    axes, settings = {}, {}
    for key, value in written.items():
        axis = "success_rate" if key == "failure_rate" else key
        if axis not in study.axes:
            settings[key] = value
        elif key not in wrong:
            try:
                axes[axis] = expand(key, value, "")
            except ConfigError as error:
                document.note((*top, key), str(error).removeprefix(": "))
    if set(axes) != set(study.axes) or any(place[:2] == top for place, _ in document.problems):
        return None
    found = StudyConfig(name, {axis: axes[axis] for axis in study.axes}, settings, seed)
    points = max(
        math.prod(len(values) for values in sweep_axes(found, sweep).values())
        for sweep in study.sweeps.values()
    )
    if points > MOST_POINTS:
        document.note(top, f"{points:.2g} points; at most {MOST_POINTS:g} are allowed")
        return None
    try:
        check(found)
    except ConfigError as error:
        place, problem = _placed(top, written, str(error))
        document.note(place, problem)
    return found


def _placed(top: tuple[str, ...], written: Mapping[str, Any], message: str) -> tuple[tuple[str, ...], str]:
    """Where a message that begins with a key belongs."""
    key, colon, problem = message.partition(": ")
    if key == "success_rate" and "failure_rate" in written:
        return (*top, "failure_rate"), message
    return ((*top, key), problem) if colon and key in written else (top, message)


def one_value(name: str, written: str, key: str, **instead: Any) -> Any:
    """A value of an axis or a setting that is written alone, as on the command line, under the configuration's rule.

    Parameters
    ----------
    name : str
        The axis or setting that says what is allowed.
    written : str
        The number as text.
    key : str
        What to call it in the message, such as ``--length``.
    **instead
        Limits of the schema that differ here, such as ``minimum``.

    Raises
    ------
    ConfigError
        If it is no number, or not one that is allowed.

    Examples
    --------
    >>> one_value("length", "6.4e1", "--length")
    64
    """
    whole = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    definition = {**whole["properties"], **whole["$defs"]}[name]
    definition = {**definition.get("items", definition), **instead}
    try:
        value = read_number(written)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None
    if not jsonschema.Draft202012Validator(definition).is_valid(value):
        raise ConfigError(f"{key}: {short(written)} is not allowed; it must be {allowed(definition)}")
    return _fill(value, definition)


def load(path: str | Path) -> Config:
    """Read, check and complete a configuration file.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or holds something that is not allowed.
    """
    return parse(read(path))
