"""The command line, for single questions outside the workflow."""

import argparse
import importlib
import json
import math
import os
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .. import __version__
from ..errors import GradgapError


def parser() -> argparse.ArgumentParser:
    """The argument parser, with a subparser for each command."""
    whole = argparse.ArgumentParser(
        prog="gradgap",
        description="Step-size thresholds of reinforcement learning with verifiable rewards, one question at a time.",
        epilog="The whole study is a workflow: see README.md, or run `make` in the project's folder.",
    )
    whole.add_argument("--version", action="version", version=f"gradgap {__version__}")
    subparsers = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        command = importlib.import_module(f"{__name__}.{module.name}")
        sub = subparsers.add_parser(
            module.name,
            help=command.HELP,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.add_argument("--json", action="store_true", help="print JSON instead of text")
        sub.set_defaults(module=command)
    return whole


def plain(value: Any) -> Any:
    """Convert a value to what JSON can hold. Numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def lines(result: Mapping[str, Any], indent: str = "") -> str:
    """A result as text, with a line for each value."""
    text = []
    for key, value in result.items():
        if isinstance(value, Mapping):
            text += [f"{indent}{key}:", lines(value, indent + "  ")]
        elif isinstance(value, list):
            text.append(f"{indent}{key}: {len(value)} values, from {value[0]:.6g} to {value[-1]:.6g}")
        else:
            shown = f"{value:.9g}" if isinstance(value, float) else "unknown" if value is None else value
            text.append(f"{indent}{key}: {shown}")
    return "\n".join(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0, or the ``exit_code`` of the command; 2 if an argument or value is not allowed.
    """
    arguments = parser().parse_args(argv)
    try:
        result = plain(arguments.module.main(arguments))
    except GradgapError as error:
        print(f"gradgap: {error}", file=sys.stderr)
        return 2
    code = result.pop("exit_code", 0)
    text = (
        json.dumps(result, indent=2) if arguments.json else getattr(arguments.module, "show", lines)(result)
    )
    try:
        print(text, flush=True)
    except BrokenPipeError:  # who reads has seen enough, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
