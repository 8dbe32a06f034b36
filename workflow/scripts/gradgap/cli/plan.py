"""What a configuration will take, before anything is submitted.

gradgap plan
gradgap plan --configfile my.yaml --json
"""

HELP = "points, jobs, core-hours, memory and disk of a configuration"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("--configfile", default="config.yaml", metavar="F", help="default: config.yaml")
    parser.add_argument(
        "--results",
        default="results",
        metavar="R",
        help="folder of an earlier run, whose times count (default: results)",
    )


def main(arguments):
    """Count and estimate.

    Returns
    -------
    dict
        See `plan.plan`.
    """
    from ..sweep import config, plan

    return plan.plan(config.load(arguments.configfile), arguments.results)


def show(result):
    """The plan as a table."""
    from ..sweep.plan import as_text

    return as_text(result)
