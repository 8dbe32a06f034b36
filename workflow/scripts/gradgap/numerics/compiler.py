"""All settings of the compiler, in one place.

Kernels are compiled without fast-math and run in one thread, so that a number never depends on the number of
cores; jobs, not threads, use the cores. Compiled code is cached on disk in a folder keyed by the numba version
and by a hash of all sources that kernels may follow from, because numba's own check does not see edits in functions
that a kernel calls.

Only documented parts of numba are used. A kernel that is an argument of another one is a first-class function: it
is compiled once for its type, and called through its address, so that one compiled engine, found in the cache,
serves every family, rule and optimizer, those of plugins included. An engine is handed addresses as numbers: where it
is handed functions, numba looks the address of each up anew at every call, for some 20 µs.
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
    """A function decorated inside the block is cached in `cache_folder`; other users of numba see no change."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder(function.__module__.partition(".")[0] != __name__.partition(".")[0]))
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _compiled(compiler: Callable[..., Any], function: Callable, **options: Any) -> Any:
    """The function through a compiler of numba, cached where the function stands in a file."""
    with _own_cache(function):
        try:
            return compiler(cache=True, **options)(function)
        except RuntimeError:  # typed at a prompt: there is no file to cache it beside
            return compiler(**options)(function)


def kernel(function: Callable) -> Any:
    """Compile on first call, for the argument types of that call; may be called from any other kernel.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2.0 * x
    >>> double(1.5)
    3.0
    """
    return _compiled(numba.njit, function, **_OPTIONS)


@intrinsic
def _pointer(typing_context, array, address):
    """A pointer to what an array holds, from its address."""
    pointer = types.CPointer(array.dtype)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[1], context.get_value_type(pointer))

    return pointer(array, address), generate


@kernel
def borrowed(array):
    """The same array, without a count of its references.

    numba counts a reference to an array each time it is handed to a function, with atomic operations that cost more
    than a draw or a step of a recurrence. An engine borrows its arrays once, and what it calls does not count. The
    caller of the engine must keep the array.

    Parameters
    ----------
    array : ndarray, C-contiguous

    Returns
    -------
    ndarray
    """
    return part(array, 0, array.shape)


@kernel
def part(array, first, shape):
    """Numbers of an array as an array of another shape, without a copy and without a count of references.

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
    """
    return numba.carray(_pointer(array, array.ctypes.data + array.itemsize * first), shape)


@kernel
def pointer(array):
    """A pointer to the first number of an array, which numba neither counts nor copies; indexed like the array."""
    return _pointer(array, array.ctypes.data)


def function_type(result: Any, *arguments: Any) -> types.FunctionType:
    """Type of a kernel with this result and these arguments, where it is an argument of an engine."""
    return types.FunctionType(result(*arguments))


def function_at(kind: types.FunctionType) -> Any:
    """What makes, inside an engine, a function of this type out of the address that the engine was handed.

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
            field = context.data_model_manager[kind].get_field_position("c_addr")
            return builder.insert_value(context.get_constant_null(kind), pointer, field)

        return kind(i8), generate

    return at


@functools.cache
def _function(kernel: Any, kind: types.FunctionType) -> Any:
    """A kernel compiled for one signature, as a C function; the cache keeps what lies at its address."""

    def compiler(**options):
        return numba.cfunc(kind.signature, **options)

    return _compiled(compiler, getattr(kernel, "py_func", kernel), error_model="numpy", nopython=True)


def _undefined(function: Any, seen: set[int]) -> str | None:
    """A name that a kernel, or a kernel that it calls, uses and nothing defines; None where there is none."""
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
    """Refuse what an engine cannot call as a kernel of a type; for the checks of components.

    Parameters
    ----------
    field : str
        What the kernel is in its component, for the message.
    function : object
        What was given for it.
    kind : function type
        See `function_type`.
    arguments : str
        Names of the arguments, such as ``"right, size"``.

    Raises
    ------
    ConfigError
        In one sentence that says what to mend: no function, no ``@kernel``, other arguments, a name that nothing
        defines, or what the compiler does not accept.

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
    """What the compiler found wrong, in one line, with the line of the source."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Failed in", "During:", "File ", ">>>"))]
    where = re.search(r'File "[^"]*", line (\d+)', text)
    reason = (told or [type(error).__name__])[0].rstrip(".:")
    return f"{reason} (line {where[1]})" if where else reason


def _converter(kind: Any) -> Callable[[Any], Any] | None:
    """What makes an argument of a type out of what is given: kernels become addresses, alone or in structures."""
    if isinstance(kind, types.FunctionType):
        return functools.cache(lambda kernel: _function(kernel, kind).address)
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
    """Type under which an argument is handed over: a kernel goes as its address."""
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
    """Type of a NamedTuple whose fields have these types, in order, as an argument of an engine."""
    return _Structure(cls, fields)


def engine(*arguments: Any) -> Callable[[Callable], Callable]:
    """Compile for one list of argument types, on first call.

    For kernels that take other kernels as arguments, alone or as fields of a NamedTuple. The engine is handed their
    addresses, and makes functions of them with `function_at`.

    Parameters
    ----------
    *arguments : numba types
        Arguments that are kernels have a `function_type`, those that are a NamedTuple a `structure`.
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
