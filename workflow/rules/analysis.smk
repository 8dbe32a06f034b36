rule analysis:
    input:
        "<results>/datasets/{study}.nc",
    output:
        panels="<results>/analysis/{study}.csv",
        scaling="<results>/analysis/{study}.scaling.csv",
        caption="<results>/analysis/{study}.rst",
        answer="<results>/analysis/{study}.answer.txt",
        digests="<results>/digests/analysis/{study}.json",
    log:
        "<results>/logs/analysis/{study}.log",
    benchmark:
        "<results>/benchmarks/analysis/{study}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    params:
        config=study_spec,
        code=lambda wildcards: code(
            "analysis.py",
            "gradgap.report.captions",
            "gradgap.report.digests",
            "gradgap.report.figure_data",
            module_of_study(wildcards),
        ),
        caption=lambda wildcards: captions.template(wildcards.study),
        answer=lambda wildcards: captions.answer_template(wildcards.study),
    script:
        "../scripts/analysis.py"
