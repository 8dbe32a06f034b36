"""A small study of every kind, and ways to compute it without Snakemake; shared by tests."""

import copy
from pathlib import Path

import yaml
from gradgap.report import captions, digests
from gradgap.sweep import compute, config, dataset, grid
from helpers import assembled

#: Every default study, small: some blocks share a shard, and every axis has more than one value.
SMALL = {
    "seed": 7,
    "shard_seconds": 0.008,
    "studies": {
        "length_scaling": {
            "family": ["counting", "gated"],
            "length": [16, 64],
            "advantage": ["gap", "grpo"],
            "aggregation": ["seq-mean-token-sum", "token-mean"],
            "success_rate": {"counting": 0.2, "gated": 0.9},
            "iterations": 100,
            "scan_per_decade": 4,
        },
        "success_rate_scaling": {
            "length": [16, 64],
            "failure_rate": [0.2, 0.1, 0.05],
            "advantage": ["gap", "grpo"],
            "aggregation": ["seq-mean-token-sum", "token-mean"],
            "window": [0.5, 1],
            "iterations": 100,
            "scan_per_decade": 4,
        },
        "phase_diagram": {
            "length": [16, 64],
            "failure_rate": [0.2, 0.05],
            "rule": ["REINFORCE", "GRPO"],
            "learning_rate": [0.01, 0.1, 1, 10],
            "iterations": 100,
            "scan_per_decade": 4,
        },
        "stagnation": {
            "length": [64, 256],
            "success_rate": [0.2, 0.3],
            "schedule": ["constant", "failure-rate"],
            "learning_rate": [0.01, 0.1, 1],
            "iterations": 100,
        },
    },
}


def changed(*edits: tuple, base: dict = SMALL) -> dict:
    """The small configuration with edits: each a path of keys, then the new value (a function of the old one)."""
    found = copy.deepcopy(base)
    for *path, last, value in edits:
        place = found
        for key in path:
            place = place[key]
        place[last] = value(place[last]) if callable(value) else value
    return found


def only(*studies: str, **settings) -> dict:
    """The small configuration with just these studies, and other settings at its top."""
    return {**SMALL, "studies": {name: copy.deepcopy(SMALL["studies"][name]) for name in studies}, **settings}


def shard_files(raw: dict, folder: Path) -> dict[Path, grid.Shard]:
    """Every shard of a configuration, by its file below a results folder."""
    whole = config.parse(raw)
    return {
        folder / "shards" / shard.study / f"{shard.name}.npz": shard
        for study in whole.studies.values()
        for shard in grid.shards(study, whole.shard_points, whole.shard_seconds)
    }


def run_missing(raw: dict, folder: Path) -> dict[Path, grid.Shard]:
    """Compute the shards that have no file yet, as the workflow does; return them."""
    ran = {path: shard for path, shard in shard_files(raw, folder).items() if not path.exists()}
    for path, shard in ran.items():
        compute.make(shard, path)
    return ran


def assemble(raw: dict, folder: Path, study: str):
    """The dataset of one study, put together from the shards in a folder."""
    whole = config.parse(raw)
    files = [path for path, shard in shard_files(raw, folder).items() if shard.study == study]
    return assembled(whole.studies[study], files)


def write_config(raw: dict, path: Path) -> Path:
    """Write a configuration as YAML."""
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return path


def run_stages(raw: dict, folder: Path) -> Path:
    """Make a results folder as the workflow does, with the scripts of its stages, but for logs and benchmarks."""
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))
    import analysis
    import datasets
    import explore
    import figures
    import index
    import tables

    whole = config.parse(raw)
    run_missing(raw, folder)
    names = list(whole.studies)
    record = folder / "digests"
    for name, study in whole.studies.items():
        files = [path for path, shard in shard_files(raw, folder).items() if shard.study == name]
        source = folder / "datasets" / f"{name}.nc"
        datasets.main(files, source, record / f"datasets/{name}.json", vars(dataset.Contents.of(study)))
        numbers, rows, *texts = (
            folder / "analysis" / f"{name}{end}" for end in (".csv", ".scaling.csv", ".rst", ".answer.txt")
        )
        templates = captions.template(name), captions.answer_template(name)
        analysis.main(
            source, numbers, rows, *texts, record / f"analysis/{name}.json", vars(study), *templates
        )
        for figure, module in study.study.figures(name).items():
            drawn = {suffix: folder / "figures" / f"{figure}.{suffix}" for suffix in ("pdf", "svg", "png")}
            figures.main(numbers, rows, drawn, record / f"figures/{figure}.json", module, whole.figures)
    outputs = {
        "csv": folder / "tables/scaling.csv",
        "html": folder / "tables/scaling.html",
        "provenance": folder / "tables/provenance.html",
        "reproduce": folder / "reproduce.md",
    }
    rows, filled, answers = (
        {name: folder / "analysis" / f"{name}{end}" for name in names}
        for end in (".scaling.csv", ".rst", ".answer.txt")
    )
    tables.main(rows, filled, outputs, record / "tables/tables.json", whole.source, whole.seed)
    sources = {name: folder / "datasets" / f"{name}.nc" for name in names}
    views = {name: study.study.view for name, study in whole.studies.items()}
    explore.main(sources, folder / "explore.html", record / "explore/explore.json", views, ["replicate"])
    drawn = [
        folder / f"figures/{f}.png"
        for name, study in whole.studies.items()
        for f in study.study.figures(name)
    ]
    index.main(answers, filled, rows, drawn, folder / "index.html", record / "index/index.json", whole.seed)
    (folder / "report.html").write_text("<html>as `make report` writes it</html>", encoding="utf-8")
    digests.write(record / "report/report.json", [folder / "report.html"], [])
    return folder
