rule datasets:
    input:
        lambda wildcards: [
            shard_file(shard) for shard in SHARDS[wildcards.study].values()
        ],
    output:
        "results/datasets/{study}.nc",
    log:
        "results/logs/datasets/{study}.log",
    benchmark:
        "results/benchmarks/datasets/{study}.tsv"
    conda:
        "../../envs/datasets.yaml"
    threads: 1
    params:
        config=study_spec,
        code=fingerprint("gradgap.sweep.dataset"),
    script:
        "../scripts/datasets.py"
