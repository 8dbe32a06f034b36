"""Peak memory of every rule of a study against its number of points: ``python -m benchmarks.memory [POINTS ...]``.

The shards are made up, not simulated: what the rules after them hold depends on how many points there are, not on
what the points say. How much a job that simulates holds is a row of `scaling`.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gradgap.sweep import config, grid, store

from .timing import ROOT, Row, peak

#: Points of the measurement that is kept; where `measure` is quick, the first two of a hundredth of the size.
SIZES = (1_000_000, 10_000_000)
LENGTHS, FAILURE_RATES = 40, 40
#: The studies whose points are cheap enough that there can be so many: range of failure rates, and a further axis.
STUDIES = {
    "phase_diagram": ((0.4, 0.02), {"rule": ["REINFORCE", "GRPO", "Dr. GRPO", "DAPO"]}),
    "stagnation": ((0.9, 0.5), {"schedule": ["constant", "failure-rate"]}),
}


def configuration(study: str, points: int) -> dict:
    """A grid of about so many runs, of which the learning rates are what there are many of."""
    ends, axis = STUDIES[study]
    others = LENGTHS * FAILURE_RATES * sum(len(values) for values in axis.values())

    def between(low: float, high: float, count: int) -> list[float]:
        return [float(f"{value:.6g}") for value in np.geomspace(low, high, count)]

    grid = {
        "length": [160 + 40 * k for k in range(LENGTHS)],
        "failure_rate": between(*ends, FAILURE_RATES),
        **axis,
        "learning_rate": between(1e-4, 1e5, max(4, round(points / others))),
        "iteration": [1000],
        "iterations": 1000,
    }
    return {"studies": {study: grid}}


def make(study: str, points: int, folder: Path) -> None:
    """Write a configuration and its shards, with made-up values of the right type, into a folder."""
    (folder / "config.json").write_text(json.dumps(configuration(study, points)))
    rng = np.random.default_rng(0)
    for path, shard in _shards(study, folder).items():
        store.write(path, shard, [_made_up(block, rng) for block in shard.blocks])


def _made_up(block: grid.Block, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Values of the right types and shapes."""
    arrays = {}
    for name, variable in grid.measurement_of(block).variables.items():
        shape = [len(block.axes[axis]) for axis in variable.axes(tuple(block.axes))]
        if variable.dtype.kind == "f":
            arrays[name] = rng.uniform(0.1, 1, shape)
        else:
            codes = [int(code) for code in variable.codes] if variable.codes else range(1, 100)
            arrays[name] = rng.choice(codes, shape).astype(variable.dtype)
    return arrays


def _parsed(folder: Path) -> config.Config:
    return config.parse(json.loads((folder / "config.json").read_text()))


def _shards(study: str, folder: Path) -> dict[Path, grid.Shard]:
    whole = _parsed(folder)
    return {
        folder / "results/shards" / shard.study / f"{shard.name}.npz": shard
        for shard in grid.shards(whole.studies[study], whole.shard_points, whole.shard_seconds)
    }


def job(study: str, rule: str, folder: Path) -> None:
    """Do what one rule does, in this process, or check all of it (``verify``)."""
    sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
    results, whole = folder / "results", _parsed(folder)
    config_of = whole.studies[study]
    dataset, record = results / f"datasets/{study}.nc", results / "digests"
    numbers, rows, caption, answer = (
        results / f"analysis/{study}{end}" for end in (".csv", ".scaling.csv", ".rst", ".answer.txt")
    )
    figures_of = config_of.study.figures(study)
    if rule == "datasets":
        import datasets
        from gradgap.sweep.dataset import Contents

        datasets.main(
            _shards(study, folder), dataset, record / f"datasets/{study}.json", vars(Contents.of(config_of))
        )
    elif rule == "analysis":
        import analysis
        from gradgap.report import captions

        templates = captions.template(study), captions.answer_template(study)
        files = numbers, rows, caption, answer, record / f"analysis/{study}.json"
        analysis.main(dataset, *files, vars(config_of), *templates)
    elif rule == "figures":
        import figures

        for name, module in figures_of.items():
            drawn = {suffix: results / f"figures/{name}.{suffix}" for suffix in ("pdf", "svg", "png")}
            figures.main(numbers, rows, drawn, record / f"figures/{name}.json", module, whole.figures)
    elif rule == "tables":
        import tables

        outputs = {name: results / f"tables/scaling.{name}" for name in ("csv", "html")}
        outputs |= {"provenance": results / "tables/provenance.html", "reproduce": results / "reproduce.md"}
        of = {study: rows}, {study: caption}
        tables.main(*of, outputs, record / "tables/tables.json", whole.source, whole.seed)
    elif rule == "explore":
        import explore

        views = {study: config_of.study.view}
        page = results / "explore.html", record / "explore/explore.json"
        explore.main({study: dataset}, *page, views, ["replicate"])
    elif rule == "index":
        import index

        of = ({study: file} for file in (answer, caption, rows))
        drawn = [results / f"figures/{name}.png" for name in figures_of]
        index.main(*of, drawn, results / "index.html", record / "index/index.json", whole.seed)
    elif rule == "diff":
        from gradgap.sweep.compare import diff

        if not diff(dataset, dataset)["equal"]:
            sys.exit("a dataset differs from itself")
    else:
        from gradgap.report.verify import verify

        wrong = verify(whole, results)
        if wrong:
            sys.exit(f"verify finds fault with what was just made: {wrong}")


RULES_OF_A_STUDY = ("datasets", "analysis", "figures", "tables", "explore", "index", "diff", "verify")


def measured(study: str, points: int, say: Callable[[str], object] = lambda line: None) -> dict[str, float]:
    """Peak memory in MB of each rule at so many points."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(study, points, folder)
        for rule in RULES_OF_A_STUDY:
            job_of = f"memory.job({study!r}, {rule!r}, Path({name!r}))"
            code = f"from pathlib import Path; from benchmarks import memory; {job_of}"
            found[rule], seconds = peak(code)
            say(f"{study:13} {points:>11,} points  {rule:9} {found[rule]:8.0f} MB {seconds:8.1f} s")
    return found


def measure(quick: bool) -> list[Row]:
    """Peak memory of each rule at two sizes; the ratio says how flat it is: 1 where points cost nothing."""
    sizes = [size // 100 for size in SIZES] if quick else SIZES
    found = []
    for study in STUDIES:
        few, many = (measured(study, size) for size in sizes)
        found += [
            Row(
                "memory",
                f"{study}, {rule}, {sizes[1]:,} points",
                many[rule],
                "MB",
                f"{sizes[0]:,} points",
                *[few[rule] / many[rule]] * 3,
                1,
            )
            for rule in RULES_OF_A_STUDY
        ]
    return found


def main() -> None:
    """Print the memory of each rule at these numbers of points, and its slope between neighbours."""
    sizes = [int(argument.replace("_", "")) for argument in sys.argv[1:]] or list(SIZES)
    for study in STUDIES:
        found = {size: measured(study, size, lambda line: print(line, flush=True)) for size in sizes}
        for (few, less), (many, more) in itertools.pairwise(found.items()):
            for rule in RULES_OF_A_STUDY:
                slope = (more[rule] - less[rule]) * 2**20 / (many - few)
                at = more[rule] + slope * (10**8 - many) / 2**20
                print(f"{study:13} {rule:9} {slope:8.2f} bytes a point, {at:8.0f} MB at 10^8")


if __name__ == "__main__":
    main()
