"""All settings of the compiler, in one place.

Kernels are compiled without fast-math and run in one thread, so that a number never depends on the number of
cores; jobs, not threads, use the cores. Compiled code is cached on disk in a folder keyed by the numba version
and by a hash of all sources, because numba's own check does not see edits in functions that a kernel calls.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types

from .sources import package_fingerprint


def _cache_dir() -> Path:
    base = os.environ.get("NUMBA_CACHE_DIR") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "gradgap"
    )
    return Path(base).expanduser() / f"numba-{numba.__version__}-{package_fingerprint()}"


numba.config.CACHE_DIR = str(_cache_dir())  # type: ignore[attr-defined]

#: Compile on first call, for the argument types of that call; may be called from any other kernel. A kernel
#: allocates nothing: where memory is managed, numba counts references to every array that is handed on, with
#: atomic operations that cost more than a draw or a step of the recurrences.
kernel: Callable[[Callable], Any] = numba.njit(  # type: ignore[call-overload]
    cache=True, error_model="numpy", nogil=True, _nrt=False
)

#: The same for one that makes arrays.
allocating_kernel: Callable[[Callable], Any] = numba.njit(cache=True, error_model="numpy", nogil=True)

f8 = types.float64
i8 = types.int64
u8 = types.uint64
vector = types.Array(f8, 1, "C")
matrix = types.Array(f8, 2, "C")


def function_type(result: Any, *arguments: Any) -> types.FunctionType:
    """Type of a kernel that is itself an argument of another kernel (called through a pointer)."""
    return types.FunctionType(result(*arguments))


def engine(signature: Any) -> Callable[[Callable], Callable]:
    """Compile for one signature, on first call.

    For kernels that take other kernels as arguments: the explicit signature makes numba pass them as pointers,
    so that one compiled engine, found in the cache, serves every family and rule, those of plugins included.

    Parameters
    ----------
    signature : numba signature
        The one signature; arguments that are kernels have a `function_type`.
    """

    def decorate(function: Callable) -> Callable:
        @functools.cache
        def compiled() -> Callable:
            return numba.njit(signature, cache=True, error_model="numpy", nogil=True)(function)

        @functools.wraps(function)
        def call(*arguments):
            return compiled()(*arguments)

        return call

    return decorate
