"""`gradgap provenance` says what made each dataset and figure."""

import json
import os
from html import unescape

from _small import assemble, only, run_missing
from gradgap import cli
from gradgap.sweep import dataset, provenance


def test_every_dataset_and_figure_is_traced(tmp_path, capsys):
    raw = only("stagnation")
    run_missing(raw, tmp_path)
    file = tmp_path / "datasets" / "stagnation.nc"
    dataset.write(assemble(raw, tmp_path, "stagnation"), file)
    figures = [tmp_path / "figures" / f"stagnation.{ending}" for ending in ("pdf", "png")]
    figures[0].parent.mkdir()
    for figure, age in zip(figures, (-10, 10), strict=True):
        figure.write_bytes(b"")
        at = file.stat().st_mtime + age
        os.utime(figure, (at, at))
    assert cli.main(["provenance", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["studies"]["stagnation"]
    assert record["seed"] == str(raw["seed"])
    assert record["commit"] == provenance.commit()
    assert f"gradgap {provenance.software()['gradgap']}" in record["software"]
    assert record["config"]["axes"]["length"] == ["64", "256"]
    assert record["config"]["settings"]["iterations"] == raw["studies"]["stagnation"]["iterations"]
    assert [figure["state"] for figure in record["figures"]] == ["older than its dataset", "of this dataset"]
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
