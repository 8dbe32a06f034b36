"""P2–P5 where the policy is a small network: critical learning rates under SGD and Adam, and their forecast."""

from . import analysis as analysis
