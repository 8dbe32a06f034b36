"""Compute one shard."""

from pathlib import Path

from gradgap import logs
from gradgap.sweep import compute
from gradgap.sweep.grid import Shard


def main(output: str | Path, spec: str) -> None:
    """Write the file of a shard: points that other files of its study hold are copied, the rest is computed.

    Parameters
    ----------
    output : path
        The npz file to write.
    spec : str
        `Shard.spec` of the points.
    """
    compute.make(Shard.from_spec(spec), output)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(snakemake.output[0], snakemake.params.spec)  # noqa: F821
