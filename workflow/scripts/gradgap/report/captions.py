"""Captions, filled from what was found."""

from collections.abc import Mapping
from typing import Any

import jinja2

from ..fingerprint import source_file
from ..inference.power_laws import COLUMNS
from ..sweep.study import STUDIES, Analysis


def template(study: str) -> str:
    """Text of a study's caption before it is filled in: the study's own, or caption.rst beside its declaration."""
    own = STUDIES.find(study).caption
    if own is not None:
        return own
    declaration = source_file(STUDIES.origins[study])
    assert declaration is not None  # a study is registered by a module of the package or by a plugin
    return (declaration.parent / "caption.rst").read_text(encoding="utf-8")


def fill(text: str, analysis: Analysis, settings: Mapping[str, Any]) -> str:
    """Fill a caption; a name that the findings do not hold is an error."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    rows = analysis.scaling[COLUMNS].to_dict("records")
    refuted = [row for row in rows if row["verdict"] != "confirmed"]
    return environment.from_string(text).render(
        findings=analysis.findings, scaling=rows, refuted=refuted, settings=settings
    )
