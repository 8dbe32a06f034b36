"""A page of the documentation that is made from the code, as Markdown; your plugins are in it.

gradgap reference config      every key of config.yaml
gradgap reference datasets    every variable of every dataset
gradgap reference results     what came out, figure by figure
"""

HELP = "documentation made from the code: config, datasets or results"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("page", metavar="PAGE", choices=("config", "datasets", "results"), help="which page")
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

    from ..report import reference

    return {"text": reference.PAGES[arguments.page](Path(arguments.captions))}


def show(result):
    """The page itself."""
    return result["text"].rstrip("\n")
