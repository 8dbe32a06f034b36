"""Captions of figures, filled with the numbers that the analysis found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from ..fingerprint import source_file
from ..inference import equivalence
from ..inference.power_laws import COLUMNS
from ..sweep.study import STUDIES, Analysis


def template(study: str) -> str:
    """The template of a study's caption: the one it declares, or the file caption.rst beside its declaration."""
    own = STUDIES.find(study).caption
    if own is not None:
        return own
    declaration = source_file(STUDIES.origins[study])
    assert declaration is not None  # a study is registered by a module of the package or by a plugin
    return (declaration.parent / "caption.rst").read_text(encoding="utf-8")


def verdicts(rows: Sequence[Mapping[str, Any]]) -> str:
    """The verdicts of a study as text, with the rule behind them.

    It says how many rows have each verdict, and from how many independent searches. Every row whose prediction is
    not confirmed is described.
    """
    if not rows:
        return "No exponent was fitted."
    counts = Counter(row["verdict"] for row in rows)
    order = [each.value for each in equivalence.Verdict if each.value in counts]
    found = ", ".join(f"{counts[name]} {name}" for name in order)
    searches = len({row["search"] for row in rows})
    text = f"Of {len(rows)} exponents from {searches} independent searches: {found}. {equivalence.RULE}"
    standing = [each.value for each in equivalence.FOR]
    several = len({row["optimizer"] for row in rows}) > 1
    others = []
    for row in rows:
        if row["verdict"] in standing:
            continue
        known = row["closed_form"] == row["closed_form"]
        same = f"; the closed form has {row['closed_form']:.3f} on this grid" if known else ""
        optimizer = f"{row['optimizer']}, " if several else ""
        others.append(
            f"{row['verdict'].capitalize()}: {row['family']}, {optimizer}{row['advantage']}, {row['aggregation']}, "
            f"exponent in {row['axis']}: predicted {row['predicted']:.3g}, measured {row['measured']:.3f} "
            f"({row['ci_low']:.3f} to {row['ci_high']:.3f}){same}."
        )
    return "\n\n".join([text, *others])


def fill(text: str, analysis: Analysis, settings: Mapping[str, Any]) -> str:
    """Fill in a caption. A name that the findings do not contain is an error."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    rows = analysis.scaling[COLUMNS].to_dict("records")
    return environment.from_string(text).render(
        findings=analysis.findings, scaling=rows, verdicts=verdicts(rows), settings=settings
    )
