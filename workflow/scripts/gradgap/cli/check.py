"""Check a configuration, and say where its results will be.

gradgap check
gradgap check --configfile my.yaml
"""

HELP = "check a configuration, and say where its results will be"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("--configfile", default="config.yaml", metavar="F", help="default: config.yaml")
    parser.add_argument("--results", action="store_true", help="print the folder of the results alone")


def main(arguments):
    """Read and check.

    Returns
    -------
    dict
        ``studies``: their names; ``results``: the folder of their results.
    """
    from ..sweep import config

    found = config.load(arguments.configfile)
    if arguments.results:
        return {"results": found.results}
    return {"configfile": arguments.configfile, "studies": list(found.studies), "results": found.results}


def show(result):
    """One line."""
    if "studies" not in result:
        return result["results"]
    return f"{result['configfile']}: well formed; {len(result['studies'])} studies, results in {result['results']}/"
