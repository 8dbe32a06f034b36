"""Check that every file of a results folder is undamaged, and follows from the files before it.

Every shard is read and checked against the digest that it holds. Every dataset is assembled again from its shards and
compared bit by bit. Every analysis is repeated from its dataset and compared byte by byte. All files of later stages
are also compared with the digests that were recorded when they were written (see `digests`). So one pass names all
bad files, even if a file before them is bad too. Logs and benchmarks are not checked, because nothing is made from
them.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from ..errors import GradgapError
from ..sweep import dataset as datasets
from ..sweep import grid, store
from ..sweep.config import Config
from ..sweep.grid import StudyConfig
from ..sweep.parts import parts
from . import captions, digests, figure_data

FORMATS = ("pdf", "svg", "png")
#: Endings of what an analysis writes.
ANALYSIS = (".csv", ".scaling.csv", ".rst", ".answer.txt")
#: What the stages tables, explore and index write, below the results folder.
TABLES = ("tables/scaling.csv", "tables/scaling.html", "tables/provenance.html", "reproduce.md")
EXPLORER = ("explore.html",)
INDEX = ("index.html",)
#: Written by ``make report``, which is no job of the workflow; a folder without a report is complete.
REPORT, REPORT_RECORD = "report.html", "digests/report/report.json"


@dataclass(frozen=True)
class Job:
    """One job of a stage, as its record of digests should describe it. Paths are below the results folder."""

    record: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]


def jobs(config: Config) -> list[Job]:
    """Every job that writes a record of digests, in an order in which files are written before they are read."""
    names = list(config.studies)
    found = []
    for name, study in config.studies.items():
        shards = tuple(_shards(study, config))
        found.append(Job(f"digests/datasets/{name}.json", (f"datasets/{name}.nc",), shards))
    for name in names:
        written = tuple(f"analysis/{name}{ending}" for ending in ANALYSIS)
        found.append(Job(f"digests/analysis/{name}.json", written, (f"datasets/{name}.nc",)))
    for name, study in config.studies.items():
        for figure in study.study.figures(name):
            drawn = tuple(f"figures/{figure}.{ending}" for ending in FORMATS)
            numbers = (f"analysis/{name}.csv", f"analysis/{name}.scaling.csv")
            found.append(Job(f"digests/figures/{figure}.json", drawn, numbers))
    read = [f"analysis/{name}{ending}" for ending in (".scaling.csv", ".rst") for name in names]
    found.append(Job("digests/tables/tables.json", TABLES, tuple(read)))
    found.append(
        Job("digests/explore/explore.json", EXPLORER, tuple(f"datasets/{name}.nc" for name in names))
    )
    figures = [figure for name, study in config.studies.items() for figure in study.study.figures(name)]
    read = [
        f"analysis/{name}{ending}" for ending in (".scaling.csv", ".rst", ".answer.txt") for name in names
    ]
    read += [f"figures/{figure}.png" for figure in figures]
    found.append(Job("digests/index/index.json", INDEX, tuple(read)))
    return found


def _shards(study: StudyConfig, config: Config) -> list[str]:
    """Files of the shards of a study, below the results folder."""
    return [
        f"shards/{shard.study}/{shard.name}.npz"
        for shard in grid.shards(study, config.shard_points, config.shard_seconds)
    ]


def verify(config: Config, results: str | Path) -> dict[str, str]:
    """Find out what is wrong in a results folder.

    Parameters
    ----------
    config : Config
        The configuration that the results belong to.
    results : path

    Returns
    -------
    dict of str to str
        For each file that is missing, damaged, or does not follow from the files before it, what is wrong with it.
        Shards of values that are no longer in the configuration are ignored.
    """
    results = Path(results)
    wrong: dict[str, str] = {}
    for study in config.studies.values():
        _remade(wrong, study, config, results)
    for job in jobs(config):
        _recorded(wrong, job, results)
    if (results / REPORT).is_file() or (results / REPORT_RECORD).is_file():
        _recorded(wrong, Job(REPORT_RECORD, (REPORT,), ()), results)
    return wrong


def _remade(wrong: dict[str, str], study: StudyConfig, config: Config, results: Path) -> None:
    """Check shards by their digests, the dataset by its shards, and the analysis by its dataset."""
    expected = {results / name for name in _shards(study, config)}
    for path in sorted(expected):
        _note(wrong, path, store.read_current)
    dataset = results / "datasets" / f"{study.name}.nc"
    if any(str(path) in wrong for path in expected):
        _note(wrong, dataset, _opens)
    else:
        _note(wrong, dataset, _dataset, study, sorted(expected))
        if str(dataset) not in wrong:
            wrong.update(_analysis(study, dataset, results / "analysis"))


def _recorded(wrong: dict[str, str], job: Job, results: Path) -> None:
    """Compare the files that a job wrote and read with its record."""
    path = results / job.record
    for name in job.outputs:
        if not (results / name).is_file():
            wrong.setdefault(str(results / name), "missing")
    try:
        record = digests.read(path)
    except GradgapError as error:
        wrong[str(path)] = str(error).removeprefix(f"{path}: ")
        return
    if set(record.outputs) != set(job.outputs) or set(record.inputs) != set(job.inputs):
        wrong[str(path)] = "of a job that wrote or read other files"
        return
    for name, known in record.outputs.items():
        file = results / name
        if file.is_file() and digests.digest_of(file) != known:
            wrong.setdefault(str(file), "differs from its recorded digest")
    for name, known in record.inputs.items():
        file = results / name
        if str(file) in wrong or not file.is_file():
            continue  # what is made from it is made again with it
        if digests.digest_of(file) != known:
            if name.startswith("shards/"):  # its numbers are whole, but it is not the file that it was
                wrong[str(file)] = "not the file that its dataset was made from"
            else:  # the file is as its own record has it, so what was made from it is older
                wrong[str(path)] = f"made from another {name}"


def _note(wrong: dict[str, str], path: Path, check: Callable, *arguments) -> None:
    """Run a check on a file, and keep the error if there is one."""
    if not path.is_file():
        wrong[str(path)] = "missing"
        return
    try:
        check(path, *arguments)
    except GradgapError as error:
        wrong[str(path)] = str(error).removeprefix(f"{path}: ").partition(";")[0]
    except Exception as error:  # whatever a damaged file makes a library raise
        wrong[str(path)] = f"damaged ({' '.join(str(error).split()) or type(error).__name__})"


class _Differs(GradgapError):
    """A file differs from what the stage before it gives."""


def _opens(path: Path) -> None:
    """Read every value of a dataset, a part at a time."""
    with xr.open_dataset(path, engine="netcdf4") as opened:
        for name in opened.data_vars:
            for part in parts(opened[[name]]):
                part.load()


def _dataset(path: Path, study: StudyConfig, files: list[Path]) -> None:
    """Compare a dataset with its configuration and its shards."""
    contents = datasets.Contents.of(study)
    with xr.open_dataset(path, engine="netcdf4") as opened:
        for name in ("config", "seed"):
            if opened.attrs.get(name) != contents.attributes[name]:
                raise _Differs(f"of another {name}")
        different = datasets.differences(contents, files, opened)
    if different:
        raise _Differs(f"differs from its shards in {', '.join(different)}")


def _analysis(study: StudyConfig, dataset: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Repeat the analysis of a dataset, and compare."""
    with xr.open_dataset(dataset, engine="netcdf4") as opened:
        analysis = study.study.analyse(opened, study.settings)
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary)
        figure_data.write(analysis.panels, again / f"{study.name}.csv")
        analysis.scaling.to_csv(again / f"{study.name}.scaling.csv", index=False)
        text = captions.fill(captions.template(study.name), analysis, study.settings)
        (again / f"{study.name}.rst").write_text(text, encoding="utf-8")
        text = captions.fill_answer(captions.answer_template(study.name), analysis, study.settings)
        (again / f"{study.name}.answer.txt").write_text(text, encoding="utf-8")
        for path in sorted(again.iterdir()):
            found = folder / path.name
            if not found.is_file():
                yield str(found), "missing"
            elif found.read_bytes() != path.read_bytes():
                yield str(found), "differs from what its dataset gives"
