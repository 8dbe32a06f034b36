rule analysis:
    input:
        "results/datasets/{study}.nc",
    output:
        panels="results/analysis/{study}.csv",
        scaling="results/analysis/{study}.scaling.csv",
        caption="results/analysis/{study}.rst",
    log:
        "results/logs/analysis/{study}.log",
    benchmark:
        "results/benchmarks/analysis/{study}.tsv"
    conda:
        "../../envs/datasets.yaml"
    threads: 1
    params:
        config=study_spec,
        code=lambda wildcards: fingerprint(
            "gradgap.report.captions",
            "gradgap.report.panels",
            module_of_study(wildcards),
        ),
        caption=lambda wildcards: captions.template(wildcards.study),
    script:
        "../scripts/analysis.py"
