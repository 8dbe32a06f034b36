"""Which configuration, code, software and seed made each dataset and figure.

gradgap provenance
gradgap provenance results/smoke/results --json
"""

from ._results import add_arguments as add_arguments

HELP = "what made each dataset and figure"


def main(arguments):
    """Read the records of a results folder.

    Returns
    -------
    dict
        See `provenance.records`.
    """
    from ..report.provenance import records
    from ..sweep import config

    return records(arguments.results or config.load(arguments.configfile).results)


def show(result):
    """One paragraph a dataset."""
    paragraphs = []
    for study, record in result["studies"].items():
        config = record["config"]
        axes = [f"{axis} ({len(values)}): {_few(values)}" for axis, values in config["axes"].items()]
        settings = ", ".join(f"{name} {value}" for name, value in config["settings"].items())
        figures = [f"{figure['file']}: {figure['state']}" for figure in record["figures"]]
        lines = [
            f"dataset   {record['file']}",
            f"code      {record['commit']}",
            f"software  {record['software']}",
            f"seed      {record['seed']}",
            *(f"axis      {text}" for text in axes),
            f"settings  {settings}",
            *(f"figure    {text}" for text in figures),
        ]
        paragraphs.append("\n".join([study, *(f"  {line}" for line in lines)]))
    return "\n\n".join(paragraphs)


def _few(values):
    return ", ".join(values) if len(values) <= 6 else f"{values[0]}, {values[1]}, …, {values[-1]}"
