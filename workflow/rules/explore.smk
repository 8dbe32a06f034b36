rule explore:
    input:
        datasets=expand("<results>/datasets/{study}.nc", study=STUDIES),
    output:
        page="<results>/explore.html",
        digests="<results>/digests/explore/explore.json",
    log:
        "<results>/logs/explore/explore.log",
    benchmark:
        "<results>/benchmarks/explore/explore.tsv"
    conda:
        "../../envs/explore.yaml"
    threads: 1
    params:
        studies=STUDIES,
        template=code("gradgap/report/explorer.html"),
        code=code("explore.py", "gradgap.report.digests", "gradgap.report.explorer"),
    script:
        "../scripts/explore.py"
