rule figures:
    input:
        panels="results/analysis/{study}.csv",
        scaling="results/analysis/{study}.scaling.csv",
        caption="results/analysis/{study}.rst",
    output:
        pdf="results/figures/{study}.pdf",
        svg="results/figures/{study}.svg",
        png=report(
            "results/figures/{study}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"study": "{study}", "shows": "figure"},
        ),
    log:
        "results/logs/figures/{study}.log",
    benchmark:
        "results/benchmarks/figures/{study}.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    params:
        look=CONFIG.figures,
        about=lambda wildcards: dict(
            study=wildcards.study,
            **{
                key: study_spec(wildcards)[key] for key in ("axes", "settings", "seed")
            },
        ),
        draw=lambda wildcards: CONFIG.studies[wildcards.study].study.draw,
        code=lambda wildcards: fingerprint(
            "gradgap.report.panels", CONFIG.studies[wildcards.study].study.draw
        ),
    script:
        "../scripts/figures.py"
