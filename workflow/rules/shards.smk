rule shards:
    output:
        "<results>/shards/{study}/{shard}.npz",
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
        # the code of the package has a part in the name
        code=code("shards.py"),
    script:
        "../scripts/shards.py"
