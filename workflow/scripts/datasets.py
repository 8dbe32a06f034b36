"""Aggregate the shards of a study into one dataset."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gradgap import logs
from gradgap.report import digests
from gradgap.sweep import dataset


def main(
    shards: Iterable[str | Path], output: str | Path, record: str | Path, contents: Mapping[str, Any]
) -> None:
    """Write the dataset of a study.

    Parameters
    ----------
    shards : iterable of path
        Shard files of the study.
    output : path
        The netCDF file to write.
    record : path
        File to write with the digests of the dataset and of its shards.
    contents : mapping
        Fields of the dataset's `Contents`.
    """
    files = list(shards)
    dataset.aggregate(dataset.Contents(**contents), files, output)
    digests.write(record, [output], files)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input,  # noqa: F821
            snakemake.output.dataset,  # noqa: F821
            snakemake.output.digests,  # noqa: F821
            snakemake.params.contents,  # noqa: F821
        )
