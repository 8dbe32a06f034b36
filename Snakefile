# How large may a training step be in RLVR? config.yaml → grid → shards → datasets → analysis → figures → tables.
#
#   snakemake            every dataset, figure and table of config.yaml (profiles/default says how many cores)
#   snakemake --report results/report.html     the report, once the figures are there
#
# The Makefile has both in one word, with an environment of their own: make study.

from snakemake.utils import min_version

min_version("9.27")  # from when a priority may be a function


include: "workflow/rules/common.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/explore.smk"
include: "workflow/rules/index.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    # the shards are targets too, so that one that is missing is always computed again
    input:
        [shard_file(shard) for study in STUDIES for shard in SHARDS[study].values()],
        expand("<results>/figures/{figure}.{format}", figure=FIGURES, format=FORMATS),
        "<results>/tables/scaling.csv",
        "<results>/tables/scaling.html",
        "<results>/tables/provenance.html",
        "<results>/reproduce.md",
        "<results>/explore.html",
        "<results>/index.html",
        # the records of digests too: without them nothing could tell a damaged figure
        expand(
            "<results>/digests/{stage}/{study}.json",
            stage=["datasets", "analysis"],
            study=STUDIES,
        ),
        expand("<results>/digests/figures/{figure}.json", figure=FIGURES),
        "<results>/digests/tables/tables.json",
        "<results>/digests/explore/explore.json",
        "<results>/digests/index/index.json",
