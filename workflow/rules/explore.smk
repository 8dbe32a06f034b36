rule explore:
    input:
        datasets=expand("results/datasets/{study}.nc", study=STUDIES),
        template=str(ROOT / "workflow/scripts/gradgap/report/explorer.html"),
    output:
        "results/explore.html",
    log:
        "results/logs/explore/explore.log",
    benchmark:
        "results/benchmarks/explore/explore.tsv"
    conda:
        "../../envs/explore.yaml"
    threads: 1
    params:
        studies=STUDIES,
        code=fingerprint("gradgap.report.explorer"),
    script:
        "../scripts/explore.py"
