rule datasets:
    input:
        lambda wildcards: [
            shard_file(shard) for shard in SHARDS[wildcards.study].values()
        ],
    output:
        dataset="<results>/datasets/{study}.nc",
        digests="<results>/digests/datasets/{study}.json",
    log:
        "<results>/logs/datasets/{study}.log",
    benchmark:
        "<results>/benchmarks/datasets/{study}.tsv"
    conda:
        "../../envs/datasets.yaml"
    threads: 1
    params:
        # all that the job needs to know, so that it imports no study, measurement, plugin or compiler
        contents=lambda wildcards: vars(Contents.of(CONFIG.studies[wildcards.study])),
        code=code("datasets.py", "gradgap.report.digests", "gradgap.sweep.dataset"),
    script:
        "../scripts/datasets.py"
