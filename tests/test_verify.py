"""Nothing damaged is used, and `gradgap verify` names what is bad."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from _small import assemble, changed, only, run_missing, shard_files, write_config
from gradgap import cli
from gradgap.errors import ShardError
from gradgap.report import panels
from gradgap.report.captions import fill, template
from gradgap.report.verify import verify
from gradgap.sweep import compute, config, dataset

RAW = only("phase_diagram")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A results folder with shards, dataset and analysis; figures and tables stand in as small whole files."""
    folder = tmp_path_factory.mktemp("made")
    run_missing(RAW, folder)
    study = config.parse(RAW).studies["phase_diagram"]
    dataset.write(assemble(RAW, folder, "phase_diagram"), folder / "datasets" / "phase_diagram.nc")
    with xr.open_dataset(folder / "datasets" / "phase_diagram.nc") as opened:
        analysis = study.study.analyse(opened.load(), study.settings)
    for part in ("analysis", "figures", "tables"):
        (folder / part).mkdir()
    panels.write(analysis.panels, folder / "analysis" / "phase_diagram.csv")
    analysis.scaling.to_csv(folder / "analysis" / "phase_diagram.scaling.csv", index=False)
    text = fill(template("phase_diagram"), analysis, study.settings)
    (folder / "analysis" / "phase_diagram.rst").write_text(text, encoding="utf-8")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(1, 1))
    for ending in ("pdf", "svg", "png"):
        figure.savefig(folder / "figures" / f"phase_diagram.{ending}")
    plt.close(figure)
    analysis.scaling.to_csv(folder / "tables" / "scaling.csv", index=False)
    for name in ("scaling", "provenance"):
        (folder / "tables" / f"{name}.html").write_text("<html></html>")
    return folder


@pytest.fixture
def results(made, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(made, tmp_path / "results")


def a_shard(folder: Path) -> Path:
    return next(path for path, shard in shard_files(RAW, folder).items() if shard.sweep == "runs")


def test_all_is_well_where_nothing_was_touched(results):
    assert verify(config.parse(RAW), results) == {}


def test_a_shard_is_the_same_file_whenever_it_is_written(results, tmp_path):
    path = a_shard(results)
    compute.write(tmp_path / path.name, *compute.read(path))
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_no_flipped_byte_slips_through(results):
    """At each offset of a shard file: it is refused, or what is read is what was written."""
    path = a_shard(results)
    whole, (shard, arrays) = path.read_bytes(), compute.read(path)
    refused = []
    for offset in range(len(whole)):
        altered = bytearray(whole)
        altered[offset] ^= 1 + offset % 255
        path.write_bytes(altered)
        try:
            found, values = compute.read(path)
        except ShardError as error:
            refused.append(str(error))
        else:
            assert found == shard
            assert all(np.array_equal(values[name], arrays[name], equal_nan=True) for name in arrays)
    assert len(refused) > len(whole) / 2
    assert all(path.name in message for message in refused)


@pytest.mark.parametrize("keep", [0, 1, 0.25, 0.5, 0.9, -1])
def test_a_truncated_shard_is_refused(results, keep):
    path = a_shard(results)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(ShardError, match="damaged") as caught:
        compute.read(path)
    assert "delete it" in str(caught.value)


def test_numbers_altered_under_a_right_checksum_are_refused(results):
    """The digest tells what the container's own checksums cannot."""
    path = a_shard(results)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["final_failure_rate"] = arrays["final_failure_rate"] + 1e-9
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    with pytest.raises(ShardError, match="digest"):
        compute.read(path)


def test_every_bad_shard_is_named_with_one_remedy(results):
    """After the remedy, running again gives the very dataset of an undisturbed run."""
    study = config.parse(RAW).studies["phase_diagram"]
    files = list(shard_files(RAW, results))
    undisturbed = dataset.assemble(study, files)
    files[0].write_bytes(b"")
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:-50])
    with pytest.raises(ShardError) as caught:
        dataset.assemble(study, files)
    *each, remedy = str(caught.value).splitlines()
    assert [path.name in line for path, line in zip(files, each, strict=False)] == [True] * 3
    assert "Remedy: rm -f" in remedy
    assert all(path.name in remedy for path in files[:3])
    for path in files[:3]:
        path.unlink(missing_ok=True)
    run_missing(RAW, results)
    assert dataset.assemble(study, files).identical(undisturbed)


def test_shards_of_other_code_are_refused(results, monkeypatch):
    from gradgap.sweep.grid import Shard

    monkeypatch.setattr(Shard, "code", property(lambda shard: "0" * 16))
    with pytest.raises(ShardError, match="other code"):
        compute.read(a_shard(results))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


DAMAGE = {
    "shard": ("shards/phase_diagram/runs/*length=16~*.npz", lambda path: path.write_bytes(b""), "damaged"),
    "missing shard": (
        "shards/phase_diagram/critical/*length=64~success_rate=0.8~rule=GRPO~*.npz",
        Path.unlink,
        "missing",
    ),
    "dataset": (
        "datasets/phase_diagram.nc",
        lambda path: path.write_bytes(path.read_bytes()[:500]),
        "damaged",
    ),
    "missing dataset": ("datasets/phase_diagram.nc", Path.unlink, "missing"),
    "numbers": ("analysis/phase_diagram.csv", flip, "differs from what its dataset gives"),
    "caption": ("analysis/phase_diagram.rst", flip, "differs"),
    "png": ("figures/phase_diagram.png", flip, "damaged"),
    "svg": ("figures/phase_diagram.svg", lambda path: path.write_bytes(path.read_bytes()[:300]), "damaged"),
    "pdf": ("figures/phase_diagram.pdf", lambda path: path.write_bytes(path.read_bytes()[:300]), "damaged"),
    "table": ("tables/scaling.csv", lambda path: path.write_text("a,b\n1\n"), "damaged"),
    "page": ("tables/provenance.html", lambda path: path.write_text("<html>"), "damaged"),
}


@pytest.mark.parametrize(("pattern", "damage", "what"), DAMAGE.values(), ids=DAMAGE)
def test_verify_names_the_bad_file_and_no_other(results, pattern, damage, what):
    (path,) = results.glob(pattern)
    damage(path)
    found = verify(config.parse(RAW), results)
    assert list(found) == [str(path)]
    assert what in found[str(path)]


def test_verify_finds_a_dataset_that_is_not_its_shards(results):
    """One number altered in a dataset that opens well."""
    path = results / "datasets" / "phase_diagram.nc"
    with xr.open_dataset(path) as opened:
        altered = opened.load()
    altered["critical"][0, 0, 0, 0] *= 1 + 1e-12
    dataset.write(altered, path)
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
    assert "remedy: rm -f" in capsys.readouterr().out
    assert cli.main([*argv, "--json"]) == 1
    assert list(json.loads(capsys.readouterr().out)["wrong"]) == [str(path)]
