"""Compute one shard."""

from gradgap import logs
from gradgap.sweep import compute
from gradgap.sweep.grid import Shard

if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        compute.make(Shard.from_spec(snakemake.params.spec), snakemake.output[0])  # noqa: F821
