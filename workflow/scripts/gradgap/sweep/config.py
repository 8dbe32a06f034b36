"""Read a configuration, check it, fill in defaults and expand axes.

Every key is described in one place: an axis in `AXES`, a setting in `SETTINGS` or in the component that it belongs
to, and a key of the top level here. Messages, the JSON Schema (`schema`) and docs/config.md are made from these
descriptions. All mistakes are found here, before any work starts, and are reported in one message.
"""

import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..settings import SETTINGS, Allowed, Setting, settings_of
from ..values import read_number
from . import former_names
from .axes import AXES, MOST_VALUES, Axis, expand
from .checks import check
from .grid import StudyConfig, all_values, measurement_of, sweep_axes
from .reading import Document, Place, from_mapping, nearest, read, short
from .study import STUDIES, Study, Sweep

#: Largest number of points of a sweep.
MOST_POINTS = 10**10
#: Allowed names of runs and studies, which become names of folders and files.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: Folders of a results folder, which must not be the name of a run.
FOLDERS = ("shards", "datasets", "analysis", "figures", "tables", "logs", "benchmarks", "digests", "smoke")

#: Keys of the top level, beside `figures` and `studies`.
TOP = {
    "name": Setting(
        kind="label",
        description=(
            "Name of the run, whose results are in results/NAME/; without one they are in results/. Configurations "
            "of different names leave each other's results alone."
        ),
        default="",
    ),
    "seed": Setting(
        kind="integer",
        description="Seed of every random stream; a stream depends on it and on the point's own coordinates only.",
        minimum=0,
        maximum=2**32 - 1,
        default=20251008,
    ),
    "shard_points": Setting(
        kind="integer",
        description=(
            "Most points that one job holds in memory. A result never depends on how points are cut into shards."
        ),
        minimum=1,
        maximum=10**9,
        default=1_000_000,
    ),
    "shard_seconds": Setting(
        description=(
            "Time that one job should take at the most, in seconds; a simulation whose points are dear then puts "
            "fewer than shard_points into a shard, and small sweeps of a study share one. The default suits one "
            "machine; on a cluster, where jobs wait in a queue, some minutes are better. `gradgap plan` says what to "
            "expect of a configuration."
        ),
        above=0,
        maximum=1e6,
        default=30,
    ),
}
FIGURES = {
    "column_width": Setting(
        description="Width of a one-column figure, in millimetres.", minimum=40, maximum=400, default=89
    ),
    "page_width": Setting(
        description="Width of a figure across the page, in millimetres.", minimum=40, maximum=400, default=183
    ),
    "font_size": Setting(description="Size of the text, in points.", minimum=4, maximum=30, default=7),
    "dpi": Setting(
        kind="integer",
        description="Resolution of the PNG files, in dots per inch.",
        minimum=50,
        maximum=1200,
        default=300,
    ),
}
_PER_DECADE = Setting(
    description="Values a factor of ten; the ends are always included.", above=0, maximum=1000
)
#: The other keys of the top level.
SECTIONS = {
    "figures": "How figures are drawn.",
    "studies": "The studies to run, by name; a study that is left out is not run.",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration, checked and complete.

    Attributes
    ----------
    name : str
        Name of the run. It may be empty.
    seed, shard_points : int
    shard_seconds : float
    figures : dict
        Widths (mm), font size (pt) and resolution (dpi) of figures.
    studies : dict of str to StudyConfig
    source : str
        The configuration as it was written, as JSON, for provenance.
    """

    name: str
    seed: int
    shard_points: int
    shard_seconds: float
    figures: dict[str, Any]
    studies: dict[str, StudyConfig]
    source: str

    @property
    def results(self) -> str:
        """The folder for the results of this run, below the working directory."""
        return f"results/{self.name}" if self.name else "results"


def study_axes(study: Study) -> dict[str, Axis]:
    """The axes of a study that a configuration sets, by key."""
    return {name: AXES.find(name) for name in study.axes}


def failure_rate() -> Axis:
    """The success-rate axis as it is when written as 1 − J."""
    description = "The success_rate axis written by its complement 1 − J, which keeps its digits near 0."
    return dataclasses.replace(AXES.find("success_rate"), description=description)


def _possible(sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """All possible values of those axes of a sweep whose values name components."""
    every = {axis: sweep.fixed.get(axis) or AXES.find(axis).names for axis in sweep.axes}
    return all_values(every, sweep.at)


def study_settings(study: Study) -> dict[str, Setting]:
    """The settings of a study by key: those of its measurements, of components on its axes, and of its analysis."""
    found: dict[str, Setting] = {}
    shared: list[str] = []
    for sweep in study.sweeps.values():
        shared += measurement_of(sweep).settings
        for axis, values in _possible(sweep).items():
            for value in values if AXES.find(axis).components is not None else ():
                for component, _ in AXES.find(axis).named(value):
                    for name, setting in settings_of(component).items():
                        found.setdefault(name, setting)
    for name in (*shared, *study.settings):
        if name not in found and name not in study.axes:
            found[name] = SETTINGS.find(name)
    return {
        name: dataclasses.replace(setting, default=study.defaults.get(name, setting.default))
        for name, setting in found.items()
        if name not in study.axes
    }


# ---- the schema ----


def _axis_schema(axis: Axis) -> dict[str, Any]:
    one = axis.allowed.schema()
    ways: list[dict[str, Any]] = [{"type": "array", "items": one, "minItems": 1}]
    if axis.counted:
        ways.append({"type": "integer", "minimum": 1, "maximum": MOST_VALUES})
    elif axis.kind != "label":
        end = dataclasses.replace(axis.allowed, kind="number", multiple=1).schema()
        end = {**end, "exclusiveMinimum": 0}
        ways.append(
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["from", "to", "per_decade"],
                "properties": {"from": end, "to": end, "per_decade": _PER_DECADE.schema()},
            }
        )
    return {"description": axis.description, "anyOf": ways}


def _setting_schema(setting: Setting) -> dict[str, Any]:
    one: dict[str, Any] = setting.schema()
    if setting.by is not None:
        names = AXES.find(setting.by).names
        one = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(names, one)}
    default = {} if setting.default is None else {"default": setting.default}
    return {"description": setting.description, **one, **default}


def _study_schema(study: Study) -> dict[str, Any]:
    properties = {name: _axis_schema(axis) for name, axis in study_axes(study).items()}
    for name, default in study.defaults.items():
        if name in properties:
            properties[name]["default"] = default
    properties |= {name: _setting_schema(setting) for name, setting in study_settings(study).items()}
    required = [name for name in study.axes if name not in study.defaults]
    rule: dict[str, Any] = {"required": required}
    if "success_rate" in required:  # either spelling will do, but one of them
        required.remove("success_rate")
        properties["failure_rate"] = _axis_schema(failure_rate())
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
    """The descriptions of all keys as a JSON Schema, for editors. `gradgap reference schema` prints it.

    It leaves out what a schema cannot say, such as points that cannot be computed, or two spellings of one value.
    """
    studies = {name: _study_schema(study) for name, study in STUDIES.discover().items()}
    figures = {name: _setting_schema(setting) for name, setting in FIGURES.items()}
    closed = {"type": "object", "additionalProperties": False}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gradgap configuration",
        **closed,
        "required": ["studies"],
        "properties": {
            **{name: _setting_schema(setting) for name, setting in TOP.items()},
            "figures": {"description": SECTIONS["figures"], **closed, "properties": figures},
            "studies": {
                "description": SECTIONS["studies"],
                **closed,
                "minProperties": 1,
                "properties": studies,
            },
        },
    }


def allowed(key: Axis | Setting) -> str:
    """The allowed values of a key, in words."""
    if isinstance(key, Setting):
        words = str(
            Allowed(**{field.name: getattr(key, field.name) for field in dataclasses.fields(Allowed)})
        )
        return f"a mapping from {key.by}; each value {words}" if key.by else words
    words = "a list"
    if key.counted:
        words += ", or a number n for 0 to n − 1"
    elif key.kind != "label":
        words += ", or a range {from, to, per_decade}"
    return f"{words}; each value {key.allowed}"


# ---- the check ----


def _mapping(document: Document, place: Place, value: Any, known: Iterable[str]) -> dict[str, Any]:
    """The known keys of a mapping. Unknown keys are noted, and a value that is not a mapping counts as empty."""
    known = list(known)
    if not isinstance(value, Mapping):
        document.note(
            place, f"{document.shown(place, value)} is not allowed; it must be a mapping of keys to values"
        )
        return {}
    for name in value:
        if former_names.KEYS.get(name) in known and name not in known:
            document.note((*place, name), f"is now called {former_names.KEYS[name]!r}; rename the key")
        elif name not in known:
            near = nearest(name, known) or f"; allowed: {', '.join(known)}"
            document.note((*place, name), f"unknown key {short(name)!r}{near}")
    return {name: part for name, part in value.items() if name in known}


def _whole(value: Any) -> Any:
    """Turn 64.0 into 64, so that both mean the same."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _one(document: Document, place: Place, value: Any, allowed: Allowed, known: Iterable[str] = ()) -> Any:
    """One value, or None and a note in the document if it is not allowed."""
    if any(noted == place for noted, _ in document.problems):  # already noted
        return None
    if allowed.accepts(value):
        return _whole(value)
    near = nearest(value, (*known, *allowed.choices)) if isinstance(value, str) else ""
    document.note(
        place, f"{document.shown(place, value)} is not allowed; it must be {Allowed.__str__(allowed)}{near}"
    )
    return None


def _setting(document: Document, place: Place, value: Any, setting: Setting) -> Any:
    if setting.by is None:
        return _one(document, place, value, setting)
    written = _mapping(document, place, value, AXES.find(setting.by).names)
    return {name: _one(document, (*place, name), part, setting) for name, part in written.items()}


def _settings(
    document: Document, place: Place, written: Mapping[str, Any], known: Mapping[str, Setting]
) -> dict[str, Any]:
    """The values of settings; those that are not given have their defaults."""
    return {
        name: _setting(document, (*place, name), written[name], setting)
        if name in written
        else setting.default
        for name, setting in known.items()
    }


def _axis(document: Document, place: Place, key: str, value: Any, axis: Axis) -> tuple[str, ...] | None:
    """The values of an axis as canonical texts, or None and notes if something is wrong with them."""
    before = len(document.problems)
    if isinstance(value, Mapping) and axis.kind != "label" and not axis.counted:
        written = _mapping(document, place, value, ("from", "to", "per_decade"))
        end = dataclasses.replace(axis.allowed, kind="number", multiple=1)
        end = end if (end.minimum or 0) > 0 else dataclasses.replace(end, minimum=None, above=0)
        for name in ("from", "to", "per_decade"):
            if name not in written:
                document.note(place, f"the key {name!r} is missing")
            else:
                kind = _PER_DECADE if name == "per_decade" else end
                written[name] = _one(document, (*place, name), written[name], kind)
        value = written
    elif isinstance(value, list) and value:
        value = [_one(document, (*place, i), part, axis.allowed, axis.names) for i, part in enumerate(value)]
    elif isinstance(value, list):
        document.note(place, "the list is empty; give at least one value")
    elif axis.counted and Allowed(kind="integer", minimum=1, maximum=MOST_VALUES).accepts(value):
        value = _whole(value)
    elif not any(noted == place for noted, _ in document.problems):
        document.note(place, f"{document.shown(place, value)} is not allowed; it must be {allowed(axis)}")
    if len(document.problems) > before or any(noted[: len(place)] == place for noted, _ in document.problems):
        return None
    try:
        return expand(key, value, "")
    except ConfigError as error:
        document.note(place, str(error).removeprefix(": "))
        return None


def _study(document: Document, name: str, value: Any, seed: Any) -> StudyConfig | None:
    """One complete study, or None and notes in the document if something is wrong with it."""
    study = STUDIES.find(name)
    place: Place = ("studies", name)
    if not _NAME.fullmatch(name):
        document.note(place, f"a study is named with letters, digits, _ and -; mend {STUDIES.origins[name]}")
        return None
    axes, known = study_axes(study), study_settings(study)
    spelt = ("failure_rate",) if "success_rate" in axes else ()
    written = _mapping(document, place, value, [*axes, *spelt, *known])
    if "failure_rate" in written:
        if "success_rate" in written:
            document.note(place, "give either success_rate or failure_rate, and not both")
        axes["failure_rate"] = failure_rate()
        del axes["success_rate"]
    values: dict[str, tuple[str, ...] | None] = {}
    for key, axis in axes.items():
        spec = written.get(key, study.defaults.get(key))
        if spec is None and key not in written:
            near = " (or failure_rate)" if key == "success_rate" else ""
            document.note(place, f"the key {key!r}{near} is missing")
            continue
        meaning = "success_rate" if key == "failure_rate" else key
        values[meaning] = _axis(document, (*place, key), key, spec, axis)
    settings = _settings(document, place, written, known)
    if any(noted[:2] == place for noted, _ in document.problems):
        return None
    complete = {axis: values[axis] or () for axis in study.axes}
    found = StudyConfig(name, complete, settings, seed)
    _components(document, place, found, written)
    if any(noted[:2] == place for noted, _ in document.problems):
        return None
    found = _concerned(document, place, found, written, known)
    points = max(
        math.prod(len(texts) for texts in sweep_axes(found, sweep).values())
        for sweep in study.sweeps.values()
    )
    if points > MOST_POINTS:
        document.note(place, f"{points:.2g} points; at most {MOST_POINTS:g} are allowed")
        return None
    try:
        check(found)
    except ConfigError as error:
        _note_placed(document, place, written, str(error))
    return found


def _components(document: Document, place: Place, study: StudyConfig, written: Mapping[str, Any]) -> None:
    """Note every value of an axis that names no component, or an impossible one."""
    for axis, values in study.axes.items():
        meaning = AXES.find(axis)
        for i, value in enumerate(values if meaning.components is not None else ()):
            try:
                meaning.named(value)
            except ConfigError as error:
                at = (*place, axis, i) if isinstance(written.get(axis), list) else (*place, axis)
                document.note(at, f"{error}{nearest(value, meaning.names)}")


def _concerned(
    document: Document,
    place: Place,
    study: StudyConfig,
    written: Mapping[str, Any],
    known: Mapping[str, Setting],
) -> StudyConfig:
    """The study without the settings of components that are not on its axes."""
    here: dict[str, set[str]] = {}  # settings of components that are there
    kept = {name for sweep in study.study.sweeps.values() for name in measurement_of(sweep).settings}
    kept |= set(study.study.settings)
    for sweep in study.study.sweeps.values():
        for axis, values in all_values(sweep_axes(study, sweep), sweep.at).items():
            here.setdefault(axis, set()).update(values)
            for value in values if AXES.find(axis).components is not None else ():
                for component, _ in AXES.find(axis).named(value):
                    kept |= set(settings_of(component))
    settings = {}
    for name, value in study.settings.items():
        setting = known[name]
        if setting.by is not None:
            settings[name] = {**_usual(setting.by, sorted(here.get(setting.by, ())), name), **(value or {})}
            continue
        if name not in kept:
            if name in written:
                problem = "no component of this study has such a setting; leave it out"
                document.note((*place, name), problem)
            continue
        if value is None:
            document.note(place, f"the key {name!r} is missing")
        settings[name] = value
    return dataclasses.replace(study, settings=settings)


def _usual(axis: str, values: Iterable[str], name: str) -> dict[str, Any]:
    """The usual values of a setting for the components on an axis."""
    return {
        value: component.usual[name]
        for value in values
        for component, _ in AXES.find(axis).named(value)
        if name in getattr(component, "usual", {})
    }


def _note_placed(document: Document, place: Place, written: Mapping[str, Any], message: str) -> None:
    """Note a message that begins with a key at the place of that key."""
    key, colon, problem = message.partition(": ")
    if key == "success_rate" and "failure_rate" in written:
        document.note((*place, "failure_rate"), message)
    elif colon and key in written:
        document.note((*place, key), problem)
    else:
        document.note(place, message)


def _name(document: Document, name: Any) -> str:
    """The name of a run. It must be a possible name of a folder, and not one that results/ already uses."""
    if isinstance(name, str) and name and (not _NAME.fullmatch(name) or name in FOLDERS):
        taken = f"; {', '.join(FOLDERS)} are folders of results/ already" if name in FOLDERS else ""
        document.note(
            ("name",),
            f"{short(name)!r} is not allowed; it must be letters, digits, _ and -, 64 at the most{taken}",
        )
    return name if isinstance(name, str) else ""


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
        If keys or values are not allowed. One message reports all of them, a line each, with the place in the file,
        the key, the value, what is allowed, and the nearest known name.
    """
    document = raw if isinstance(raw, Document) else from_mapping(raw, source)
    if not isinstance(document.content, Mapping):
        kind = "nothing" if document.content is None else type(document.content).__name__
        raise ConfigError(f"{document.source}: expected a mapping of keys to values, found {kind}")
    written = _mapping(document, (), document.content, [*TOP, *SECTIONS])
    top = _settings(document, (), written, TOP)
    top["name"] = _name(document, top["name"])
    figures = _mapping(document, ("figures",), written.get("figures", {}), FIGURES)
    look = _settings(document, ("figures",), figures, FIGURES)
    studies = {}
    if "studies" not in written:
        document.note((), "the key 'studies' is missing")
    else:
        named = _mapping(document, ("studies",), written["studies"], STUDIES.discover())
        if not named and not any(noted[:1] == ("studies",) for noted, _ in document.problems):
            document.note(("studies",), "the mapping is empty; name at least one study")
        for name, value in named.items():
            found = _study(document, name, value, top["seed"])
            if found is not None:
                studies[name] = found
    document.refuse()
    return Config(**top, figures=look, studies=studies, source=json.dumps(document.content, sort_keys=True))


def one_value(name: str, written: str, key: str, **instead: Any) -> Any:
    """Read the value of an axis or setting from a text, such as an argument of the command line.

    The same rules hold as in a configuration.

    Parameters
    ----------
    name : str
        Name of the axis or setting, which says what is allowed.
    written : str
        The number as text.
    key : str
        How messages refer to it, such as ``--length``.
    **instead
        Limits that differ here, such as ``minimum``.

    Raises
    ------
    ConfigError
        If it is not a number, or not an allowed one.

    Examples
    --------
    >>> one_value("length", "6.4e1", "--length")
    64
    """
    described = TOP.get(name) or (
        SETTINGS.find(name) if name in SETTINGS.discover() else AXES.find(name).allowed
    )
    return one_number(described, written, key, **instead)


def one_number(described: Allowed, written: str, key: str, **instead: Any) -> Any:
    """Read one number from a text; see `one_value`."""
    described = dataclasses.replace(described, **instead)
    try:
        value = read_number(written)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None
    if not described.accepts(value):
        raise ConfigError(f"{key}: {short(written)} is not allowed; it must be {Allowed.__str__(described)}")
    return _whole(value)


def load(path: str | Path) -> Config:
    """Read, check and complete a configuration file.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or holds something that is not allowed.
    """
    return parse(read(path))
