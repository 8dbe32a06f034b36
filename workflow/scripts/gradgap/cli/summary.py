"""What a run found, in a few lines: verdicts, times, and where to look.

gradgap summary
gradgap summary --configfile my.yaml --json
"""

import csv
from collections import Counter
from pathlib import Path

HELP = "what a run found: verdicts, times, and where to look"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("--configfile", default="config.yaml", metavar="F", help="default: config.yaml")
    parser.add_argument(
        "--since", type=float, metavar="SECONDS", help="when the run began, in seconds of the epoch"
    )


def main(arguments):
    """Read what the stages wrote.

    Returns
    -------
    dict
        ``studies``: of each its verdict and answer; ``verdicts``: counts over all exponents; ``searches``: the
        independent ones behind them; ``seconds`` since the start, if that is known; ``processor_seconds`` of all
        jobs; ``look``: files to open.

    Raises
    ------
    GradgapError
        If the run is not complete.
    """
    import time

    from ..errors import GradgapError
    from ..inference.equivalence import Verdict
    from ..sweep import config

    found = config.load(arguments.configfile)
    results = Path(found.results)
    studies = {}
    try:
        for name in found.studies:
            line = (results / f"analysis/{name}.answer.txt").read_text(encoding="utf-8").strip()
            verdict, _, answer = line.partition(": ")
            studies[name] = {"verdict": verdict, "answer": answer}
        with open(results / "tables/scaling.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise GradgapError(f"{error.filename}: missing; `make study` makes it") from None
    counts = Counter(row["verdict"] for row in rows)
    looks = [str(results / name) for name in ("index.html", "explore.html", "report.html")]
    return {
        "studies": studies,
        "verdicts": {each.value: counts[each.value] for each in Verdict if counts[each.value]},
        "searches": len({row["search"] for row in rows}),
        "seconds": None if arguments.since is None else time.time() - arguments.since,
        "processor_seconds": processor_seconds(results / "benchmarks"),
        "look": [path for path in looks if Path(path).is_file()],
    }


def processor_seconds(folder: Path) -> float:
    """Processor time of all jobs that recorded theirs."""
    whole = 0.0
    for path in folder.rglob("*.tsv"):
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                try:
                    whole += float(row["cpu_time"])
                except (KeyError, TypeError, ValueError):  # "NA" of a job too short to be seen
                    continue
    return whole


def show(result):
    """The verdict of each study, the counts, the times, and the files."""
    from ..logs import duration

    width = max(map(len, result["studies"]), default=0)
    lines = ["", "What was found", ""]
    lines += [f"  {name:<{width}}  {found['verdict']}" for name, found in result["studies"].items()]
    if result["verdicts"]:
        counts = ", ".join(f"{count} {name}" for name, count in result["verdicts"].items())
        lines += ["", f"Exponents: {counts}, from {result['searches']} independent searches."]
    took = "" if result["seconds"] is None else f"This run took {duration(result['seconds'])}; "
    all_jobs = f"all jobs of these results, {duration(result['processor_seconds'])} of processor time."
    lines += [(took + all_jobs)[:1].upper() + (took + all_jobs)[1:]]
    if result["look"]:
        first, *others = result["look"]
        also = f" (then {', '.join(others)})" if others else ""
        lines += [f"Open {first}{also}."]
    return "\n".join(lines)
