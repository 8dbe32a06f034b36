"""Simulate one shard."""

from gradgap import logs, shards
from gradgap.grid import Shard


def main(output: str, spec: str) -> None:
    """Compute the points of a shard and store them.

    Parameters
    ----------
    output : path
        The npz file to write.
    spec : str
        `Shard.spec` of the points.
    """
    shard = Shard.from_spec(spec)
    shards.write(output, shard, shards.compute(shard))


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(snakemake.output[0], snakemake.params.spec)  # noqa: F821
