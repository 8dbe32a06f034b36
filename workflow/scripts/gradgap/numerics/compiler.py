"""How the package uses its compiler, numba: all settings are here.

Kernels are compiled without fast-math and run in one thread, so that a number never depends on the number of cores.
Several cores are used by running several jobs. Compiled code is cached on disk, in a folder named after the numba
version and a hash of all sources that a kernel can follow from: numba's own check does not notice edits in functions
that a kernel calls.

Only documented parts of numba are used. A kernel that is passed to another one is a first-class function: it is
compiled once for its type and called through its address. So one compiled engine in the cache serves every family,
rule and optimizer, including those of plugins. An engine receives addresses as plain numbers, because numba takes
about 20 µs to look up the address of each function that it receives as a function.
"""

import contextlib
import dis
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numba
from numba import types
from numba.extending import intrinsic, is_jitted

from ..errors import ConfigError
from ..fingerprint import kernel_fingerprint

f8 = types.float64
i8 = types.int64
u8 = types.uint64
vector = types.Array(f8, 1, "C")
matrix = types.Array(f8, 2, "C")
cube = types.Array(f8, 3, "C")
#: State of a random stream, see `numerics.streams`: as an argument of an engine, and as an engine hands it on.
stream = types.Array(u8, 1, "C")
stream_pointer = types.CPointer(u8)

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


@functools.cache
def cache_folder(plugins: bool = False) -> Path:
    """Where compiled code is kept, that of plugins apart: below ``NUMBA_CACHE_DIR``, or the user's cache folder."""
    base = os.environ.get("NUMBA_CACHE_DIR") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "gradgap"
    )
    return Path(base).expanduser() / f"numba-{numba.__version__}-{kernel_fingerprint(plugins)}"


@contextlib.contextmanager
def _own_cache(function: Callable) -> Iterator[None]:
    """Inside the block, this function is cached in `cache_folder`. Other users of numba notice nothing."""
    config: Any = numba.config
    before = config.CACHE_DIR
    plugin = function.__module__.partition(".")[0] != __name__.partition(".")[0]
    config.CACHE_DIR = str(cache_folder(plugin))
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _compiled(compiler: Callable[..., Any], function: Callable, **options: Any) -> Any:
    """Compile a function with a compiler of numba, with a cache if the function comes from a file."""
    with _own_cache(function):
        try:
            return compiler(cache=True, **options)(function)
        except RuntimeError:  # typed at a prompt, so that there is no file to cache it for
            return compiler(**options)(function)


def kernel(function: Callable) -> Any:
    """Compile a function when it is first called, for the types of that call. Kernels may call each other.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2.0 * x
    >>> double(1.5)
    3.0
    """
    return _compiled(numba.njit, function, **_OPTIONS)


def inlined(function: Callable) -> Any:
    """A kernel that becomes part of each function that calls it.

    This is for the few small kernels that run at every update. A call hands over every field of every array, and
    numba counts references at its start and its end; together that takes as long as an exponential.

    Examples
    --------
    >>> @inlined
    ... def half(x):
    ...     return 0.5 * x
    >>> half(3.0)
    1.5
    """
    return _compiled(numba.njit, function, forceinline=True, **_OPTIONS)


@intrinsic
def _pointer(typing_context, array, address):
    """A pointer to what an array holds, from its address."""
    pointer = types.CPointer(array.dtype)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[1], context.get_value_type(pointer))

    return pointer(array, address), generate


@kernel
def borrowed(array):
    """The same array, for which numba no longer counts references.

    numba counts each time an array is passed to a function, with atomic operations that cost more than a random draw.
    An engine borrows its arrays once, and the functions it calls then count nothing. The caller of the engine must
    keep the array alive.

    Parameters
    ----------
    array : ndarray, C-contiguous

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import numpy as np
    >>> borrowed(np.arange(3.0))
    array([0., 1., 2.])
    """
    return part(array, 0, array.shape)


