rule datasets:
    input:
        lambda wildcards: [shard_file(shard) for shard in SHARDS[wildcards.study].values()],
    output:
        "results/datasets/{study}.nc",
    params:
        config=study_spec,
        code=fingerprint("gradgap.datasets"),
    log:
        "results/logs/datasets/{study}.log",
    benchmark:
        "results/benchmarks/datasets/{study}.tsv"
    conda:
        "../../envs/datasets.yaml"
    threads: 1
    script:
        "../scripts/datasets.py"
