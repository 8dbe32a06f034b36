"""Policies that are small neural networks, trained by the rules of this project (docs/networks.md).

This room needs JAX and optax, which the rest of the package does without: nothing else imports it. A module that
wants it imports it inside the function that uses it, so that without them all else works and the message below is
all that is said.
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

# One thread a job, as everywhere in this project: jobs use the cores. Whoever sets XLA_FLAGS decides alone.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
# it reports each kind of device that it looked for and that is not there
logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)
