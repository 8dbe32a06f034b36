"""One style for all figures."""

import contextlib
import math
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter, LogLocator, NullFormatter

from ..files import replacing
from .palettes import seaborn as sns

#: What panels are called, in order.
LETTERS = string.ascii_lowercase
#: Markers and dashes that tell series apart without colour.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p"]
#: What a line drawn from theory looks like everywhere: thin and dark, never with markers.
PREDICTED = {"color": "0.15", "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}
CLOSED_FORM = {"color": "0.15", "linewidth": 0.9, "linestyle": "-", "zorder": 1}


#: Smallest text of a figure, in points: what a journal still prints legibly. Notes in a panel have this size.
SMALLEST = 5.6
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Look:
    """Sizes of figures, from the configuration: widths in inches."""

    column_width: float
    page_width: float
    font_size: float
    dpi: int

    @classmethod
    def from_config(cls, figures: Mapping[str, Any]) -> "Look":
        """The sizes in the configuration, which are in millimetres there."""
        return cls(
            figures["column_width"] / 25.4, figures["page_width"] / 25.4, figures["font_size"], figures["dpi"]
        )

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Draw with this look inside the block."""
        small = max(SMALLEST, self.font_size * 0.9)
        settings: Any = {
            "font.size": self.font_size,
            "axes.titlesize": self.font_size,
            "axes.labelsize": self.font_size,
            "xtick.labelsize": small,
            "ytick.labelsize": small,
            "legend.fontsize": small,
            "legend.title_fontsize": small,
            "legend.frameon": False,
            "lines.markersize": 3.0,
            "lines.linewidth": 1.0,
            "axes.linewidth": 0.6,
            "grid.linewidth": 0.4,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.minor.width": 0.4,
            "ytick.minor.width": 0.4,
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": "gradgap",  # the same file from the same numbers
            "pdf.fonttype": 42,
            "ps.fonttype": 42,  # read for PDF too: each font is embedded once, not once for every 256 characters
            "savefig.dpi": self.dpi,
            "figure.constrained_layout.use": True,
        }
        with sns.axes_style("ticks"), sns.plotting_context("paper"), plt.rc_context(settings):
            yield


def palette(count: int) -> list:
    """Colours that colour-blind readers can tell apart, and that also differ in lightness."""
    return sns.color_palette("colorblind", count) if count <= 6 else sns.color_palette("viridis", count)


def shades(count: int) -> list:
    """Colours for an ordered quantity, from dark to light. None is too light to be seen on white."""
    return sns.color_palette("viridis", count + 1)[:count]


def head(axes: Axes, letter: str, title: str = "") -> None:
    """Put the letter of a panel at its upper left corner, and the title next to it."""
    at: Any = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "va": "baseline",
        "annotation_clip": False,
    }
    axes.annotate(letter, (0, 1), (0, 4), fontweight="bold", **at)
    axes.annotate(title, (0, 1), (1.6 * plt.rcParams["font.size"], 4), **at)


def letter(axes: Axes, text: str) -> None:
    """Put the letter of a panel at its upper left corner, and move its title next to it."""
    title = axes.get_title()
    axes.set_title("")
    head(axes, text, title)


def signed(value: float, digits: int) -> str:
    """A number with its sign and a true minus. What rounds to zero has no sign.

    >>> signed(-0.514, 2), signed(0.0004, 2), signed(1.0, 2)
    ('−0.51', '0.00', '+1.00')
    """
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def power(value: float, _position: float = 0) -> str:
    """The label of a tick at a power of ten. Its raised digits are characters of normal size.

    >>> power(100.0), power(0.01), power(1e-7), power(20.0)
    ('100', '0.01', '10⁻⁷', '')
    """
    exponent = round(math.log10(value)) if value > 0 else 0
    if value <= 0 or not math.isclose(value, 10.0**exponent, rel_tol=1e-6):
        return ""
    return f"{value:g}" if -2 <= exponent <= 3 else "10" + str(exponent).translate(_RAISED)


def two_and_five(value: float, _position: float = 0) -> str:
    """2, 5, 20, 50 … as the label of a tick between two powers of ten.

    >>> two_and_five(0.2), two_and_five(50.0), two_and_five(30.0)
    ('0.2', '50', '')
    """
    return f"{value:.3g}" if f"{value:.0e}"[0] in "25" else ""


def decades(axis: Axis, most: int = 6) -> None:
    """Label at most `most` whole powers of ten, and add ticks without labels.

    If the axis spans less than a factor 30, ticks at 2 and 5 times a power are labelled too."""
    axis.set_major_locator(LogLocator(numticks=most))
    low, high = sorted(axis.get_view_interval())
    if high / low > 1e6:  # ticks between powers would run together
        axis.set_minor_locator(LogLocator(numticks=99))
    else:
        axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=99))
    axis.set_major_formatter(power)
    few = high / low < 30  # at most one whole power may lie within
    axis.set_minor_formatter(two_and_five if few else NullFormatter())


#: How a mark that was measured is set off from what lies under it.
MARK = {"linestyle": "none", "markeredgecolor": "white", "markeredgewidth": 0.3, "zorder": 3}


def legend_entry(label: str, **look: Any) -> Line2D:
    """A handle for a legend."""
    return Line2D([], [], label=label, **look)


class _Plain(LogFormatter):
    """Labels at the places that matplotlib chooses, without its raised digits, which would be too small."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return (power(x) or f"{x:.3g}") if super().__call__(x, pos) else ""


def plain_powers(figure: Figure) -> None:
    """Give logarithmic axes with matplotlib's default labels plain numbers and `power` instead."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                if isinstance(axis.get_major_formatter(), LogFormatter):
                    axis.set_major_formatter(_Plain())
                if isinstance(axis.get_minor_formatter(), LogFormatter):
                    axis.set_minor_formatter(_Plain(labelOnlyBase=False))


def lighter_ticks(figure: Figure) -> None:
    """Draw the minor ticks of an axis that bear no labels as the marks of one line.

    They look the same. As ticks, each of them has five artists, which take most of the time of a layout. An axis
    stays as it is where its minor ticks are not set as its major ones are, because they may then need more room.
    """
    for panel in figure.axes:
        for axis, sides in ((panel.xaxis, ("bottom", "top")), (panel.yaxis, ("left", "right"))):
            at = axis.get_minorticklocs()
            look = axis.get_tick_params(which="minor")
            if not panel.axison or look["gridOn"] or look != axis.get_tick_params(which="major"):
                continue
            if not len(at) or any(axis.get_minor_formatter().format_ticks(list(at))):
                continue
            low, high = sorted(axis.get_view_interval())
            at = at[(low <= at) & (at <= high)]
            (tick,) = axis.get_minor_ticks(1)
            for edge, mark in enumerate((tick.tick1line, tick.tick2line)):
                line = Line2D([], [])
                line.update_from(mark)
                place = np.full(len(at), float(edge))
                line.set_data((at, place) if axis is panel.xaxis else (place, at))
                line.set(zorder=axis.get_zorder(), clip_on=False, in_layout=False)
                panel.add_artist(line)
            axis.set_tick_params(
                which="minor", **{f"{of}{side}": False for of in ("", "label") for side in sides}
            )


def save(figure: Figure, paths: Mapping[str, str | Path], about: str = "") -> None:
    """Write a figure in each format, without the date, and close it. `about` goes into the metadata."""
    metadata = {
        "pdf": {"CreationDate": None, "Subject": about},
        "svg": {"Date": None, "Description": about},
        "png": {"Description": about},
    }
    plain_powers(figure)
    lighter_ticks(figure)
    engine = figure.get_layout_engine()
    if engine is not None:  # lay out here, for the dots of the PNG, and not again for each format
        figure.set_dpi(plt.rcParams["savefig.dpi"])
        for _ in range(2):  # what room labels need depends on the first layout
            engine.execute(figure)
    with plt.rc_context({"figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
        for suffix, path in paths.items():
            with replacing(path) as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata[suffix])
    plt.close(figure)
