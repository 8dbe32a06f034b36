"""Which configuration, code and software made a result.

A dataset says so in its attributes, a figure in its metadata. A figure is drawn from its study's analysis, which is
read off the dataset of the same name: each is made after what it is made from, so a figure that is newer than its
dataset is of that dataset.
"""

import functools
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ConfigError
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
    """Version of the code: its commit, marked where the tree has changes; ``unknown`` outside a checkout."""
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


def records(results: str | Path) -> dict[str, Any]:
    """What made each dataset and figure of a results folder.

    Parameters
    ----------
    results : path

    Returns
    -------
    dict
        ``studies``: of each study the ``file`` of its dataset; ``config`` (its axes and settings), ``commit``,
        ``software`` and ``seed`` that made it; and its ``figures``, each a ``file`` with its ``state``: ``of this
        dataset``, or ``older than its dataset``.

    Raises
    ------
    ConfigError
        If there is no dataset, or one cannot be read.
    """
    import xarray as xr  # heavy, and not in the environment of every job that asks for versions

    from .compare import datasets_of

    studies = {}
    for file in datasets_of(results).values():
        try:
            with xr.open_dataset(file, engine="netcdf4") as opened:
                attributes = opened.attrs
            record = {name: attributes[name] for name in ("commit", "software", "seed")}
            record["config"] = json.loads(attributes["config"])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ConfigError(f"{file}: cannot be read as a dataset of this workflow ({error})") from None
        study = attributes["study"]
        figures = sorted(Path(results).glob(f"figures/{study}.*")) if Path(results).is_dir() else []
        made = file.stat().st_mtime_ns
        studies[study] = {
            "file": str(file),
            **record,
            "figures": [
                {
                    "file": str(figure),
                    "state": "of this dataset"
                    if figure.stat().st_mtime_ns >= made
                    else "older than its dataset",
                }
                for figure in figures
            ],
        }
    return {"studies": studies}
