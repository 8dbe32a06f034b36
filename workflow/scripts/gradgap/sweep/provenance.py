"""Which configuration, code and software made a result.

This is stored in the attributes of datasets and the metadata of figures.
"""

import functools
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from .. import __version__
from ..fingerprint import PACKAGE_DIR

SOURCE = "Suk and Duan, On the optimization dynamics of RLVR, arXiv:2510.08539: predictions put to the test"
PACKAGES = ("numpy", "scipy", "numba", "pandas", "xarray", "netCDF4", "matplotlib", "seaborn", "snakemake")


def software() -> dict[str, str]:
    """Version of Python, of this package, and of every installed package that results depend on."""
    versions = {"python": platform.python_version(), "gradgap": __version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # a job's own environment holds only what the job needs
            continue
    return versions


@functools.cache
def commit() -> str:
    """Version of the code: its commit, with a mark if files were changed since; ``unknown`` outside a checkout."""
    command = ["git", "-C", str(PACKAGE_DIR), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def about(study: str, axes: Mapping, settings: Mapping, seed: int) -> str:
    """What made a result, as JSON that fits into the metadata of a figure."""
    return json.dumps(
        {
            "study": study,
            "config": {"axes": axes, "settings": settings},
            "seed": seed,
            "commit": commit(),
            "software": software(),
        }
    )
