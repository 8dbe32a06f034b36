"""The page of findings and the end of a run: what they say follows from what the studies declared and found."""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from gradgap import cli
from gradgap.inference.power_laws import COLUMNS
from gradgap.report import captions, index
from gradgap.sweep.axes import AXES
from gradgap.sweep.grid import measurement_of
from gradgap.sweep.study import STUDIES, Analysis

NAMES = sorted(STUDIES.discover())


def rows(**columns):
    whole = dict.fromkeys(COLUMNS, "") | {"axis": "length", "predicted": -1.0, "measured": -1.0}
    return pd.DataFrame([whole | {"verdict": "confirmed"} | columns], columns=COLUMNS)


@pytest.fixture
def results(smoke, tmp_path):
    """A results folder of one study, with everything the page is made from."""
    source = smoke("stagnation")
    for folder, file in (("analysis", "stagnation.answer.txt"), ("analysis", "stagnation.rst")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / file).write_bytes((source / folder / file).read_bytes())
    rows(study="stagnation", verdict="refuted", search="one").to_csv(
        tmp_path / "analysis/stagnation.scaling.csv", index=False
    )
    (tmp_path / "figures").mkdir()
    header = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + b"IHDR" + (300).to_bytes(4) + (200).to_bytes(4)
    (tmp_path / "figures/stagnation.png").write_bytes(header)
    return tmp_path


def written(folder):
    files = {
        end: {"stagnation": folder / f"analysis/stagnation{end}"}
        for end in (".answer.txt", ".rst", ".scaling.csv")
    }
    index.write(*files.values(), folder / "index.html", seed=7)
    return (folder / "index.html").read_text(encoding="utf-8")


def test_page_shows_question_verdict_answer_figure_and_links(results):
    verdict, _, answer = (results / "analysis/stagnation.answer.txt").read_text().strip().partition(": ")
    page = written(results)
    assert STUDIES.find("stagnation").title in page
    assert answer in page
    assert f">{verdict}</li>" in page
    assert '<li class="fails">1 refuted</li>' in page
    assert 'width="300" height="200"' in page
    for link in ("explore.html#study=stagnation", "analysis/stagnation.csv", "datasets/stagnation.nc"):
        assert f'href="{link}"' in page
    assert not re.findall(r'(?:src|href)="(?:http|//)(?!s://arxiv)', page)
    assert not re.search(r"\{\{|\{%", page)


def test_no_text_of_a_component_becomes_markup(results):
    hostile = "<script>alert(1)</script>"
    for name in ("stagnation.answer.txt", "stagnation.rst"):
        (results / "analysis" / name).write_text(f"confirmed: {hostile} **x** ``{hostile}``")
    page = written(results)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 3


def test_values_in_a_caption_are_shown_as_they_are():
    """A name with the marks of reStructuredText neither becomes markup nor breaks the report."""
    analysis = Analysis({}, rows()[:0], {"name": "a*b|c_ `d` **e**"})
    text = captions.fill("**Title.** {{ findings.name }} and {{ 3 }}.", analysis, {})
    html = index.caption_html(text)
    assert html == "<p><strong>Title.</strong> a*b|c_ `d` **e** and 3.</p>"
    from docutils.core import publish_parts

    body = publish_parts(text, writer="html")["body"]
    assert "a*b|c_ `d` **e**" in body
    assert "system-message" not in body


@pytest.mark.parametrize("name", NAMES)
def test_what_a_study_declares_for_its_pages_is_there(root, name):
    study = STUDIES.find(name)
    assert (root / "docs" / study.theory).is_file()
    if not study.view:
        return
    sweeps = study.sweeps.values()
    variables = {v: sweep for sweep in sweeps for v in measurement_of(sweep).variables}
    sweep = variables[study.view["variable"]]
    axes = measurement_of(sweep).variables[study.view["variable"]].axes(sweep.axes)
    assert study.view["across"] in axes
    kind, _, by = study.view["by"].partition(":")
    assert kind in ("lines", "map")
    assert by in axes
    assert study.view.get("scale", "log") in ("log", "linear")
    assert study.view.get("beside", study.view["variable"]) in variables
    known = {"variable", "across", "by", "scale", "beside"}
    assert set(study.view) - known <= set(axes) & set(AXES.discover())


