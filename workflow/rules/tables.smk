rule tables:
    input:
        expand("results/analysis/{study}.scaling.csv", study=STUDIES),
    output:
        csv="results/tables/scaling.csv",
        html=report(
            "results/tables/scaling.html",
            caption="../report/scaling.rst",
            category="Tables",
            labels={"study": "all", "shows": "exponents, predicted and measured"},
        ),
        provenance=report(
            "results/tables/provenance.html",
            caption="../report/provenance.rst",
            category="Tables",
            labels={"study": "all", "shows": "configuration, software and seed"},
        ),
    log:
        "results/logs/tables/tables.log",
    benchmark:
        "results/benchmarks/tables/tables.tsv"
    conda:
        "../../envs/datasets.yaml"
    threads: 1
    params:
        config=CONFIG.source,
        seed=CONFIG.seed,
        code=fingerprint("gradgap.report.tables"),
    script:
        "../scripts/tables.py"
