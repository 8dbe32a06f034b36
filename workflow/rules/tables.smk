rule tables:
    input:
        rows=expand("<results>/analysis/{study}.scaling.csv", study=STUDIES),
        captions=expand("<results>/analysis/{study}.rst", study=STUDIES),
    output:
        csv="<results>/tables/scaling.csv",
        html=report(
            "<results>/tables/scaling.html",
            caption="../report/scaling.rst",
            category="Tables",
            labels={"study": "all", "shows": "exponents, predicted and measured"},
        ),
        reproduce="<results>/reproduce.md",
        digests="<results>/digests/tables/tables.json",
        provenance=report(
            "<results>/tables/provenance.html",
            caption="../report/provenance.rst",
            category="Tables",
            labels={"study": "all", "shows": "configuration, software and seed"},
        ),
    log:
        "<results>/logs/tables/tables.log",
    benchmark:
        "<results>/benchmarks/tables/tables.tsv"
    conda:
        "../../envs/datasets.yaml"
    threads: 1
    params:
        studies=STUDIES,
        config=CONFIG.source,
        seed=CONFIG.seed,
        code=code(
            "tables.py",
            "gradgap.report.digests",
            "gradgap.report.tables",
        ),
    script:
        "../scripts/tables.py"
