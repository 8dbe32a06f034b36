"""One style for all figures."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .files import replacing

#: Markers and dashes that tell series apart without colour.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p"]
#: What a line drawn from theory looks like everywhere: thin and dark, never with markers.
PREDICTED = {"color": "0.15", "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}
CLOSED_FORM = {"color": "0.15", "linewidth": 0.9, "linestyle": "-", "zorder": 1}


@dataclass(frozen=True)
class Look:
    """Sizes of figures, from the configuration: widths in inches."""

    column_width: float
    page_width: float
    font_size: float
    dpi: int

    @classmethod
    def from_config(cls, figures: Mapping[str, Any]) -> "Look":
        """Sizes as configured, in millimetres there."""
        return cls(
            figures["column_width"] / 25.4, figures["page_width"] / 25.4, figures["font_size"], figures["dpi"]
        )

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Draw with this look inside the block."""
        small = self.font_size * 0.9
        settings = {
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
            "savefig.dpi": self.dpi,
            "figure.constrained_layout.use": True,
        }
        with sns.axes_style("ticks"), sns.plotting_context("paper"), plt.rc_context(settings):
            yield


def palette(count: int) -> list:
    """Colours that the colour-blind can tell apart, and that differ in lightness."""
    return sns.color_palette("colorblind", count) if count <= 6 else sns.color_palette("viridis", count)


def letter(axes: Axes, text: str) -> None:
    """Put a panel's letter at its upper left corner."""
    axes.set_title(text, loc="left", fontweight="bold")


def legend_entry(label: str, **look: Any) -> Line2D:
    """A handle for a legend."""
    return Line2D([], [], label=label, **look)


def save(figure: Figure, paths: Mapping[str, str | Path]) -> None:
    """Write a figure in each format, in one piece each, without the date, and close it."""
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
    for suffix, path in paths.items():
        with replacing(path) as temporary:
            figure.savefig(temporary, format=suffix, metadata=undated[suffix])
    plt.close(figure)
