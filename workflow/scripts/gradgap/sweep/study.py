"""Studies: what is asked, which sweeps answer it, and how the answer is read off the dataset.

A study is a folder of `gradgap.studies`, or a plugin (a file or a folder), whose module registers a `Study` in
`STUDIES`. Analysis and figure are named by module and imported when they are run, so that a declaration costs nothing
to import.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..plugins import Registry, module

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True)
class Sweep:
    """A product of axes, and what is measured at every point of it.

    Attributes
    ----------
    axes : tuple of str
        Names in `axes.AXES`, outermost first.
    measurement : str
        Name in `measurement.MEASUREMENTS`.
    fixed : mapping of str to tuple of str
        Values of some of the axes, where the study sets them itself and the configuration does not.
    at : mapping of str to str
        Coordinates beside the axes that all points share; the dataset has no dimension of them.
    """

    axes: tuple[str, ...]
    measurement: str
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at: Mapping[str, str] = field(default_factory=dict)


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
    analysis : str
        Module with ``analyse(dataset, settings) -> Analysis``.
    draw : str
        Module with ``draw(panels, scaling, look) -> Figure``; see `gradgap.report.figures`.
    more_figures : mapping of str to str
        Further figures of the study, where one cannot say it all: the module of each, by a name that is added to the
        study's.
    caption : str, optional
        Text of the caption, a Jinja template over ``findings``, ``scaling`` (rows) and ``settings``; by default
        the file caption.rst beside the module that registers the study.
    answer : str, optional
        Text of the answer in one line, a template like the caption, ``VERDICT: sentence``; by default the file
        answer.txt beside the module that registers the study, and without one the verdicts and exponents.
    view : mapping of str to str
        What the explorer shows first: ``variable``; ``across``, an axis; ``by``, ``lines:AXIS`` or ``map:AXIS``;
        ``scale``, log or linear; ``beside``, a variable to draw as a line; and the value of any axis, or of one that
        counts repetitions mean, least or largest. What is left out the explorer chooses.
    theory : str
        Page of docs/ that derives what is predicted.
    defaults : mapping
        Defaults of axes, and of settings where they differ from the usual.
    settings : tuple of str
        Settings that the analysis reads beside those of the measurements.
    config_file : str
        The configuration that runs it; another than config.yaml where the study needs more than others do. The run
        is then named as the file is, without its ending.
    """

    title: str
    predictions: str
    sweeps: Mapping[str, Sweep]
    analysis: str
    draw: str
    more_figures: Mapping[str, str] = field(default_factory=dict)
    caption: str | None = None
    answer: str | None = None
    view: Mapping[str, str] = field(default_factory=dict)
    theory: str = "theory.md"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    config_file: str = "config.yaml"

    def analyse(self, dataset: "xr.Dataset", settings: Mapping[str, Any]) -> Analysis:
        """Read the answer off a dataset."""
        return module(self.analysis).analyse(dataset, settings)

    def figures(self, name: str) -> dict[str, str]:
        """Modules of all figures of the study, by the name that their files have.

        Parameters
        ----------
        name : str
            Name of the study.
        """
        return {name: self.draw} | {f"{name}_{part}": module for part, module in self.more_figures.items()}

    @property
    def axes(self) -> tuple[str, ...]:
        """Every axis that the configuration sets, in the order of the sweeps."""
        free = (axis for sweep in self.sweeps.values() for axis in sweep.axes if axis not in sweep.fixed)
        return tuple(dict.fromkeys(free))


#: All studies by name.
STUDIES: Registry[Study] = Registry("study", "gradgap.studies")
