"""The documentation says what the code does: generated pages, shown files, links, and commands."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from gradgap import cli
from gradgap.report import documentation
from gradgap.sweep.study import STUDIES

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{name}.md" for name in ("extend", "reproduce", "datasets", "config", "trainers", "glossary")),
]


@pytest.mark.parametrize(
    ("name", "page"), [(name, f"docs/{name}.md") for name in ("config", "datasets", "reproduce")]
)
def test_generated_pages_have_not_drifted(root, name, page):
    made = documentation.PAGES[name](root / "results/analysis")
    assert (root / page).read_text(encoding="utf-8") == made, f"{page} is out of date: run `make docs`"


def test_every_study_is_configured_and_documented(root):
    configured = yaml.safe_load((root / "config.yaml").read_text())["studies"]
    reproduce = (root / "docs/reproduce.md").read_text(encoding="utf-8")
    for name, study in STUDIES.discover().items():
        if study.config_file != "config.yaml":
            configured |= yaml.safe_load((root / study.config_file).read_text())["studies"]
        assert name in configured
        assert f"## {name}\n" in reproduce


def test_shown_files_are_the_files(root):
    text = (root / "docs/extend.md").read_text(encoding="utf-8")
    shown = re.findall(r"<!-- (\S+) -->\n\n```python\n(.*?)```\n", text, flags=re.DOTALL)
    assert [path for path, _ in shown] == [
        f"examples/gradgap_plugins/{name}.py"
        for name in ("advantage", "aggregation", "schedule", "controller", "family")
    ]
    for path, code in shown:
        assert (root / path).read_text(encoding="utf-8") == code


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root, page):
    text = (root / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        # docs/theory.md and docs/hpc.md have their own tests; here they may only not be misspelt
        # ../../actions/ is a place of the service, whatever the project is called there
        if not target.startswith(("https://", "../../actions/")) and not target.endswith(
            ("theory.md", "hpc.md")
        ):
            assert ((root / page).parent / target).exists(), target


def commands(root, page):
    """Lines of the fenced blocks without a language: what a reader types."""
    text = (root / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    blocks = [block for language, block in blocks if not language]
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_commands_are_understood(root, capsys):
    """make targets exist, gradgap arguments parse, files that are named exist or are results."""
    makefile = (root / "Makefile").read_text()
    seen = 0
    for page in PAGES:
        for line in commands(root, page):
            words = shlex.split(line)
            seen += 1
            if words[0] == "make":
                assert all(re.search(rf"^{word}:", makefile, flags=re.MULTILINE) for word in words[1:]), line
            elif words[0].endswith("gradgap"):
                assert cli.main(words[1:]) == 0, line
            else:
                assert words[0] in (".venv/bin/snakemake", ".venv/bin/python"), line
    assert seen > 10
    capsys.readouterr()


def test_own_figure_and_the_lines_of_datasets_md_draw(root, tmp_path, smoke):
    environment = os.environ | {"PYTHONPATH": str(root / "workflow/scripts"), "MPLBACKEND": "agg"}
    results = smoke("length_scaling")
    script, output = root / "examples/own_figure.py", tmp_path / "own.png"
    dataset = results / "datasets/length_scaling.nc"
    subprocess.run([sys.executable, script, dataset, output], check=True, env=environment)
    assert output.stat().st_size > 1000
    text = (root / "docs/datasets.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "results").symlink_to(results)
    (tmp_path / "config.yaml").symlink_to(root / "config.yaml")
    for code in blocks:
        assert len(code.splitlines()) <= 5
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=tmp_path)
    assert (tmp_path / "redrawn.png").stat().st_size > 1000
