"""P2 in one look: learning curves below, at and above the predicted threshold."""

from . import analysis as analysis
