"""`gradgap provenance` says what made each dataset and figure."""

import json
import os
import shutil
from html import unescape

import xarray as xr
from _small import assemble, only, run_missing, run_stages
from gradgap import cli
from gradgap.sweep import provenance


def test_every_dataset_and_figure_is_traced(tmp_path, capsys):
    """By content: a copy with other times is traced as well, and a figure of another dataset is told."""
    raw = only("stagnation")
    run_stages(raw, tmp_path / "results")
    folder = shutil.copytree(tmp_path / "results", tmp_path / "copy", copy_function=shutil.copy)
    dataset = folder / "datasets" / "stagnation.nc"
    os.utime(dataset, (2e9, 2e9))  # newer than all that was made from it
    figures = [folder / "figures" / f"stagnation.{ending}" for ending in ("pdf", "png", "svg")]

    def states():
        assert cli.main(["provenance", str(folder), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["studies"]["stagnation"]["figures"]
        assert [figure["file"] for figure in found] == [str(figure) for figure in figures]
        return [figure["state"] for figure in found]

    assert states() == ["of this dataset"] * 3
    figures[1].write_bytes(b"no picture")
    assert states() == ["of this dataset", "damaged: not the file that was drawn", "of this dataset"]
    with xr.open_dataset(dataset) as opened:
        other = opened.load()
    other.assign_attrs(title="another").to_netcdf(dataset)
    assert states()[0] == "of another dataset"
    (folder / "digests/figures/stagnation.json").unlink()
    assert states() == ["unknown: no record of digests"] * 3


def test_every_dataset_says_what_made_it(tmp_path, capsys):
    raw = only("stagnation")
    run_missing(raw, tmp_path)
    (tmp_path / "datasets").mkdir()
    assemble(raw, tmp_path, "stagnation").to_netcdf(tmp_path / "datasets" / "stagnation.nc")
    assert cli.main(["provenance", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["studies"]["stagnation"]
    assert record["seed"] == str(raw["seed"])
    assert record["commit"] == provenance.commit()
    assert f"gradgap {provenance.software()['gradgap']}" in record["software"]
    assert record["config"]["axes"]["length"] == ["64", "256"]
    assert record["config"]["settings"]["iterations"] == raw["studies"]["stagnation"]["iterations"]
    assert record["figures"] == []
    assert cli.main(["provenance", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert provenance.commit() in shown
    assert "length (2): 64, 256" in shown


def test_no_dataset_is_an_error_that_says_so(tmp_path, capsys):
    assert cli.main(["provenance", str(tmp_path)]) == 2
    assert "datasets/STUDY.nc" in capsys.readouterr().err
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "stagnation.nc").write_bytes(b"no dataset")
    assert cli.main(["provenance", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_figure_says_in_each_format_what_made_it(tmp_path):
    """Configuration, commit, software and seed stand in the file itself, and the file is the same each time."""
    import matplotlib.pyplot as plt
    from gradgap.report import style

    about = provenance.about("stagnation", {"length": ["64"]}, {"iterations": 10}, 7)
    told = json.loads(about)
    assert told["seed"] == 7
    assert told["commit"] == provenance.commit()
    assert told["config"] == {"axes": {"length": ["64"]}, "settings": {"iterations": 10}}
    assert told["software"] == provenance.software()
    paths = {ending: tmp_path / f"figure.{ending}" for ending in ("pdf", "svg", "png")}
    seen = []
    for _ in range(2):
        style.save(plt.figure(figsize=(1, 1)), paths, about)
        seen.append([path.read_bytes() for path in paths.values()])
    assert seen[0] == seen[1]
    assert about in unescape(paths["svg"].read_text(encoding="utf-8"))
    assert about.encode() in paths["png"].read_bytes()
    assert b"/Subject" in paths["pdf"].read_bytes()
