"""Arguments that name a results folder, shared by commands."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for a results folder, and the configuration that it belongs to."""
    parser.add_argument(
        "results", nargs="?", metavar="RESULTS", help="results folder (default: that of the configuration)"
    )
    parser.add_argument("--configfile", default="config.yaml", metavar="F", help="default: config.yaml")