def test_a_study_without_an_answer_of_its_own_answers_with_its_verdicts():
    text = captions._ANSWER
    found = Analysis({}, rows(measured=-0.98), {})
    assert captions.fill_answer(text, found, {}) == (
        "1 confirmed: exponent in T where −1 is predicted: −0.98.\n"
    )
    nothing = Analysis({}, rows()[:0], {})
    assert captions.fill_answer(text, nothing, {}).startswith("measured: ")


def test_summary_counts_verdicts_and_says_where_to_look(results, capsys, monkeypatch):
    (results / "results").mkdir()
    (results / "analysis").rename(results / "results/analysis")
    (results / "results/tables").mkdir()
    table = pd.concat([rows(verdict=word, search=word) for word in ("confirmed", "confirmed", "undecided")])
    table.to_csv(results / "results/tables/scaling.csv", index=False)
    (results / "results/benchmarks/x").mkdir(parents=True)
    (results / "results/benchmarks/x/y.tsv").write_text("s\tcpu_time\n1\t30.5\n2\tNA\n3\t40\n")
    (results / "results/index.html").write_text("")
    (results / "mine.yaml").write_text(
        "studies:\n  stagnation:\n    length: [64]\n    success_rate: [0.2]\n    learning_rate: [0.1]\n"
    )
    monkeypatch.chdir(results)
    command = ["summary", "--configfile", "mine.yaml"]
    assert cli.main([*command, "--since", "0"]) == 0
    text = capsys.readouterr().out
    assert "Exponents: 2 confirmed, 1 undecided, from 2 independent searches." in text
    assert "1 min 10 s of processor time" in text
    assert "This run took" in text
    assert "results/index.html" in text
    assert cli.main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == {"confirmed": 2, "undecided": 1}
    (results / "results/tables/scaling.csv").unlink()
    assert cli.main(command) == 2
    assert "scaling.csv: missing" in capsys.readouterr().err


def test_a_log_has_a_line_a_job_and_one_at_the_end_of_it(capsys):
    import logging

    from snakemake_interface_logger_plugins.common import LogEvent
    from snakemake_logger_plugin_gradgap import STOPPED, LogHandler

    settings = SimpleNamespace(stdout=False, dryrun=False, verbose=False)
    handler = LogHandler(settings, None)

    def tell(text="", level=logging.INFO, **extra):
        record = logging.LogRecord("snakemake", level, "", 0, text, None, None)
        vars(record).update(extra)
        handler.emit(record)

    tell("Building DAG of jobs...")
    tell(event=LogEvent.RUN_INFO, stats={"all": 1, "shards": 2, "total": 3})
    for job, study in ((1, "stagnation"), (2, "collapse")):
        wildcards = {"study": study, "shard": f"runs~{job}"}
        tell(event=LogEvent.JOB_INFO, jobid=job, rule_name="shards", wildcards=wildcards)
        tell(event=LogEvent.JOB_FINISHED, job_id=job)
    tell(event=LogEvent.JOB_INFO, jobid=3, rule_name="all", wildcards={})
    tell(event=LogEvent.JOB_FINISHED, job_id=3)
    tell("a disk is full", logging.ERROR)
    tell("Terminating processes on user request, this might take some time.", logging.ERROR)
    tell("Error in rule shards", logging.ERROR)
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r", [\d.e-]+ s$", "", line) for line in lines] == [
        "1 of 2  shards stagnation",
        "2 of 2  shards collapse",
        "a disk is full",
        STOPPED,
    ]
