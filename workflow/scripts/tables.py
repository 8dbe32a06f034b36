"""Gather what all studies found: the scaling table, the page of results, and the page that says what made them."""

from collections.abc import Mapping
from pathlib import Path

from gradgap import files, logs
from gradgap.report import digests, tables


def main(
    rows: Mapping[str, str | Path],
    captions: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    record: str | Path,
    config: str,
    seed: int,
) -> None:
    """Write the tables and pages.

    Parameters
    ----------
    rows, captions : mapping of str to path
        Of each study its rows of the scaling table (CSV), and its filled caption.
    outputs : mapping of str to path
        Files to write: ``csv``, ``html``, ``provenance``, ``reproduce``.
    record : path
        File to write with the digests of all of these.
    config : str
        The configuration as given, as JSON.
    seed : int
    """
    table = tables.gather(rows.values())
    tables.write(table, outputs["csv"], outputs["html"])
    tables.write_provenance(outputs["provenance"], config, seed)
    files.write_text(outputs["reproduce"], tables.findings(captions, str(Path(outputs["csv"]).parents[1])))
    digests.write(record, outputs.values(), [*rows.values(), *captions.values()])


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            dict(zip(snakemake.params.studies, snakemake.input.rows, strict=True)),  # noqa: F821
            dict(zip(snakemake.params.studies, snakemake.input.captions, strict=True)),  # noqa: F821
            {name: path for name, path in snakemake.output.items() if name != "digests"},  # noqa: F821
            snakemake.output.digests,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            snakemake.params.seed,  # noqa: F821
        )
