"""A cache of what takes long to make: pre-trained parameters, and the code that JAX compiles.

Both are found by their content, so a change of code or settings makes new ones. The cache is one folder:
$GRADGAP_NETWORKS_CACHE, or gradgap/networks in $XDG_CACHE_HOME or ~/.cache. Jobs of a workflow may share it, and it
can be removed at any time.
"""

import hashlib
import io
import json
import os
import platform
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..files import replacing
from ..fingerprint import fingerprint

_DIGEST = "__digest__"


def folder() -> Path:
    """The folder of the cache."""
    base = os.environ.get("GRADGAP_NETWORKS_CACHE")
    if base:
        return Path(base).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "gradgap", "networks").expanduser()


def _processor() -> str:
    """A name for the kind of processor. Compiled code for one kind may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return hashlib.blake2b(f"{platform.machine()} {flags}".encode(), digest_size=6).hexdigest()


def keep_compiled() -> Path:
    """Let JAX keep what it compiles, so that later jobs need not compile the same program again.

    Returns
    -------
    Path
        The folder, one for each version of JAX and kind of processor.
    """
    path = folder() / f"jax-{jax.__version__}-{_processor()}"
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return path


def _digest(arrays: Mapping[str, np.ndarray]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.digest()


def key(content: Mapping[str, Any], *modules: str) -> str:
    """Name of a cached result: a hash of everything that it is made from, code included.

    Parameters
    ----------
    content : mapping
        All that the result depends on, in types that JSON knows.
    *modules : str
        Modules that make the result. A change of their source, or of a module that they import, changes the name.

    Examples
    --------
    >>> key({"length": 8}, "gradgap.networks.tasks") == key({"length": 16}, "gradgap.networks.tasks")
    False
    """
    whole = {
        "content": dict(content),
        "code": fingerprint(*modules),
        "jax": jax.__version__,
        "backend": jax.default_backend(),
        "processor": _processor(),
    }
    return hashlib.blake2b(json.dumps(whole, sort_keys=True).encode(), digest_size=12).hexdigest()


def kept(name: str, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Read arrays from the cache. If they are missing or damaged, make them and write them to it.

    Parameters
    ----------
    name : str
        Name of the result, from `key`.
    make : callable
        ``make()`` returns the arrays by name.

    Returns
    -------
    dict of str to ndarray
    """
    path = folder() / "weights" / f"{name}.npz"
    try:
        with np.load(path) as file:
            arrays = {entry: file[entry] for entry in file.files}
        if arrays.pop(_DIGEST).tobytes() == _digest(arrays):
            return arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    arrays = {entry: np.asarray(array) for entry, array in make().items()}
    buffer = io.BytesIO()
    whole: dict[str, Any] = {**arrays, _DIGEST: np.frombuffer(_digest(arrays), np.uint8)}
    np.savez(buffer, **whole)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        Path(temporary).write_bytes(buffer.getvalue())
    return arrays
