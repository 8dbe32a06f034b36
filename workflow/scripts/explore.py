"""Write the page that explores every dataset."""

from collections.abc import Mapping
from pathlib import Path

from gradgap import logs
from gradgap.report import explorer


def main(datasets: Mapping[str, str | Path], output: str | Path) -> None:
    """Write the page.

    Parameters
    ----------
    datasets : mapping of str to path
        The netCDF file of each study.
    output : path
        The HTML file to write.
    """
    explorer.write(datasets, output)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            dict(zip(snakemake.params.studies, snakemake.input.datasets, strict=True)),  # noqa: F821
            snakemake.output[0],  # noqa: F821
        )
