"""Print a page of the documentation that is made from the code, as Markdown. It includes your plugins.

gradgap reference config      every key of config.yaml
gradgap reference datasets    every variable of every dataset
gradgap reference reproduce   every study: what it asks, and the command for its figures
gradgap reference results     what came out, figure by figure
"""

HELP = "documentation made from the code: config, datasets, reproduce or results"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument(
        "page", metavar="PAGE", choices=("config", "datasets", "reproduce", "results"), help="which page"
    )
    parser.add_argument(
        "--captions",
        default="results/analysis",
        metavar="FOLDER",
        help="filled captions (default: results/analysis)",
    )


def main(arguments):
    """Make the page.

    Returns
    -------
    dict
        ``text``: the page.
    """
    from pathlib import Path

    from ..report import documentation

    return {"text": documentation.PAGES[arguments.page](Path(arguments.captions))}


def show(result):
    """The page itself."""
    return result["text"].rstrip("\n")
