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
        views=[dict(study.study.view) for study in CONFIG.studies.values()],
        repeats=[name for name, axis in AXES.items() if axis.counted],
        templates=[
            code("gradgap/report/explorer.html"),
            code("gradgap/report/explorer.css"),
            code("gradgap/report/explorer.js"),
        ],
        code=code("explore.py", "gradgap.report.digests", "gradgap.report.explorer"),
    script:
        "../scripts/explore.py"
