"""The numbers behind a figure in one CSV file. Its first column says to which panel a row belongs."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..files import replacing


def write(panels: Mapping[str, pd.DataFrame], path: str | Path) -> None:
    """Write the tables of all panels into one CSV file.

    Panels may have different columns; where a panel lacks a column, its cells are empty. Numbers are written with all
    digits, so that reading gives back exactly the same numbers.
    """
    # what a panel has but does not know is written out, and so told from a column that it has not
    known = {name: table.astype(object).where(table.notna(), "nan") for name, table in panels.items()}
    whole = pd.concat([table.assign(panel=name) for name, table in known.items()], ignore_index=True)
    whole.insert(0, "panel", whole.pop("panel"))
    with replacing(path) as temporary:
        whole.to_csv(temporary, index=False)


def read(path: str | Path) -> dict[str, pd.DataFrame]:
    """Read the tables that `write` has written. Each gets back its own columns."""
    whole = pd.read_csv(path, low_memory=False)
    written = pd.read_csv(path, dtype=str, keep_default_na=False) != ""
    return {
        str(name): table.loc[:, written.loc[table.index].any()].drop(columns="panel").reset_index(drop=True)
        for name, table in whole.groupby("panel", sort=False)
    }
