"""Captions, filled from what was found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ..inference.power_laws import COLUMNS
from ..sweep.study import STUDIES, Analysis

FOLDER = Path(__file__).parents[1] / "studies"


def template(study: str) -> str:
    """Text of a study's caption before it is filled in: the study's own, or its file in workflow/report/."""
    own = STUDIES.find(study).caption
    return own if own is not None else (FOLDER / study / "caption.rst").read_text(encoding="utf-8")


def fill(text: str, analysis: Analysis, settings: Mapping[str, Any]) -> str:
    """Fill a caption; a name that the findings do not hold is an error."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    rows = analysis.scaling[COLUMNS].to_dict("records")
    refuted = [row for row in rows if row["verdict"] != "confirmed"]
    return environment.from_string(text).render(
        findings=analysis.findings, scaling=rows, refuted=refuted, settings=settings
    )
