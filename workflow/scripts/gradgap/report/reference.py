"""The parts of the documentation that are made from the code: so they cannot drift from it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..sweep.axes import AXES
from ..sweep.config import allowed, schema
from ..sweep.grid import simulation
from ..sweep.study import STUDIES, Study

CONFIG = """# Keys of config.yaml

Made by `gradgap reference config` from the schema and the studies; `make docs` makes it anew. The configuration is
checked before any work starts, and a wrong value is told with its key, the value and what is allowed.

An axis is a list of values, or a logarithmic range `{from: 16, to: 4096, per_decade: 10}`, both ends included. Adding
a value computes only the points that are new.
"""

DATASETS = """# Datasets

Made by `gradgap reference datasets` from the simulations; `make docs` makes it anew. A study's dataset is
`results/datasets/STUDY.nc`, netCDF-4, whose dimensions are the axes of its grid. Every variable carries `long_name`,
`units` and `description`; the file carries its title, source, configuration, seed, software and commit. Beside each
`success_rate` stands `failure_rate`, its exact complement. Three lines load a dataset and draw from it:

```python
import xarray as xr
rates = xr.load_dataset("results/datasets/length_scaling.nc").critical
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

RESULTS = """# Reproduce, figure by figure

Made by `gradgap reference results` from `results/` after `make study`; `make docs` makes it anew. The predictions
P1–P7 are spelled out in [theory.md](theory.md). Each part below says which of them a study tests, the command that
makes its figure alone, and what came out, with every number filled in from the data.
"""


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [
        list(head),
        ["---"] * len(list(head)),
        *([str(cell).replace("|", "\\|") for cell in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _keys(properties: Mapping[str, Any], required: Iterable[str] = ()) -> str:
    rows = []
    for key, part in properties.items():
        default = f"`{part['default']}`" if "default" in part else "must be given" if key in required else "–"
        rows.append((f"`{key}`", " ".join(part["description"].split()), allowed(part), default))
    return _table(("key", "is", "allowed", "default"), rows)


def config(folder: Path) -> str:
    """Every key of config.yaml, from the schema."""
    whole = schema()
    parts = [CONFIG]
    top = {key: part for key, part in whole["properties"].items() if key not in ("figures", "studies")}
    parts.append("## Top level\n\n" + _keys(top))
    parts.append("## `figures`\n\n" + _keys(whole["properties"]["figures"]["properties"]))
    for name, part in whole["properties"]["studies"]["properties"].items():
        required = list(part.get("required", ()))
        table = _keys(part["properties"], required)
        either = "\n\nEither `success_rate` or `failure_rate` must be given." if "oneOf" in part else ""
        parts.append(f"## `studies.{name}`\n\n{part['description']}\n\n{table}{either}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _variables(study: Study) -> str:
    rows = []
    for sweep in study.sweeps.values():
        for name, variable in simulation(sweep).VARIABLES.items():
            axes = ", ".join(axis for axis in sweep.axes if axis not in variable.drop)
            meaning = variable.description
            if variable.codes is not None:
                meaning += " Codes: " + ", ".join(f"{int(code)} {code.name}" for code in variable.codes) + "."
            rows.append((f"`{name}`", axes, variable.units, f"{variable.long_name}: {meaning}"))
    return _table(("variable", "over", "units", "is"), rows)


def datasets(folder: Path) -> str:
    """Every variable of every dataset, from the simulations."""
    rows = ((f"`{name}`", axis.units, axis.description) for name, axis in AXES.items())
    parts = [DATASETS, "## Axes\n\n" + _table(("axis", "units", "is"), rows)]
    for name, study in STUDIES.discover().items():
        parts.append(f"## `{name}.nc`\n\n{study.title} Tests {study.predictions}.\n\n{_variables(study)}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def results(folder: Path) -> str:
    """What came out: the caption of every figure as the analysis filled it in."""
    parts = [RESULTS]
    for name, study in STUDIES.discover().items():
        caption = folder / f"{name}.rst"
        own = study.config_file != "config.yaml"
        absent = f"Not part of the default study; docs/{name}.md says what came out." if own else "Not run."
        found = caption.read_text(encoding="utf-8").strip() if caption.is_file() else absent
        option = f" --configfile {study.config_file}" if own else ""
        parts.append(
            f"## {name}\n\n{study.title} Tests {study.predictions}.\n\n"
            f"```\n.venv/bin/snakemake results/figures/{name}.png{option}\n```\n\n{found.replace('``', '`')}"
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


#: Pages by name; each is made from the code, and `results` also from a folder of filled captions.
PAGES: dict[str, Callable[[Path], str]] = {"config": config, "datasets": datasets, "results": results}
