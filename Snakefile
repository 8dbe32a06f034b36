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
    # every file, also those that only other jobs read: so the run that `gradgap verify` advises makes what is missing
    input:
        [shard_file(shard) for study in STUDIES for shard in SHARDS[study].values()],
        expand(rules.datasets.output, study=STUDIES),
        expand(rules.analysis.output, study=STUDIES),
        expand(rules.figures.output, figure=FIGURES),
        rules.tables.output,
        rules.explore.output,
        rules.index.output,
