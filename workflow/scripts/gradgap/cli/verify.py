"""Check all of a results folder, and name what is missing or damaged.

gradgap verify
gradgap verify results/smoke/results --configfile tests/smoke.yaml
"""

HELP = "check every file of a results folder"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("results", nargs="?", default="results", metavar="RESULTS", help="default: results")
    parser.add_argument("--configfile", default="config.yaml", metavar="F", help="default: config.yaml")


def main(arguments):
    """Check; the exit code is 1 where something is wrong.

    Returns
    -------
    dict
        ``wrong``: of each bad file, what is wrong; ``remedy``: one line for the shell, where there is one.
    """
    import shlex

    from ..report.verify import verify
    from ..sweep import config

    wrong = verify(config.load(arguments.configfile), arguments.results)
    standing = [path for path, what in wrong.items() if what != "missing"]
    remedy = f"rm -f {' '.join(map(shlex.quote, standing))} && snakemake" if standing else "snakemake"
    return {"wrong": wrong, "remedy": remedy if wrong else None, "exit_code": 1 if wrong else 0}


def show(result):
    """One line a bad file, and the remedy."""
    if not result["wrong"]:
        return "all is well"
    return "\n".join(
        [*(f"{path}: {what}" for path, what in result["wrong"].items()), f"remedy: {result['remedy']}"]
    )
