"""Write the page that explores every dataset."""

from collections.abc import Mapping
from pathlib import Path

from gradgap import logs
from gradgap.report import digests, explorer


def main(
    datasets: Mapping[str, str | Path],
    output: str | Path,
    record: str | Path,
    views: Mapping[str, Mapping[str, str]],
    repeats: list[str],
) -> None:
    """Write the page.

    Parameters
    ----------
    datasets : mapping of str to path
        The netCDF file of each study.
    output : path
        The HTML file to write.
    record : path
        File to write with the digests of the page and of the datasets.
    views : mapping of str to mapping
        What the page shows first of each study.
    repeats : list of str
        Axes that count repetitions.
    """
    explorer.write(datasets, output, views, repeats)
    digests.write(record, [output], datasets.values())


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            dict(zip(snakemake.params.studies, snakemake.input.datasets, strict=True)),  # noqa: F821
            snakemake.output.page,  # noqa: F821
            snakemake.output.digests,  # noqa: F821
            dict(zip(snakemake.params.studies, snakemake.params.views, strict=True)),  # noqa: F821
            snakemake.params.repeats,  # noqa: F821
        )
