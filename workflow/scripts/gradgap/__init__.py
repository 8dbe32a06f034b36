"""Step-size thresholds of reinforcement learning with verifiable rewards, measured on exact bandits.

The package holds the science and the sweep engine of the workflow. It does not import Snakemake. Data flows one way::

    config → grid → shards → datasets → analysis → figures → tables → report

Words and symbols follow Suk and Duan, *On the optimization dynamics of RLVR: Gradient gap and step
size thresholds* (arXiv:2510.08539); docs/theory.md has every formula used here.
"""

__version__ = "1.0.0"
