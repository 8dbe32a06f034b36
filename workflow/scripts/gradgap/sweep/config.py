"""The configuration: read, checked against one schema, defaults filled in, axes expanded.

The schema in workflow/schemas/ says what every axis and setting may be; which of them a study takes, the study
itself says. Everything wrong is found here, before any work starts, and told in one message.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ..errors import ConfigError
from .axes import expand
from .grid import StudyConfig, check, simulation
from .study import STUDIES, Study

SCHEMA_FILE = Path(__file__).with_suffix(".schema.yaml")


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
    """Settings that the simulations and the analysis of a study read, without its axes."""
    names = (name for sweep in study.sweeps.values() for name in simulation(sweep).SETTINGS)
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
    whole = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    definitions = whole.pop("$defs")
    whole["properties"]["studies"]["properties"] = {
        name: _study_schema(study, definitions) for name, study in STUDIES.discover().items()
    }
    return whole


def _path(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the configuration"


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
    words += [f"{text} {schema[key]:g}" for key, text in limits.items() if key in schema]
    if schema.get("multipleOf") == 2:
        words.append("even")
    if "array" in kind and schema.get("range", schema.get("properties")):
        words[0] = "a list, or a range {from, to, per_decade}"
    return ", ".join(words)


def _explain(error: jsonschema.ValidationError) -> str:
    """One line that names the key, the value found and what is allowed."""
    where = _path(error.absolute_path)
    found = json.dumps(error.instance, default=str)
    found = found if len(found) < 60 else found[:56] + " ..."
    match error.validator:
        case "additionalProperties":
            extra = sorted(set(error.instance) - set(error.schema.get("properties", {})))
            return (
                f"{where}: unknown key {extra[0]!r}; allowed: {', '.join(sorted(error.schema['properties']))}"
            )
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return f"{where}: the key {missing[0]!r} is missing"
        case "oneOf":
            return f"{where}: give either success_rate or failure_rate, and not both; found {sorted(error.instance)}"
        case "minItems" | "minProperties":
            return f"{where}: {found} is empty; give at least one value"
        case "uniqueItems":
            twice = next(value for value in error.instance if error.instance.count(value) > 1)
            return f"{where}: {twice} is given twice; each value of an axis is given once"
        case _:
            return f"{where}: {found} is not allowed; it must be {allowed(error.schema)}"


def _fill(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value with the schema's defaults where keys are missing."""
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
    raw : mapping
        As read from YAML.
    source : str
        Where it came from, for error messages.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        If a key or value is not allowed; one message names the key, the value and what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{source}: expected a mapping of keys to values, found {type(raw).__name__}")
    validator = jsonschema.Draft202012Validator(schema())
    # the first error in reading order, the one deepest in a branch before those of its parents
    errors = sorted(
        validator.iter_errors(raw), key=lambda e: (-len(e.absolute_path), list(map(str, e.absolute_path)))
    )
    if errors:
        raise ConfigError(f"{source}: {_explain(errors[0])}")
    filled = _fill(raw, schema())
    studies = {}
    for name, written in filled["studies"].items():
        study = STUDIES.find(name)
        axes, settings = {}, {}
        for key, value in written.items():
            axis = "success_rate" if key == "failure_rate" else key
            if axis in study.axes:
                axes[axis] = expand(key, value, f"{source}: studies.{name}.{key}")
            else:
                settings[key] = value
        axes = {axis: axes[axis] for axis in study.axes}
        studies[name] = StudyConfig(name, axes, settings, filled["seed"])
        try:
            check(studies[name])
        except ConfigError as error:
            raise ConfigError(f"{source}: studies.{name}.{error}") from None
    return Config(
        seed=filled["seed"],
        shard_points=filled["shard_points"],
        shard_seconds=filled["shard_seconds"],
        figures=filled["figures"],
        studies=studies,
        source=json.dumps(raw, sort_keys=True),
    )


def load(path: str | Path) -> Config:
    """Read, check and complete a configuration file.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or holds something that is not allowed.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; a configuration in YAML was expected") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return parse(raw, str(path))
