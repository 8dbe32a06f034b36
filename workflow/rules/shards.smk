rule shards:
    output:
        # not removed before the job, which copies those of its blocks that are still current
        update("<results>/shards/{study}/{shard}.npz"),
    log:
        "<results>/logs/shards/{study}/{shard}.log",
    benchmark:
        "<results>/benchmarks/shards/{study}/{shard}.tsv"
    # the longest first, and shards before what follows from them: so the cores are done together
    priority: lambda wildcards: shard_of(wildcards).seconds
    conda:
        lambda wildcards: environment_of(wildcards)
    threads: 1
    params:
        spec=lambda wildcards: shard_of(wildcards).spec,
        code=lambda wildcards: f"{shard_of(wildcards).code} {code('shards.py')}",
    script:
        "../scripts/shards.py"
