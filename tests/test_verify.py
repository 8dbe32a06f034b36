"""Nothing damaged is used, and `gradgap verify` names what is bad."""

import json
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from _small import changed, only, run_missing, run_stages, shard_files, write_config
from gradgap import cli
from gradgap.errors import ShardError
from gradgap.inference.power_laws import COLUMNS
from gradgap.report import digests
from gradgap.report.verify import verify
from gradgap.sweep import config, grid, store
from helpers import assembled
from PIL import Image

RAW = only("phase_diagram")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A results folder as the workflow leaves it, each stage's script run in turn."""
    folder = tmp_path_factory.mktemp("made") / "results"
    return run_stages(RAW, folder)


@pytest.fixture
def results(made, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(made, tmp_path / "results")


def a_shard(folder: Path) -> Path:
    return next(path for path, shard in shard_files(RAW, folder).items() if "runs~" in shard.name)


def test_all_is_well_where_nothing_was_touched(results):
    assert verify(config.parse(RAW), results) == {}


def test_a_shard_is_the_same_file_whenever_it_is_written(results, tmp_path):
    path = a_shard(results)
    found = store.read_current(path)
    shard = grid.Shard(tuple(block.block for block in found))
    store.write(tmp_path / path.name, shard, [block.arrays for block in found])
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_no_flipped_byte_slips_through(results):
    """At each offset of a shard file: it is refused, or what is read is what was written."""
    path = a_shard(results)
    whole, written = path.read_bytes(), store.read_current(path)
    refused = []
    for offset in range(len(whole)):
        altered = bytearray(whole)
        altered[offset] ^= 1 + offset % 255
        path.write_bytes(altered)
        try:
            found = store.read_current(path)
        except ShardError as error:
            refused.append(str(error))
        else:
            for now, was in zip(found, written, strict=True):
                assert (now.block, now.code) == (was.block, was.code)
                assert all(
                    np.array_equal(now.arrays[name], was.arrays[name], equal_nan=True) for name in was.arrays
                )
    assert len(refused) > len(whole) / 2
    assert all(path.name in message for message in refused)


@pytest.mark.parametrize("keep", [0, 1, 0.25, 0.5, 0.9, -1])
def test_a_truncated_shard_is_refused(results, keep):
    path = a_shard(results)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(ShardError, match="damaged") as caught:
        store.read_current(path)
    assert "delete it" in str(caught.value)


def test_numbers_altered_under_a_right_checksum_are_refused(results):
    """The digest tells what the container's own checksums cannot."""
    path = a_shard(results)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    (name,) = (name for name in arrays if name.endswith("/final_failure_rate"))
    arrays[name] = arrays[name] + 1e-9
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    with pytest.raises(ShardError, match="digest"):
        store.read_current(path)


def test_every_bad_shard_is_named_with_one_remedy(results):
    """After the remedy, running again gives the very dataset of an undisturbed run."""
    study = config.parse(RAW).studies["phase_diagram"]
    files = list(shard_files(RAW, results))
    undisturbed = assembled(study, files)
    files[0].write_bytes(b"")
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:-50])
    with pytest.raises(ShardError) as caught:
        assembled(study, files)
    *each, remedy = str(caught.value).splitlines()
    assert [path.name in line for path, line in zip(files, each, strict=False)] == [True] * 3
    assert "Remedy: rm -f" in remedy
    assert all(path.name in remedy for path in files[:3])
    for path in files[:3]:
        path.unlink(missing_ok=True)
    run_missing(RAW, results)
    assert assembled(study, files).identical(undisturbed)


def test_shards_of_other_code_are_refused(results, monkeypatch):
    path = a_shard(results)
    monkeypatch.setattr(grid.Block, "code", property(lambda block: "0" * 16))
    with pytest.raises(ShardError, match="other code"):
        store.read_current(path)


def flip(path: Path, at: float = 0.5) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Lose the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "a bit early on": lambda path: flip(path, 0.1),
    "a bit in the middle": flip,
    "the last bit": lambda path: flip(path, 1),
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "gone": Path.unlink,
}


def written(results: Path) -> list[Path]:
    """Every file of a results folder."""
    return sorted(path for path in results.rglob("*") if path.is_file())


def test_every_damaged_file_is_named_whatever_its_kind(results):
    """One file and one damage at a time, over every file that a run wrote: it is named, and nothing else is."""
    parsed, named, tried = config.parse(RAW), [], []
    for number, path in enumerate(written(results)):
        whole = path.read_bytes()
        for k in range(2):  # two damages a file, and all of them over a kind of file
            name = list(DAMAGES)[(2 * number + k) % len(DAMAGES)]
            DAMAGES[name](path)
            tried.append((path.relative_to(results).as_posix(), name))
            named.append(set(verify(parsed, results)) == {str(path)})
            path.write_bytes(whole)
    assert [what for what, found in zip(tried, named, strict=True) if not found] == []
    assert len(tried) >= 50
    assert {path.split("/")[0] for path, _ in tried} == {
        "shards",
        "datasets",
        "analysis",
        "figures",
        "tables",
        "digests",
        "explore.html",
        "index.html",
        "reproduce.md",
        "report.html",
    }
    assert verify(parsed, results) == {}


