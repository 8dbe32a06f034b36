"""The numbers behind a figure in one CSV file. Its first column says to which panel a row belongs."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..files import replacing

#: Rows that are made into text, or read as text, at once.
_AT_ONCE = 2**15


def write(panels: Mapping[str, pd.DataFrame], path: str | Path) -> None:
    """Write the tables of all panels into one CSV file.

    Panels may have different columns; where a panel lacks a column, its cells are empty. Numbers are written with all
    digits, so that reading gives back exactly the same numbers.
    """
    columns = ["panel", *dict.fromkeys(column for table in panels.values() for column in table)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        pd.DataFrame(columns=columns).to_csv(file, index=False)
        for name, table in panels.items():
            for start in range(0, len(table), _AT_ONCE):
                rows = table.iloc[start : start + _AT_ONCE]
                # what a panel has but does not know is written out, and so told from a column that it has not
                known = rows.astype(object).where(rows.notna(), "nan").assign(panel=name)
                known.reindex(columns=columns).to_csv(file, index=False, header=False)


def read(path: str | Path) -> dict[str, pd.DataFrame]:
    """Read the tables that `write` has written. Each gets back its own columns."""
    whole = pd.read_csv(path, low_memory=False)
    written: dict[str, pd.Series] = {}
    for texts in pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=_AT_ONCE):
        for name, rows in texts.groupby("panel", sort=False):
            found = (rows != "").any()
            written[str(name)] = found | written.get(str(name), found)
    return {
        str(name): table.loc[:, written[str(name)]].drop(columns="panel").reset_index(drop=True)
        for name, table in whole.groupby("panel", sort=False)
    }
