"""Studies: what is asked, which sweeps answer it, and how the answer is read off the dataset.

A study is one module of this package, or one plugin file, that registers a `Study` in `STUDIES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..plugins import Registry

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True)
class Sweep:
    """A product of axes, and the simulation run at every point of it.

    Attributes
    ----------
    axes : tuple of str
        Names in `axes.AXES`, outermost first.
    simulation : str
        Module with ``simulate(axes, settings, progress)``, ``VARIABLES`` and ``SETTINGS`` (see `simulations`).
    fixed : mapping
        Axis values that the study sets itself and the configuration does not.
    """

    axes: tuple[str, ...]
    simulation: str
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """What a study found.

    Attributes
    ----------
    panels : dict of DataFrame
        The numbers that each panel of the figure shows.
    scaling : DataFrame
        Rows of the scaling table, see `scaling.COLUMNS`.
    findings : dict
        Numbers for the caption.
    """

    panels: "dict[str, pd.DataFrame]"
    scaling: "pd.DataFrame"
    findings: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """One question put to the bandits.

    Attributes
    ----------
    title : str
        The question in a line.
    predictions : str
        Which of the predictions P1–P7 it tests (docs/theory.md).
    sweeps : mapping of str to Sweep
    analyse : callable
        ``analyse(dataset, settings) -> Analysis``.
    draw : str
        Module with ``draw(panels, scaling, look) -> Figure``; see `figures`.
    caption : str, optional
        Text of the caption, a Jinja template over ``findings``, ``scaling`` (rows) and ``settings``; by default
        the file of the study's name in workflow/report/.
    defaults : mapping
        Defaults of settings where they differ from the schema's.
    settings : tuple of str
        Settings that the analysis reads beside those of the simulations.
    schema : mapping
        JSON Schema of axes and settings that the workflow's schema does not know (for plugins).
    config_file : str
        The configuration that runs it; another than config.yaml where the study needs more than others do.
    """

    title: str
    predictions: str
    sweeps: Mapping[str, Sweep]
    analyse: "Callable[[xr.Dataset, Mapping[str, Any]], Analysis]"
    draw: str
    caption: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    config_file: str = "config.yaml"

    @property
    def axes(self) -> tuple[str, ...]:
        """Every axis that the configuration sets, in the order of the sweeps."""
        free = (axis for sweep in self.sweeps.values() for axis in sweep.axes if axis not in sweep.fixed)
        return tuple(dict.fromkeys(free))


#: All studies by name.
STUDIES: Registry[Study] = Registry("study", "gradgap.studies")
