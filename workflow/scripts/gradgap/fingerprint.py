"""Fingerprints of source code, so that an edit recomputes the results that depend on it, and no others.

Snakemake does not see edits in modules that a script imports, and numba's cache does not see edits in jitted
functions that a kernel calls. Both are handled here by a hash
over a module and every module of this package that it imports, directly or not.
"""

import ast
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .plugins import PLUGIN_PACKAGE, plugin_files, plugin_folders

PACKAGE_DIR = Path(__file__).parent


@functools.cache
def source_file(module: str) -> Path | None:
    """Path of a module of this package or of a plugin; None for any other module."""
    top, *parts = module.split(".")
    folders = {"gradgap": [PACKAGE_DIR], PLUGIN_PACKAGE: plugin_folders() if parts else []}
    for folder in folders.get(top, []):
        path = folder.joinpath(*parts)
        for candidate in (path.parent / f"{path.name}.py", path / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


#: Fields of a node of a syntax tree that hold statements, or what holds statements.
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements inside a node. Expressions are not visited: most nodes are, and none of them imports."""
    for block in _BLOCKS:
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Modules of this package that a module imports, anywhere in its source."""
    path = source_file(module)
    if path is None:
        return frozenset()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{parent}.{base}".rstrip(".")
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(name for name in found if source_file(name) is not None)


def closure(modules: Iterable[str]) -> list[str]:
    """The modules and all that they import within this package, sorted."""
    seen: set[str] = set()
    stack = list(modules)
    while stack:
        module = stack.pop()
        if module not in seen:
            seen.add(module)
            stack.extend(imports(module))
    return sorted(seen)


def _contents(cell: Any) -> Any:
    """The content of a cell of a closure, or None if it is not filled yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return ()


def modules_of(component: Any) -> set[str]:
    """Modules of this package and of plugins that the functions and classes of a component come from.

    A component is a function, a class, an object, or a collection of these; of an object its classes and the values
    of its attributes are searched. With `closure` this covers every function that the component reaches.
    """
    found: set[str] = set()
    seen: set[int] = set()
    stack = [component]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Mapping):
            stack.extend(part.values())
        elif isinstance(part, (tuple, list, set, frozenset)):
            stack.extend(part)
        elif isinstance(part, type):
            found.update(base.__module__ for base in part.__mro__)
        elif callable(part) or source_file(type(part).__module__) is not None:
            found.add(getattr(part, "__module__", None) or "")
            stack.append(type(part))
            # what a compiled, a wrapped and a partial function stand for, and what a function has closed over
            for name in ("py_func", "__wrapped__", "func", "args", "keywords"):
                stack.append(getattr(part, name, ()))
            stack.extend(_contents(cell) for cell in getattr(part, "__closure__", None) or ())
            if source_file(type(part).__module__) is not None:
                stack.extend(getattr(part, "__dict__", {}).values())
    return {name for name in found if source_file(name) is not None}


@functools.cache
def _digest(path: Path) -> bytes:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()


def fingerprint(*modules: str) -> str:
    """Hash of the sources that the given modules depend on within this package.

    Parameters
    ----------
    *modules : str
        Full module names, such as ``gradgap.training.run``.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=8)
    for module in closure(modules):
        path = source_file(module)
        if path is not None:
            digest.update(module.encode() + b"\0" + _digest(path))
    return digest.hexdigest()


def hand_down() -> None:
    """Make sure that every program started from this one imports this same package."""
    mine, theirs = str(PACKAGE_DIR.parent), os.environ.get("PYTHONPATH", "")
    if theirs.split(os.pathsep)[0] != mine:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [mine, theirs]))


#: Rooms of the package that hold no kernel, and that none can see (the contracts of imports in pyproject.toml).
_WITHOUT_KERNELS = ("cli", "report", "studies")


def kernel_fingerprint(plugins: bool) -> str:
    """Hash of every source file that a kernel may follow from: the key of the compile cache.

    Parameters
    ----------
    plugins : bool
        For a kernel of a plugin: it may call those of other plugins, which a kernel of the package never does.
    """
    digest = hashlib.blake2b(digest_size=8)
    files = [
        path
        for path in sorted(PACKAGE_DIR.rglob("*.py"))
        if path.relative_to(PACKAGE_DIR).parts[0] not in _WITHOUT_KERNELS
    ]
    for path in [*files, *(plugin_files() if plugins else ())]:
        digest.update(path.name.encode() + b"\0" + _digest(path))
    return digest.hexdigest()
