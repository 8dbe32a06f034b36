"""Read the answer of a study off its dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr
from gradgap import files, logs
from gradgap.report import captions, panels
from gradgap.sweep.grid import StudyConfig


def main(
    dataset: str | Path,
    numbers: str | Path,
    scaling: str | Path,
    caption: str | Path,
    config: Mapping[str, Any],
    template: str,
) -> None:
    """Write the numbers of a study's figure, its rows of the scaling table, and its caption.

    Parameters
    ----------
    dataset : path
        The netCDF file to read.
    numbers, scaling, caption : path
        Files to write: two CSV, and reStructuredText.
    config : mapping
        Fields of the study's `StudyConfig`.
    template : str
        Text of the caption before it is filled in.
    """
    study = StudyConfig(**config)
    with xr.open_dataset(dataset, engine="netcdf4") as opened:
        analysis = study.study.analyse(opened.load(), study.settings)
    panels.write(analysis.panels, numbers)
    with files.replacing(scaling) as temporary:
        analysis.scaling.to_csv(temporary, index=False)
    files.write_text(caption, captions.fill(template, analysis, study.settings))


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input[0],  # noqa: F821
            snakemake.output.panels,  # noqa: F821
            snakemake.output.scaling,  # noqa: F821
            snakemake.output.caption,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            snakemake.params.caption,  # noqa: F821
        )