@kernel
def part(array, first, shape):
    """A view of part of an array in another shape: no copy is made and no reference counted.

    Parameters
    ----------
    array : ndarray, C-contiguous
    first : int
        Position of the first number.
    shape : tuple of int

    Returns
    -------
    ndarray
        To be used only while `array` lives.

    Examples
    --------
    >>> import numpy as np
    >>> part(np.arange(6.0), 2, (2, 2))
    array([[2., 3.],
           [4., 5.]])
    """
    return numba.carray(_pointer(array, array.ctypes.data + array.itemsize * first), shape)


@kernel
def pointer(array):
    """A pointer to the first number of an array, to be indexed like the array. numba neither counts nor copies it."""
    return _pointer(array, array.ctypes.data)


def function_type(result: Any, *arguments: Any) -> types.FunctionType:
    """The type of a kernel with this result and these arguments, for engines that take such a kernel.

    Examples
    --------
    A kernel of two numbers whose result is a number:

    >>> function_type(f8, f8, f8).signature
    (float64, float64) -> float64
    """
    return types.FunctionType(result(*arguments))


def _field(context: Any, kind: types.FunctionType) -> int:
    """Where the value of a function holds its address for calls from compiled code.

    It has another one, for calls from C. There a wrapper copies every field of every array once more.
    """
    return context.data_model_manager[kind].get_field_position("jit_addr")


def function_at(kind: types.FunctionType) -> Any:
    """A function that, inside an engine, turns the address of a kernel back into a kernel of this type.

    Parameters
    ----------
    kind : function type
        As `function_type` gives it.

    Returns
    -------
    compiled function
        ``at(address) -> function``.
    """

    @intrinsic
    def at(typing_context, address):
        def generate(context, builder, signature, arguments):
            pointer = builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))
            return builder.insert_value(context.get_constant_null(kind), pointer, _field(context, kind))

        return kind(i8), generate

    return at


@intrinsic
def _address(typing_context, function):
    """The address of a kernel that was passed as a function."""

    def generate(context, builder, signature, arguments):
        pointer = builder.extract_value(arguments[0], _field(context, function))
        return builder.ptrtoint(pointer, context.get_value_type(i8))

    return i8(function), generate


def _address_of(function):
    return _address(function)


@functools.cache
def _reader(kind: types.FunctionType) -> Any:
    """The compiled function that reads addresses of kernels of a type."""

    def compiler(**options):
        return numba.njit(i8(kind), **options)

    return _compiled(compiler, _address_of)


@functools.cache
def _function(kernel: Any, kind: types.FunctionType) -> Any:
    """A kernel compiled for one signature. The cache keeps it alive: only its address is used."""

    def compiler(**options):
        return numba.njit(kind.signature, **options)

    return _compiled(compiler, getattr(kernel, "py_func", kernel), **_OPTIONS)


def _undefined(function: Any, seen: set[int]) -> str | None:
    """An undefined name that a kernel, or a kernel that it calls, uses; None if there is none."""
    seen.add(id(function))
    names = {step.argval for step in dis.get_instructions(function) if step.opname == "LOAD_GLOBAL"}
    known = function.__globals__
    builtins = known["__builtins__"]
    builtins = builtins if isinstance(builtins, dict) else vars(builtins)
    for name in sorted(names):
        if name not in known and name not in builtins:
            return name
        called = getattr(known.get(name), "py_func", None)
        if called is not None and id(called) not in seen and (found := _undefined(called, seen)) is not None:
            return found
    return None


def require_kernel(field: str, function: Any, kind: types.FunctionType, arguments: str) -> None:
    """Raise an error if a function cannot be called as a kernel of a type. For the checks of components.

    Parameters
    ----------
    field : str
        Name of the kernel in its component, for the message.
    function : object
        What the component gives for it.
    kind : function type
        See `function_type`.
    arguments : str
        Names of the arguments, such as ``"right, size"``.

    Raises
    ------
    ConfigError
        If it is no function, has no ``@kernel`` or other arguments, uses an undefined name, or does not compile. The
        message is one sentence that says what to mend.

    Examples
    --------
    >>> require_kernel("coefficient", lambda success_rate: 1.0, function_type(f8, f8), "success_rate")
    Traceback (most recent call last):
    gradgap.errors.ConfigError: coefficient is a plain Python function; put @kernel before its def
    """
    call = f"{field}({arguments})"
    if not is_jitted(function):
        if callable(function):
            raise ConfigError(f"{field} is a plain Python function; put @kernel before its def")
        raise ConfigError(f"{field} must be a kernel {call}; found {function!r}")
    plain = function.py_func
    try:
        inspect.signature(plain).bind(*arguments.split(", "))
    except TypeError as error:
        raise ConfigError(f"{field} is called as {call}: {error}; give it these arguments") from None
    name = _undefined(plain, set())
    if name is not None:
        raise ConfigError(f"{field} uses the name {name!r}, which nothing defines; define or import it")
    try:
        _function(function, kind)
    except Exception as error:
        raise ConfigError(
            f"{field} cannot be compiled as {call} -> {kind.signature.return_type}: {_reason(error)}; "
            f"mend it there"
        ) from None


