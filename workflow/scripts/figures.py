"""Draw the figure of a study."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from gradgap import logs, panels, registry, style


def main(
    numbers: str | Path, scaling: str | Path, outputs: Mapping[str, str | Path], draw: str, look: Mapping[str, Any]
) -> None:
    """Draw a figure in every format.

    Parameters
    ----------
    numbers, scaling : path
        CSV files of the study's analysis.
    outputs : mapping of str to path
        File to write in each format: pdf, svg, png.
    draw : str
        Module with ``draw(panels, scaling, look)``.
    look : mapping
        The section ``figures`` of the configuration.
    """
    settings = style.Look.from_config(look)
    with settings.applied():
        figure = registry.module(draw).draw(panels.read(numbers), pd.read_csv(scaling), settings)
        style.save(figure, outputs)


if "snakemake" in globals():
    with logs.to(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.panels,  # noqa: F821
            snakemake.input.scaling,  # noqa: F821
            dict(snakemake.output.items()),  # noqa: F821
            snakemake.params.draw,  # noqa: F821
            snakemake.params.look,  # noqa: F821
        )
