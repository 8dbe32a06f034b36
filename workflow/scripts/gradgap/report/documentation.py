"""The pages of the documentation that are made from the code, so that they always agree with it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..settings import Setting
from ..sweep.axes import AXES, Axis
from ..sweep.config import FIGURES, TOP, allowed, failure_rate, study_axes, study_settings
from ..sweep.grid import measurement_of
from ..sweep.study import STUDIES, Study
from . import tables

CONFIG = """# Keys of config.yaml

Made by `gradgap reference config` from the descriptions of axes and settings; `make docs` makes it anew. The
configuration is checked before any work starts, and everything that is wrong in it is told at once: file, line, key,
value, what is allowed.

An axis is a list of values, or a logarithmic range `{from: 16, to: 4096, per_decade: 10}`, both ends included. Adding
a value computes only the points that are new.
"""

DATASETS = """# Datasets

Made by `gradgap reference datasets` from the measurements; `make docs` makes it anew. A study's dataset is
`results/datasets/STUDY.nc`, netCDF-4, whose dimensions are the axes of its grid. Every variable carries `long_name`,
`units` and `description`; the file carries its title, source, configuration, seed, software and commit. Beside each
`success_rate` stands `failure_rate`, its exact complement. Three lines load a dataset and draw from it:

```python
import xarray as xr
rates = xr.load_dataset("results/datasets/length_scaling.nc").critical_learning_rate
rates.sel(family="counting", aggregation="seq-mean-token-sum").plot.line("o", x="length", xscale="log")
```

The numbers that a figure shows, panel by panel, are in `results/analysis/STUDY.csv`; four lines redraw it:

```python
from gradgap.report import figures
from gradgap.sweep import config
study, look = "length_scaling", config.load("config.yaml").figures
numbers, scaling = f"results/analysis/{study}.csv", f"results/analysis/{study}.scaling.csv"
figures.draw(f"gradgap.studies.{study}.figure", numbers, scaling, look, {"png": "redrawn.png"})
```
"""


REPRODUCE = """# Reproduce, figure by figure

Made by `gradgap reference reproduce` from the studies; `make docs` makes it anew. `make study` makes every
figure, and each command below makes those of one study. What came out, with every number filled in from the data, is
written beside the results, to `results/reproduce.md`: no number of a result is repeated here, so none can be out of
date. The predictions P1–P8 are spelled out in [theory.md](theory.md).
"""


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [
        list(head),
        ["---"] * len(list(head)),
        *([str(cell).replace("|", "\\|") for cell in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _keys(keys: Mapping[str, Axis | Setting], defaults: Mapping[str, Any]) -> str:
    rows = []
    for name, key in keys.items():
        default = key.default if isinstance(key, Setting) else defaults.get(name)
        shown = "must be given" if default is None else "–" if default == "" else f"`{default}`"
        if isinstance(key, Setting) and key.by is not None:
            shown = f"what the {key.by} says, if anything"
        rows.append((f"`{name}`", key.description, allowed(key), shown))
    return _table(("key", "is", "allowed", "default"), rows)


def config(folder: Path) -> str:
    """The page of all keys of config.yaml, from the descriptions of axes and settings."""
    parts = [
        CONFIG,
        "## Top level\n\n" + _keys(TOP, {}) + "\n\n`figures` and `studies` hold what follows.",
        "## `figures`\n\n" + _keys(FIGURES, {}),
    ]
    for name, study in STUDIES.discover().items():
        axes, note = study_axes(study), ""
        if "success_rate" in axes:
            axes["failure_rate"] = failure_rate()
            note = "\n\nEither `success_rate` or `failure_rate` is given, and not both."
        table = _keys({**axes, **study_settings(study)}, study.defaults)
        parts.append(f"## `studies.{name}`\n\n{study.title}\n\n{table}{note}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _variables(study: Study) -> str:
    rows = []
    for sweep in study.sweeps.values():
        for name, variable in measurement_of(sweep).variables.items():
            axes = ", ".join(variable.axes(sweep.axes))
            meaning = variable.description
            if variable.codes is not None:
                meaning += " Codes: " + ", ".join(f"{int(code)} {code.name}" for code in variable.codes) + "."
            rows.append((f"`{name}`", axes, variable.units, f"{variable.long_name}: {meaning}"))
    return _table(("variable", "over", "units", "is"), rows)


def datasets(folder: Path) -> str:
    """The page of all variables of all datasets, from the measurements."""
    rows = ((f"`{name}`", axis.units, axis.description) for name, axis in AXES.discover().items())
    parts = [DATASETS, "## Axes\n\n" + _table(("axis", "units", "is"), rows)]
    for name, study in STUDIES.discover().items():
        parts.append(f"## `{name}.nc`\n\n{study.title} Tests {study.predictions}.\n\n{_variables(study)}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def reproduce(folder: Path) -> str:
    """The page of all studies: what each asks and tests, and the command that makes its figures."""
    parts = [REPRODUCE]
    for name, study in STUDIES.discover().items():
        files = " ".join(f"results/figures/{figure}.png" for figure in study.figures(name))
        parts.append(
            f"## {name}\n\n{study.title} Tests {study.predictions}.\n\n```\n.venv/bin/snakemake {files}\n```"
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def results(folder: Path) -> str:
    """The page of results: the caption of every figure, as filled in by the analysis."""
    return tables.findings({name: folder / f"{name}.rst" for name in STUDIES.discover()})


#: Pages by name; each is made from the code, and `results` also from a folder of filled captions.
PAGES: dict[str, Callable[[Path], str]] = {
    "config": config,
    "datasets": datasets,
    "reproduce": reproduce,
    "results": results,
}