def _reason(error: Exception) -> str:
    """The complaint of the compiler in one line, with the number of the line in the source."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Failed in", "During:", "File ", ">>>"))]
    where = re.search(r'File "[^"]*", line (\d+)', text)
    reason = (told or [type(error).__name__])[0].rstrip(".:")
    return f"{reason} (line {where[1]})" if where else reason


def _converter(kind: Any) -> Callable[[Any], Any] | None:
    """A function that replaces kernels by their addresses in an argument of this type; None if it holds no kernel."""
    if isinstance(kind, types.FunctionType):
        return functools.cache(lambda kernel: _reader(kind)(_function(kernel, kind)))
    if isinstance(kind, _Structure):
        fields = [(i, convert) for i, of in enumerate(kind.fields) if (convert := _converter(of))]

        def structured(value):
            values = list(value)
            for i, convert in fields:
                values[i] = convert(values[i])
            return kind.cls(*values)

        return structured if fields else None
    return None


def _handed(kind: Any) -> Any:
    """The type that an argument has when it is passed on: a kernel is passed as its address."""
    if isinstance(kind, types.FunctionType):
        return i8
    if isinstance(kind, _Structure):
        fields = [_handed(of) for of in kind.fields]
        if len(set(fields)) == 1:
            return types.NamedUniTuple(fields[0], len(fields), kind.cls)
        return types.NamedTuple(fields, kind.cls)
    return kind


class _Structure(NamedTuple):
    """A NamedTuple as an argument of an engine: its class and the types of its fields."""

    cls: Any
    fields: tuple[Any, ...]


def structure(cls: type, *fields: Any) -> _Structure:
    """The type of a NamedTuple with fields of these types, for engines that take one as an argument."""
    return _Structure(cls, fields)


def engine(*arguments: Any) -> Callable[[Callable], Callable]:
    """Compile a function when it is first called, for these argument types only.

    This is for functions that take kernels as arguments, alone or as fields of a NamedTuple. Inside, a kernel arrives
    as its address, and `function_at` makes a function of it.

    Parameters
    ----------
    *arguments : numba types
        One for each argument: a `function_type` for a kernel, a `structure` for a NamedTuple.

    Examples
    --------
    An engine that applies whatever kernel it is given to every number of an array:

    >>> import numpy as np
    >>> function = function_at(function_type(f8, f8))
    >>> @kernel
    ... def double(x):
    ...     return 2.0 * x
    >>> @engine(function_type(f8, f8), vector)
    ... def apply(given, out):
    ...     for i in range(out.size):
    ...         out[i] = function(given)(out[i])
    >>> numbers = np.array([1.0, 2.0])
    >>> apply(double, numbers)
    >>> numbers
    array([2., 4.])
    """
    signature = types.void(*(_handed(of) for of in arguments))

    def decorate(function: Callable) -> Callable:
        @functools.cache
        def compiled() -> Callable:
            def compiler(**options):
                return numba.njit(signature, **options)

            return _compiled(compiler, function, **_OPTIONS)

        converters = [(i, convert) for i, of in enumerate(arguments) if (convert := _converter(of))]

        @functools.wraps(function)
        def call(*given):
            handed = list(given)
            for i, convert in converters:
                handed[i] = convert(handed[i])
            return compiled()(*handed)

        return call

    return decorate
