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
from numba.core import cgutils
from numba.experimental.function_type import FunctionModel
from numba.extending import NativeValue, register_model, typeof_impl, unbox

from ..fingerprint import package_fingerprint


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


class KernelType(types.FunctionType):
    """Type of a kernel that is itself an argument of an engine, and is called through a pointer.

    numba's own type of functions looks the address up each time such an argument is handed over, which takes longer
    than a short run; here it is looked up once (`_Pointer`).
    """


register_model(KernelType)(FunctionModel)


class _Pointer:
    """Addresses of a kernel, compiled for one signature."""

    def __init__(self, kernel: Any, kernel_type: KernelType):
        compiled = kernel.get_compile_result(kernel_type.signature)
        self.kernel = kernel  # lives as long as its address is used
        self.kernel_type = kernel_type
        self.c_addr = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
        self.jit_addr = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@typeof_impl.register(_Pointer)
def _(pointer, context):
    return pointer.kernel_type


@unbox(KernelType)
def _(kernel_type, pointer, c):
    found = cgutils.create_struct_proxy(kernel_type)(c.context, c.builder)
    found.py_addr = c.builder.ptrtoint(pointer, c.context.get_value_type(types.voidptr))
    for name in ("c_addr", "jit_addr"):
        address = c.pyapi.object_getattr_string(pointer, name)
        setattr(found, name, c.pyapi.long_as_voidptr(address))
        c.pyapi.decref(address)
    return NativeValue(found._getvalue())


def function_type(result: Any, *arguments: Any) -> KernelType:
    """Type of a kernel with this result and these arguments, as an argument of an engine."""
    return KernelType(result(*arguments))


def engine(signature: Any) -> Callable[[Callable], Callable]:
    """Compile for one signature, on first call.

    For kernels that take other kernels as arguments; these allocate nothing either. They are passed as pointers, so
    that one compiled engine, found in the cache, serves every family and rule, those of plugins included.

    Parameters
    ----------
    signature : numba signature
        The one signature; arguments that are kernels have a `function_type`.
    """
    kernels = [position for position, of in enumerate(signature.args) if isinstance(of, KernelType)]

    def decorate(function: Callable) -> Callable:
        @functools.cache
        def compiled() -> Callable:
            return numba.njit(  # type: ignore[call-overload]
                signature, cache=True, error_model="numpy", nogil=True, _nrt=False
            )(function)

        @functools.cache
        def pointer(position: int, kernel: Any) -> _Pointer:
            return _Pointer(kernel, signature.args[position])

        @functools.wraps(function)
        def call(*arguments):
            handed = list(arguments)
            for position in kernels:
                handed[position] = pointer(position, handed[position])
            return compiled()(*handed)

        return call

    return decorate
