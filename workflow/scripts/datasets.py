"""Aggregate the shards of a study into one dataset."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gradgap import logs
from gradgap.sweep import dataset
from gradgap.sweep.grid import StudyConfig


def main(shards: Iterable[str | Path], output: str | Path, config: Mapping[str, Any]) -> None:
    """Write the dataset of a study.

    Parameters
    ----------
    shards : iterable of path
        Shard files of the study.
    output : path
        The netCDF file to write.
    config : mapping
        Fields of the study's `StudyConfig`.
    """
    dataset.aggregate(StudyConfig(**config), shards, output)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(snakemake.input, snakemake.output[0], snakemake.params.config)  # noqa: F821
