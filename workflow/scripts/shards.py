"""Compute one shard."""

from pathlib import Path

from gradgap import logs
from gradgap.sweep import compute, store
from gradgap.sweep.grid import Shard


def main(output: str | Path, spec: str) -> None:
    """Store the points of a shard: those that its former file or files beside it hold are copied, others computed.

    Parameters
    ----------
    output : path
        The npz file to write.
    spec : str
        `Shard.spec` of the points.
    """
    shard = Shard.from_spec(spec)
    store.write(output, shard, compute.compute(shard, Path(output).parent))


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(snakemake.output[0], snakemake.params.spec)  # noqa: F821
