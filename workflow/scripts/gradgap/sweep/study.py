"""Studies: a question, the sweeps that answer it, and the analysis of their dataset.

A study is a folder of `gradgap.studies`, or a plugin (a file or a folder), whose module registers a `Study` in
`STUDIES`. Analysis and figure are given by the names of their modules, which are imported only when they are run. So
declarations are fast to import.
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
    """A product of axes, and the measurement at each of its points.

    Attributes
    ----------
    axes : tuple of str
        Names in `axes.AXES`, outermost first.
    measurement : str
        Name in `measurement.MEASUREMENTS`.
    fixed : mapping of str to tuple of str
        Values of those axes that the study sets itself, so that the configuration does not.
    at : mapping of str to str
        Further coordinates that all points share. They are not dimensions of the dataset.
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
        The numbers behind each panel of the figure.
    scaling : DataFrame
        Rows of the scaling table, see `power_laws.COLUMNS`.
    findings : dict
        Numbers for the caption.
    """

    panels: "dict[str, pd.DataFrame]"
    scaling: "pd.DataFrame"
    findings: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """One question, and how it is answered.

    Attributes
    ----------
    title : str
        The question, on one line.
    predictions : str
        Which of the predictions P1–P7 it tests (docs/theory.md).
    sweeps : mapping of str to Sweep
    analysis : str
        Module with ``analyse(dataset, settings) -> Analysis``.
    draw : str
        Module with ``draw(panels, scaling, look) -> Figure``; see `gradgap.report.figures`.
    more_figures : mapping of str to str
        Further figures, if one is not enough: the module of each, by a name that is appended to that of the study.
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
        """Analyse a dataset."""
        return module(self.analysis).analyse(dataset, settings)

    def figures(self, name: str) -> dict[str, str]:
        """The modules of all figures of the study, by the name of their files.

        Parameters
        ----------
        name : str
            Name of the study.
        """
        return {name: self.draw} | {f"{name}_{part}": module for part, module in self.more_figures.items()}

    @property
    def axes(self) -> tuple[str, ...]:
        """All axes that the configuration sets, in the order of the sweeps."""
        free = (axis for sweep in self.sweeps.values() for axis in sweep.axes if axis not in sweep.fixed)
        return tuple(dict.fromkeys(free))


#: All studies by name.
STUDIES: Registry[Study] = Registry("study", "gradgap.studies")
