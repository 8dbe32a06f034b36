"""Which points of two results differ, and by how much.

gradgap diff results other/results
gradgap diff old/results results --former-names
gradgap diff results/datasets/stagnation.nc other/results/datasets/stagnation.nc --json
"""

HELP = "compare two results folders or datasets, point by point"


def add_arguments(parser):
    """Arguments of the command."""
    parser.add_argument("a", metavar="A", help="results folder or dataset")
    parser.add_argument("b", metavar="B", help="results folder or dataset")
    parser.add_argument(
        "--rename",
        metavar="OLD=NEW",
        action="append",
        default=[],
        help="an axis or variable that one of the two calls by another name; may be given several times",
    )
    parser.add_argument(
        "--former-names",
        action="store_true",
        help="one of the two may use the names that axes and variables had in earlier versions of this package",
    )


def main(arguments):
    """Compare. The exit code is 1 if something differs.

    Returns
    -------
    dict
        See `diff.diff`.
    """
    from ..errors import ConfigError
    from ..sweep import former_names
    from ..sweep.compare import diff

    renamed = {**former_names.KEYS, **former_names.VARIABLES} if arguments.former_names else {}
    for text in arguments.rename:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise ConfigError(f"--rename: {text!r} is not allowed; it must be OLD=NEW")
        renamed[old] = new
    found = diff(arguments.a, arguments.b, renamed)
    return {**found, "exit_code": 0 if found["equal"] else 1}


def show(result):
    """What differs, one line each."""
    lines = [f"{study}: only in {side.upper()}" for side in ("a", "b") for study in result[f"only_in_{side}"]]
    for study, found in result["studies"].items():
        for side in ("a", "b"):
            for axis, values in found[f"points_only_in_{side}"].items():
                listed = ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")
                lines.append(f"{study}: {axis} only in {side.upper()}: {listed}")
        for name, what in found["variables"].items():
            if "only_in" in what:
                lines.append(f"{study}: {name} only in {what['only_in'].upper()}")
            elif "dimensions" in what:
                lines.append(
                    f"{study}: {name} has other dimensions: {' and '.join(map(str, what['dimensions']))}"
                )
            else:
                at = ", ".join(f"{axis}={value}" for axis, value in what["at"].items())
                sizes = [what[key] for key in ("largest_absolute", "largest_relative")]
                absolute, relative = (
                    "nan against a number" if size is None else f"{size:.3g}" for size in sizes
                )
                lines.append(
                    f"{study}: {name} differs at {what['points']} of {what['of']} points, by {absolute} at the most "
                    f"(at {at}); relatively {relative}"
                )
    return "\n".join(lines) or "equal to the last bit"
