rule index:
    input:
        answers=expand("<results>/analysis/{study}.answer.txt", study=STUDIES),
        captions=expand("<results>/analysis/{study}.rst", study=STUDIES),
        scaling=expand("<results>/analysis/{study}.scaling.csv", study=STUDIES),
        figures=expand("<results>/figures/{figure}.png", figure=FIGURES),
    output:
        page="<results>/index.html",
        digests="<results>/digests/index/index.json",
    log:
        "<results>/logs/index/index.log",
    benchmark:
        "<results>/benchmarks/index/index.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    params:
        studies=STUDIES,
        seed=CONFIG.seed,
        # what the page takes from the declarations of the studies
        declared=[
            [study.study.title, study.study.predictions, study.study.theory]
            for study in CONFIG.studies.values()
        ],
        templates=[
            code("gradgap/report/index.html"),
            code("gradgap/report/index.css"),
        ],
        code=code("index.py", "gradgap.report.digests", "gradgap.report.index"),
    script:
        "../scripts/index.py"
