rule figures:
    input:
        panels=lambda wildcards: f"{CONFIG.results}/analysis/{study_of(wildcards)}.csv",
        scaling=lambda wildcards: f"{CONFIG.results}/analysis/{study_of(wildcards)}.scaling.csv",
        caption=lambda wildcards: f"{CONFIG.results}/analysis/{study_of(wildcards)}.rst",
    output:
        pdf="<results>/figures/{figure}.pdf",
        svg="<results>/figures/{figure}.svg",
        png=report(
            "<results>/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"study": "{figure}", "shows": "figure"},
        ),
        digests="<results>/digests/figures/{figure}.json",
    log:
        "<results>/logs/figures/{figure}.log",
    benchmark:
        "<results>/benchmarks/figures/{figure}.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    params:
        look=CONFIG.figures,
        about=lambda wildcards: dict(
            study=study_of(wildcards),
            **{
                key: vars(CONFIG.studies[study_of(wildcards)])[key]
                for key in ("axes", "settings", "seed")
            },
        ),
        draw=lambda wildcards: FIGURES[wildcards.figure][1],
        code=lambda wildcards: code(
            "figures.py",
            "gradgap.report.digests",
            "gradgap.report.figure_data",
            FIGURES[wildcards.figure][1],
        ),
    script:
        "../scripts/figures.py"
