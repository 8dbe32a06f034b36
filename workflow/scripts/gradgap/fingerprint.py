"""Fingerprints of source code: what a result depends on, so that an edit reruns just that.

Snakemake does not see edits in modules that a script imports, and numba's cache does not see edits in jitted
functions that a kernel calls. Both are told by a hash over a module and every module of this package that it
imports, directly or not.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from .plugins import PLUGIN_PACKAGE, plugin_files

PACKAGE_DIR = Path(__file__).parent


@functools.cache
def source_file(module: str) -> Path | None:
    """Path of a module of this package or of a plugin; None for any other module."""
    if module.startswith(PLUGIN_PACKAGE + "."):
        stem = module.removeprefix(PLUGIN_PACKAGE + ".")
        return next((path for path in plugin_files() if path.stem == stem), None)
    if module != "gradgap" and not module.startswith("gradgap."):
        return None
    path = PACKAGE_DIR.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Modules of this package that a module names in its import statements, wherever they stand."""
    path = source_file(module)
    if path is None:
        return frozenset()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


def package_fingerprint() -> str:
    """Hash of every source file of the package and of the plugins: the key of the compile cache."""
    digest = hashlib.blake2b(digest_size=8)
    for path in [*sorted(PACKAGE_DIR.rglob("*.py")), *plugin_files()]:
        digest.update(path.name.encode() + b"\0" + _digest(path))
    return digest.hexdigest()
