"""P4, P7: what the exponent in 1 − J becomes when updates come from groups of n sampled responses."""

from . import analysis as analysis
