rule shards:
    # The name has the code in it, so that Snakemake does not remove the former file of the same points before the job,
    # which copies from it. An output with the flag update() is not removed either; but when such a job fails, Snakemake
    # puts the former file back, forgets what made it, and takes it for up to date at the next run.
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
