"""Read the answer of a study off its dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr
from gradgap import files, logs
from gradgap.report import captions, digests, figure_data
from gradgap.sweep.grid import StudyConfig


def main(
    dataset: str | Path,
    numbers: str | Path,
    scaling: str | Path,
    caption: str | Path,
    answer: str | Path,
    record: str | Path,
    config: Mapping[str, Any],
    template: str,
    answer_template: str,
) -> None:
    """Write the numbers of a study's figure, its rows of the scaling table, its caption and its answer.

    Parameters
    ----------
    dataset : path
        The netCDF file to read.
    numbers, scaling, caption, answer : path
        Files to write: two CSV, reStructuredText, and a line of text.
    record : path
        File to write with the digests of these and of the dataset.
    config : mapping
        Fields of the study's `StudyConfig`.
    template, answer_template : str
        Texts of the caption and of the answer before they are filled in.
    """
    study = StudyConfig(**config)
    with xr.open_dataset(dataset, engine="netcdf4") as opened:
        analysis = study.study.analyse(opened, study.settings)
    figure_data.write(analysis.panels, numbers)
    with files.replacing(scaling) as temporary:
        analysis.scaling.to_csv(temporary, index=False)
    files.write_text(caption, captions.fill(template, analysis, study.settings))
    files.write_text(answer, captions.fill_answer(answer_template, analysis, study.settings))
    digests.write(record, [numbers, scaling, caption, answer], [dataset])


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input[0],  # noqa: F821
            snakemake.output.panels,  # noqa: F821
            snakemake.output.scaling,  # noqa: F821
            snakemake.output.caption,  # noqa: F821
            snakemake.output.answer,  # noqa: F821
            snakemake.output.digests,  # noqa: F821
            snakemake.params.config,  # noqa: F821
            snakemake.params.caption,  # noqa: F821
            snakemake.params.answer,  # noqa: F821
        )
