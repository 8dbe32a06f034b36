"""Draw the figure of a study."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradgap import logs
from gradgap.report import figures
from gradgap.sweep import provenance


def main(
    numbers: str | Path,
    scaling: str | Path,
    outputs: Mapping[str, str | Path],
    draw: str,
    look: Mapping[str, Any],
    about: str = "",
) -> None:
    """Draw a figure in every format; see `gradgap.report.figures.draw`."""
    figures.draw(draw, numbers, scaling, look, outputs, about)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.panels,  # noqa: F821
            snakemake.input.scaling,  # noqa: F821
            dict(snakemake.output.items()),  # noqa: F821
            snakemake.params.draw,  # noqa: F821
            snakemake.params.look,  # noqa: F821
            provenance.about(**snakemake.params.about),  # noqa: F821
        )
