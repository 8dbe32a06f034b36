"""Captions of figures and answers of studies, filled with the numbers that the analysis found."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from ..fingerprint import source_file
from ..inference import equivalence
from ..inference.power_laws import COLUMNS
from ..sweep.study import STUDIES, Analysis

#: The answer of a study that has no template of its own.
_ANSWER = (
    "{% if scaling %}{{ counts }}: {{ exponents() }}.{% else %}"
    "measured: no exponent is predicted, see the figure.{% endif %}"
)


def _beside(study: str, name: str):
    """A file beside the module that registers a study."""
    declaration = source_file(STUDIES.origins[study])
    assert declaration is not None  # a study is registered by a module of the package or by a plugin
    return declaration.parent / name


def template(study: str) -> str:
    """The template of a study's caption: the one it declares, or the file caption.rst beside its declaration."""
    own = STUDIES.find(study).caption
    return _beside(study, "caption.rst").read_text(encoding="utf-8") if own is None else own


def answer_template(study: str) -> str:
    """Text of a study's answer before it is filled in: its own, answer.txt beside its declaration, or for all."""
    own = STUDIES.find(study).answer
    if own is not None:
        return own
    # a plugin of one file may stand beside the files of another study
    path = _beside(study, "answer.txt")
    if path.parent.name == study and path.is_file():
        return path.read_text(encoding="utf-8")
    return _ANSWER


def counts(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many exponents have which verdict; empty without rows.

    >>> counts([{"verdict": "confirmed"}, {"verdict": "undecided"}, {"verdict": "confirmed"}])
    '2 confirmed, 1 undecided'
    """
    found = Counter(row["verdict"] for row in rows)
    return ", ".join(
        f"{found[each.value]} {each.value}" for each in equivalence.Verdict if each.value in found
    )


def exponents(rows: Sequence[Mapping[str, Any]]) -> str:
    """The exponents measured, of each axis and predicted value from the least to the largest.

    >>> rows = [{"axis": "length", "predicted": -1.0, "measured": m} for m in (-1.01, -0.99)]
    >>> exponents(rows)
    'exponent in T where −1 is predicted: −1.01 to −0.99'
    """
    symbols = {"length": "T", "failure_rate": "1 − J", "group_size": "n"}
    groups: dict[tuple[str, float], list[float]] = {}
    for row in rows:
        # two predictions that differ by less are one number on the page
        groups.setdefault((row["axis"], round(row["predicted"], 3)), []).append(row["measured"])
    parts: dict[str, list[str]] = {}
    for (axis, predicted), values in sorted(
        groups.items(), key=lambda item: (item[0][0] != "length", *item[0])
    ):
        low, high = (f"{round(end, 2) + 0.0:.2f}" for end in (min(values), max(values)))
        measured = low if low == high else f"{low} to {high}"
        parts.setdefault(axis, []).append(f"where {predicted:.3g} is predicted: {measured}")
    texts = [f"exponent in {symbols.get(axis, axis)} {', '.join(found)}" for axis, found in parts.items()]
    return re.sub(r"-(?=\d)", "−", "; ".join(texts)) or "no exponent could be fitted"


def verdicts(rows: Sequence[Mapping[str, Any]]) -> str:
    """The verdicts of a study as text, with the rule behind them.

    It says how many rows have each verdict, and from how many independent searches. Every row whose prediction is
    not confirmed is described.
    """
    if not rows:
        return "No exponent was fitted."
    searches = len({row["search"] for row in rows})
    text = (
        f"Of {len(rows)} exponents from {searches} independent searches: {counts(rows)}. {equivalence.RULE}"
    )
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


def literal(value: Any) -> Any:
    """Escape a text of a component, so that reStructuredText and Markdown show it unchanged.

    >>> print(literal("a*b|c"), literal("dr_grpo"), literal("end_"))
    a\\*b\\|c dr_grpo end\\_
    """
    if not isinstance(value, str):
        return value
    return re.sub(r"([\\*`|]|_(?![^\W_]))", r"\\\1", value)


def _render(text: str, analysis: Analysis, settings: Mapping[str, Any], finalize) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=finalize
    )
    rows = analysis.scaling[COLUMNS].to_dict("records")
    return environment.from_string(text).render(
        findings=analysis.findings,
        scaling=rows,
        settings=settings,
        verdicts=verdicts(rows),
        counts=counts(rows) or "measured",
        exponents=lambda: exponents(rows),
    )


def fill(text: str, analysis: Analysis, settings: Mapping[str, Any]) -> str:
    """Fill in a caption. A name that the findings do not contain is an error."""
    return _render(text, analysis, settings, literal)


def fill_answer(text: str, analysis: Analysis, settings: Mapping[str, Any]) -> str:
    """Fill an answer: one line of plain text, ``VERDICT: sentence``."""
    return " ".join(_render(text, analysis, settings, lambda value: value).split()) + "\n"
