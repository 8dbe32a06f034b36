"""The scaling table of all studies, the page of their findings, and the page of their provenance."""

import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import pandas as pd
import yaml

from ..files import replacing, write_text
from ..inference import equivalence
from ..inference.power_laws import COLUMNS
from ..sweep import provenance
from ..sweep.study import STUDIES

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.25em 0.7em; text-align: left; border-bottom: 1px solid #ddd; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
tr.marked td {{ font-weight: 600; background: #f3ece0; }}
pre {{ background: #f5f5f5; padding: 1em; overflow-x: auto; }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


#: Of a row whose prediction does not stand.
MARKED = ' class="marked"'


_FINDINGS = """# Reproduce, figure by figure

Made by the workflow beside the figures, so it is of the same data. The predictions P1–P8 are spelled out in
docs/theory.md. Each part below says which of them a study tests, the command that makes its figure alone, and what
came out, with every number filled in from the data. O1–O10 are spelled out in docs/theory_optimizers.md.
"""


def gather(rows: Iterable[str | Path]) -> pd.DataFrame:
    """All rows of the scaling table, study by study."""
    found = [pd.read_csv(path) for path in rows]
    kept = [table for table in found if len(table)]
    return pd.concat(kept, ignore_index=True)[COLUMNS] if kept else pd.DataFrame(columns=COLUMNS)


def write(table: pd.DataFrame, csv: str | Path, html: str | Path) -> None:
    """Write the scaling table as CSV in full, and as a page to read."""
    with replacing(csv) as temporary:
        table.to_csv(temporary, index=False)
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in COLUMNS)
    lines = []
    for record in table.to_dict("records"):
        cells = "".join(
            f'<td class="number">{"" if math.isnan(value) else f"{value:.4g}"}</td>'
            if isinstance(value, float)
            else f"<td>{escape(str(value))}</td>"
            for value in record.values()
        )
        standing = record["verdict"] in [verdict.value for verdict in equivalence.FOR]
        lines.append(f"<tr{'' if standing else MARKED}>{cells}</tr>")
    counts = table.verdict.value_counts()
    found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    body = (
        f"<p>{len(table)} exponents from {table.search.nunique()} independent searches: {escape(found)}. Rows of one "
        f"search are one piece of evidence. {escape(equivalence.RULE)} The column closed "
        f"form holds the exponent that the closed form itself has on the same grid. Rows whose prediction does not "
        f"stand are marked.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>"
    )
    write_text(html, _PAGE.format(title="Exponents, predicted and measured", body=body))


def write_provenance(path: str | Path, config: str, seed: int) -> None:
    """Write the page with configuration, software, commit and seed."""
    versions = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(version)}</td></tr>"
        for name, version in provenance.software().items()
    )
    text = yaml.safe_dump(json.loads(config), sort_keys=False, allow_unicode=True)
    body = (
        f"<p>Source: {escape(provenance.SOURCE)}.</p><p>Commit: {escape(provenance.commit())}. Seed: {seed}.</p>"
        f"<h2>Software</h2><table>{versions}</table><h2>Configuration</h2><pre>{escape(text)}</pre>"
    )
    write_text(path, _PAGE.format(title="Configuration, software and seed", body=body))


def findings(captions: Mapping[str, str | Path], results: str = "results") -> str:
    """The findings of all studies, as Markdown.

    Parameters
    ----------
    captions : mapping of str to path
        The filled-in caption of each study that was run.
    results : str
        The folder of the run's results.
    """
    parts = [_FINDINGS]
    for name, path in captions.items():
        study, caption = STUDIES.find(name), Path(path)
        found = caption.read_text(encoding="utf-8").strip() if caption.is_file() else "Not run."
        parts.append(
            f"## {name}\n\n{study.title} Tests {study.predictions}.\n\n"
            f"```\n.venv/bin/snakemake {results}/figures/{name}.png\n```\n\n{found.replace('``', '`')}"
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"
