"""The scaling table of all studies, and the page that says which configuration and software made it."""

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path

import pandas as pd
import yaml

from ..files import replacing, write_text
from ..inference.power_laws import COLUMNS
from ..sweep import provenance

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.25em 0.7em; text-align: left; border-bottom: 1px solid #ddd; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
tr.refuted td {{ font-weight: 600; background: #f3ece0; }}
pre {{ background: #f5f5f5; padding: 1em; overflow-x: auto; }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
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
            f'<td class="number">{value:.4g}</td>'
            if isinstance(value, float)
            else f"<td>{escape(str(value))}</td>"
            for value in record.values()
        )
        lines.append(f'<tr class="{escape(str(record["verdict"]))}">{cells}</tr>')
    count = (table.verdict == "confirmed").sum()
    body = (
        f"<p>{count} of {len(table)} exponents confirmed: the prediction lies within the 95 % interval, or for "
        f"exact families within 0.03 of the fit. Refuted rows are marked.</p>"
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
