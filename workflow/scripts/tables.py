"""Gather the scaling rows of all studies, and say what made them."""

from collections.abc import Iterable
from pathlib import Path

from gradgap import logs
from gradgap.report import tables


def main(
    rows: Iterable[str | Path],
    csv: str | Path,
    html: str | Path,
    provenance: str | Path,
    config: str,
    seed: int,
) -> None:
    """Write the scaling table and the page that says how it came about.

    Parameters
    ----------
    rows : iterable of path
        CSV files with rows of the scaling table.
    csv, html, provenance : path
        Files to write.
    config : str
        The configuration as given, as JSON.
    seed : int
    """
    table = tables.gather(rows)
    tables.write(table, csv, html)
    tables.write_provenance(provenance, config, seed)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input,  # noqa: F821
            snakemake.output.csv,  # noqa: F821
            snakemake.output.html,  # noqa: F821
            snakemake.output.provenance,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            snakemake.params.seed,  # noqa: F821
        )