def test_one_pass_names_all_that_is_bad(results):
    """Shard, dataset, numbers, caption, figure, table and page, all at once."""
    patterns = [
        "shards/phase_diagram/*.npz",
        "datasets/phase_diagram.nc",
        "analysis/phase_diagram.csv",
        "analysis/phase_diagram.rst",
        "analysis/phase_diagram.answer.txt",
        "figures/phase_diagram.svg",
        "tables/scaling.csv",
        "reproduce.md",
        "explore.html",
        "index.html",
    ]
    bad = set()
    for pattern in patterns:
        (path, *_) = sorted(results.glob(pattern))
        flip(path)
        bad.add(str(path))
    assert set(verify(config.parse(RAW), results)) == bad


def test_what_was_made_from_something_else_is_named(results):
    """Files that are whole but do not belong together: an older figure, and a dataset that was exchanged."""
    figures = sorted(results.glob("figures/phase_diagram.*"))
    record = results / "digests/figures/phase_diagram.json"
    digests.write(
        record, figures, [results / "analysis/phase_diagram.scaling.csv", results / "tables/scaling.csv"]
    )
    assert verify(config.parse(RAW), results) == {str(record): "of a job that wrote or read other files"}
    numbers = results / "analysis/phase_diagram.csv"
    whole = numbers.read_bytes()
    numbers.write_bytes(whole + b"\n")
    digests.write(record, figures, [numbers, results / "analysis/phase_diagram.scaling.csv"])
    numbers.write_bytes(whole)
    assert verify(config.parse(RAW), results) == {str(record): "made from another analysis/phase_diagram.csv"}


def test_a_record_is_read_as_it_was_written_or_refused(tmp_path):
    """Each bit of a record, one at a time."""
    one = tmp_path / "results" / "one.txt"
    one.parent.mkdir()
    one.write_text("one")
    path = tmp_path / "results/digests/stage/name.json"
    digests.write(path, [one], [tmp_path / "elsewhere.txt"])
    whole = path.read_bytes()
    assert digests.read(path) == digests.Record({"one.txt": digests.digest(b"one")}, {})
    for at in range(8 * len(whole)):
        altered = bytearray(whole)
        altered[at // 8] ^= 1 << at % 8
        path.write_bytes(altered)
        with pytest.raises(digests.DigestError, match="damaged"):
            digests.read(path)
    path.unlink()
    with pytest.raises(digests.DigestError, match="missing"):
        digests.read(path)


def test_figures_and_tables_open_in_other_programs(made):
    """What a reader's own tools make of the files: Pillow, pandas and an XML parser."""
    with Image.open(made / "figures/phase_diagram.png") as image:
        image.verify()
    with Image.open(made / "figures/phase_diagram.png") as image:
        assert image.size[0] > 300
    table = pd.read_csv(made / "tables/scaling.csv")
    assert list(table.columns) == COLUMNS
    rows = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: rows.append(tag) if tag == "tr" else None
    parser.feed((made / "tables/scaling.html").read_text(encoding="utf-8"))
    assert len(rows) == 1 + len(table)
    ElementTree.parse(made / "figures/phase_diagram.svg")
    pdf = (made / "figures/phase_diagram.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")


def test_verify_finds_a_dataset_that_is_not_its_shards(results):
    """One number altered in a dataset that opens well."""
    path = results / "datasets" / "phase_diagram.nc"
    with xr.open_dataset(path) as opened:
        altered = opened.load()
    altered["critical_learning_rate"][0, 0, 0, 0] *= 1 + 1e-12
    altered.to_netcdf(path)
    assert "differs from its shards in critical" in verify(config.parse(RAW), results)[str(path)]


def test_shards_of_removed_values_are_no_fault(results):
    less = changed(("studies", "phase_diagram", "length", [16, 64]), base=RAW)
    extra = changed(("studies", "phase_diagram", "length", [16, 32, 64]), base=RAW)
    run_missing(extra, results)
    assert verify(config.parse(less), results) == {}


def test_the_command_exits_1_and_prints_the_remedy(results, tmp_path, capsys):
    written = write_config(RAW, tmp_path / "config.yaml")
    argv = ["verify", str(results), "--configfile", str(written)]
    assert cli.main(argv) == 0
    assert "all is well" in capsys.readouterr().out
    path = a_shard(results)
    path.write_bytes(b"")
    assert cli.main(argv) == 1
    (remedy,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("remedy: ")]
    assert remedy.startswith(f"remedy: rm -f {shlex.quote(str(path))} && ")
    assert remedy.endswith(f" --directory {tmp_path} --configfile {written}")
    assert cli.main([*argv, "--json"]) == 1
    assert list(json.loads(capsys.readouterr().out)["wrong"]) == [str(path)]
