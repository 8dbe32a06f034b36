"""How much time, memory and disk a configuration will need.

gradgap plan
gradgap plan --configfile my.yaml --json
"""

HELP = "points, jobs, core-hours, memory and disk of a configuration"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("--configfile", default="config.yaml", metavar="F", help="default: config.yaml")
    parser.add_argument(
        "--results",
        metavar="R",
        help="folder of an earlier run, whose times count (default: that of the configuration)",
    )


def main(arguments):
    """Count and estimate.

    Returns
    -------
    dict
        See `plan.plan`.
    """
    from ..sweep import config, plan

    found = config.load(arguments.configfile)
    return plan.plan(found, arguments.results or found.results)


def show(result):
    """The plan as a table."""
    from ..sweep.plan import as_text

    return as_text(result)
