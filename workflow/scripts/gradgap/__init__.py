"""Step-size thresholds of reinforcement learning with verifiable rewards, measured on exact bandits.

The package is the science of the workflow; it knows nothing of Snakemake. Data flows one way::

    config → grid → simulations → datasets → studies (analysis) → figures

Words and symbols follow Suk and Duan, *On the optimization dynamics of RLVR: Gradient gap and step
size thresholds* (arXiv:2510.08539); docs/theory.md has every formula used here.
"""

__version__ = "1.0.0"
