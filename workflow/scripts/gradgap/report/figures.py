"""Draw figures. Each figure is a module with a function ``draw(panels, scaling, look) -> Figure``.

`panels` and `scaling` are the tables of the study's `Analysis`, read from CSV files. `look` is a `style.Look`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from .. import plugins
from . import figure_data, style


def draw(
    module: str,
    numbers: str | Path,
    scaling: str | Path,
    look: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    about: str = "",
) -> None:
    """Draw a figure from its numbers and write it in each format.

    Parameters
    ----------
    module : str
        `Study.draw`.
    numbers, scaling : path
        CSV files of the study's analysis.
    look : mapping
        The section ``figures`` of the configuration.
    outputs : mapping of str to path
        File to write in each format: pdf, svg, png.
    about : str
        What made the figure, for its metadata.
    """
    matplotlib.use("Agg")  # files only: a job has no screen
    settings = style.Look.from_config(look)
    with settings.applied():
        figure = plugins.module(module, alone=True).draw(
            figure_data.read(numbers), pd.read_csv(scaling), settings
        )
        style.save(figure, outputs, about)
