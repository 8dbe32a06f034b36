"""Is everything in a results folder whole, and does it belong together?

Shards are read whole and checked against their digests; each dataset is put together once more from its shards and
compared bit by bit; each analysis is done once more from its dataset and compared line by line; figures and tables
are opened.
"""

import csv
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import xarray as xr

from ..errors import GradgapError
from ..sweep import compute, grid
from ..sweep import dataset as datasets
from ..sweep.compare import compare
from ..sweep.config import Config
from ..sweep.grid import StudyConfig
from . import captions, panels

FORMATS = ("pdf", "svg", "png")


def verify(config: Config, results: str | Path) -> dict[str, str]:
    """What is wrong in a results folder.

    Parameters
    ----------
    config : Config
        The configuration that the results should be of.
    results : path

    Returns
    -------
    dict of str to str
        Of each file that is missing, damaged, or does not follow from what stands before it: what is wrong. Empty
        where all is well. Shards of values that the configuration no longer has are left alone.
    """
    results = Path(results)
    wrong: dict[str, str] = {}
    for study in config.studies.values():
        expected = {
            results / "shards" / shard.study / shard.sweep / f"{shard.name}.npz"
            for shard in grid.shards(study, config.shard_points, config.shard_seconds)
        }
        for path in sorted(expected):
            _note(wrong, path, compute.read)
        if not any(str(path) in wrong for path in expected):
            dataset = results / "datasets" / f"{study.name}.nc"
            _note(wrong, dataset, _dataset, study, sorted(expected))
            if str(dataset) not in wrong:
                wrong.update(_analysis(study, dataset, results / "analysis"))
        for ending in FORMATS:
            _note(wrong, results / "figures" / f"{study.name}.{ending}", _opens)
    for name in ("scaling.csv", "scaling.html", "provenance.html"):
        _note(wrong, results / "tables" / name, _opens)
    return wrong


def _note(wrong: dict[str, str], path: Path, check: Callable, *arguments) -> None:
    """Run a check on a file, and keep what it says against it."""
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
    """A file is not what the stage before it gives."""


def _dataset(path: Path, study: StudyConfig, files: list[Path]) -> None:
    with xr.open_dataset(path, engine="netcdf4") as opened:
        found = opened.load()
    expected = datasets.assemble(study, files)
    for name in ("config", "seed"):
        if found.attrs.get(name) != expected.attrs[name]:
            raise _Differs(f"of another {name}")
    difference = compare(found, expected)
    if difference["variables"] or difference["points_only_in_a"] or difference["points_only_in_b"]:
        raise _Differs(f"differs from its shards in {', '.join(difference['variables']) or 'its points'}")


def _analysis(study: StudyConfig, dataset: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Analyse a dataset once more, and compare."""
    with xr.open_dataset(dataset, engine="netcdf4") as opened:
        analysis = study.study.analyse(opened.load(), study.settings)
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary)
        panels.write(analysis.panels, again / f"{study.name}.csv")
        analysis.scaling.to_csv(again / f"{study.name}.scaling.csv", index=False)
        text = captions.fill(captions.template(study.name), analysis, study.settings)
        (again / f"{study.name}.rst").write_text(text, encoding="utf-8")
        for path in sorted(again.iterdir()):
            found = folder / path.name
            if not found.is_file():
                yield str(found), "missing"
            elif found.read_bytes() != path.read_bytes():
                yield str(found), "differs from what its dataset gives"


def _opens(path: Path) -> None:
    """Raise an error where a figure or table cannot be opened."""
    content = path.read_bytes()
    match path.suffix:
        case ".png":
            _png(content)
        case ".svg":
            ElementTree.fromstring(content)
        case ".pdf":
            if not content.startswith(b"%PDF-") or not content.rstrip().endswith(b"%%EOF"):
                raise _Differs("damaged (no whole PDF)")
        case ".csv":
            if len({len(row) for row in csv.reader(content.decode().splitlines())}) != 1:
                raise _Differs("damaged (rows of unequal length, or none)")
        case ".html":
            if not content.decode().rstrip().endswith("</html>"):
                raise _Differs("damaged (no whole page)")


def _png(content: bytes) -> None:
    """Check the checksum of every chunk of a PNG file."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise _Differs("damaged (no PNG)")
    at, kind = 8, b""
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        body, checksum = content[at + 4 : at + 8 + size], content[at + 8 + size : at + 12 + size]
        if zlib.crc32(body) != int.from_bytes(checksum) or len(checksum) != 4:
            raise _Differs(f"damaged (checksum of chunk {kind.decode(errors='replace')})")
        at += 12 + size
    if kind != b"IEND":
        raise _Differs("damaged (cut short)")
