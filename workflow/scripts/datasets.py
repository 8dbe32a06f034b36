"""Aggregate the shards of a study into one dataset."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gradgap import logs
from gradgap.sweep import dataset


def main(shards: Iterable[str | Path], output: str | Path, contents: Mapping[str, Any]) -> None:
    """Write the dataset of a study.

    Parameters
    ----------
    shards : iterable of path
        Shard files of the study.
    output : path
        The netCDF file to write.
    contents : mapping
        Fields of the dataset's `Contents`.
    """
    dataset.aggregate(dataset.Contents(**contents), shards, output)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(snakemake.input, snakemake.output[0], snakemake.params.contents)  # noqa: F821
