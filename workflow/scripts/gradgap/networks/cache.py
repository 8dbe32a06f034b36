"""What is costly is kept: pre-trained parameters, and the code that JAX compiles, both found again by content.

Everything lies in one folder: $GRADGAP_NETWORKS_CACHE, or gradgap/networks in $XDG_CACHE_HOME or ~/.cache. It may be
shared by the jobs of a workflow and removed at any time.
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
    """Where the caches are."""
    base = os.environ.get("GRADGAP_NETWORKS_CACHE")
    if base:
        return Path(base).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "gradgap", "networks").expanduser()


def _processor() -> str:
    """What tells processors apart for which compiled code differs: code for one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return hashlib.blake2b(f"{platform.machine()} {flags}".encode(), digest_size=6).hexdigest()


def keep_compiled() -> Path:
    """Let JAX keep what it compiles; it finds it again by the content of the program.

    Returns
    -------
    Path
        The folder, one a version of JAX and kind of processor.
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
    """Name of a cached result: a hash of what it was made from and of the code that makes it.

    Parameters
    ----------
    content : mapping
        Everything that the result depends on, as JSON takes it.
    *modules : str
        Modules whose sources, and those of all that they import, count.
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
    """Arrays of that name from the cache; where they are missing or damaged they are made, and kept.

    Parameters
    ----------
    name : str
        See `key`.
    make : callable
        Makes the arrays.
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
