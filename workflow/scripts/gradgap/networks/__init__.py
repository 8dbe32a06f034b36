"""Policies that are small neural networks, trained by the rules of this project (docs/networks.md).

This subpackage needs JAX and optax. The rest of the package does not need them, so other modules import this one only
inside the functions that use it. Without JAX everything else works, and who uses networks gets the message below.
"""

import importlib.util
import logging
import os

from ..errors import ConfigError

_MISSING = [name for name in ("jax", "jaxlib", "optax") if importlib.util.find_spec(name) is None]
if _MISSING:
    raise ConfigError(
        f"networks: {', '.join(_MISSING)} not installed; policies that are networks need the extra: "
        f"pip install --require-hashes --requirement requirements-networks.lock (or pip install 'gradgap[networks]')"
    )

# One thread for each job, as everywhere in this project: several jobs use the cores. A given XLA_FLAGS is left alone.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
# JAX would report each kind of device that it did not find
logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)
