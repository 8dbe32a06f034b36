"""P2–P4 on the full grid: what becomes of a run at each length, success rate and step size."""

from . import analysis as analysis
