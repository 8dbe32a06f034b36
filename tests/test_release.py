"""What a release says of itself agrees wherever it says it, and what runs elsewhere runs what is run here."""

import json
import re
import tomllib

import gradgap
import yaml


def test_version_title_licence_and_authors_agree(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    zenodo = json.loads((root / ".zenodo.json").read_text(encoding="utf-8"))
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", changes, flags=re.MULTILINE)
    assert released
    versions = {gradgap.__version__, project["version"], cited["version"], zenodo["version"], released[1]}
    assert len(versions) == 1
    assert {str(cited["date-released"]), zenodo["publication_date"]} == {released[2]}
    assert cited["title"] == zenodo["title"]
    assert {project["license"], cited["license"], zenodo["license"]} == {"MIT"}
    assert [one["name"] for one in cited["authors"]] == [one["name"] for one in zenodo["creators"]]
    (paper,) = cited["references"]
    assert [one["identifier"] for one in zenodo["related_identifiers"]] == [paper["identifiers"][0]["value"]]
    assert zenodo["description"] == project["description"]


def test_the_services_run_what_is_run_here(root):
    for path in (root / ".github/workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        assert all(".ci/run" in [step.get("run") for step in job["steps"]] for job in jobs.values()), (
            path.name
        )
    assert (root / ".ci/run").stat().st_mode & 0o111
    for form in (root / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        yaml.safe_load(form.read_text(encoding="utf-8"))
