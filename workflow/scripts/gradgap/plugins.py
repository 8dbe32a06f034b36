"""Registries of named components, which are found in the package and in plugin folders.

A component registers itself in the module that defines it; no list is kept elsewhere. A plugin is a Python file, or
a folder with an ``__init__.py``, in the folder ``gradgap_plugins/`` of the working directory, beside config.yaml and
results/, or in a folder named by the environment variable ``GRADGAP_PLUGINS`` (several are separated as in
``PATH``). It is imported once under the name ``gradgap_plugins.NAME``.
"""

import importlib
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from .errors import ConfigError

T = TypeVar("T")
PLUGIN_PACKAGE = "gradgap_plugins"
#: What a component may be called.
NAME = re.compile(r"\w[\w .+/-]{0,99}")


class Registry(dict[str, T]):
    """Components of one kind by name.

    Parameters
    ----------
    kind : str
        What the components are, for error messages ("bandit family").
    package : str, optional
        A package whose modules are all imported before the first look-up.
    check : callable, optional
        ``check(component)`` raises `ConfigError` if something is wrong with a component, with one sentence that says
        what to mend. It runs on the components of plugins when they are discovered.

    Attributes
    ----------
    origins : dict of str to str
        The module that registered each component.
    """

    def __init__(self, kind: str, package: str | None = None, check: Callable[[T], None] | None = None):
        super().__init__()
        self.kind = kind
        self._check = check
        self.origins: dict[str, str] = {}
        self._package = package
        self._discovered = False

    def discover(self) -> "Registry[T]":
        """Import every module that may register a component, and return the registry, sorted by name."""
        if not self._discovered:
            self._discovered = True  # at once, for what is imported now may look something up itself
            try:
                self._import()
            except BaseException:
                self._discovered = False  # so that asking again says again what is wrong
                raise
        return self

    def _import(self) -> None:
        """Import every module that may register a component, sort the components, and check those of plugins."""
        if self._package is not None:
            package = importlib.import_module(self._package)
            for found in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{found.name}")
        load_plugins()
        ordered = sorted(self.items())  # whatever was imported first
        self.clear()
        self.update(ordered)
        for name, component in self.items():
            self._examine(name, component)

    def _examine(self, name: str, component: T) -> None:
        """Check a component of a plugin; an error names the plugin file."""
        origin = self.origins.get(name, "")
        if self._check is not None and origin.startswith(f"{PLUGIN_PACKAGE}."):
            where = f"plugin {sys.modules[origin].__file__}: {self.kind} {name!r}"
            try:
                self._check(component)
            except ConfigError as error:
                raise ConfigError(f"{where}: {str(error).removeprefix(f'{self.kind}: ')}") from None
            except Exception as error:  # the component's own functions may do anything
                raise ConfigError(f"{where}: {_told(error, sys.modules[origin].__file__)}") from error

    def add(self, name: str) -> Callable[[T], T]:
        """Register the decorated component under a name, which must not be in use yet.

        Names appear in files, pages and messages. They consist of letters, digits, spaces and ``_ . + - /``.
        """
        origin = sys._getframe(1).f_globals.get("__name__", "")
        if not NAME.fullmatch(name):
            shown = ascii(name[:60])
            raise ConfigError(f"{self.kind} {shown}: a name is letters, digits, spaces and _ . + - / only")

        def register(component: T) -> T:
            if name in self:
                raise ConfigError(f"{self.kind} {name!r} is registered twice")
            self[name] = component
            self.origins[name] = origin
            return component

        return register

    def find(self, name: str) -> T:
        """The component of that name.

        Raises
        ------
        ConfigError
            If there is none. The message lists the known names.
        """
        self.discover()
        if name not in self:
            raise ConfigError(f"unknown {self.kind} {name!r}; known: {', '.join(sorted(self))}")
        return self[name]


def plugin_folders() -> list[Path]:
    """The plugin folder of the working directory, if there is one, and all folders in ``GRADGAP_PLUGINS``.

    Raises
    ------
    ConfigError
        If a folder that the variable names does not exist.
    """
    folders = [folder for folder in (Path(PLUGIN_PACKAGE),) if folder.is_dir()]
    for name in filter(None, os.environ.get("GRADGAP_PLUGINS", "").split(os.pathsep)):
        if not Path(name).is_dir():
            raise ConfigError(f"GRADGAP_PLUGINS: no such folder: {name}")
        folders.append(Path(name))
    return list(dict.fromkeys(folder.resolve() for folder in folders))


def plugin_files() -> Iterator[Path]:
    """Every Python file of every plugin, in the order in which plugins are imported.

    For a plugin that is a folder, ``__init__.py`` comes first.

    Raises
    ------
    ConfigError
        If a folder that the variable names does not exist.
    """
    for folder in plugin_folders():
        for path in sorted(folder.iterdir()):
            if path.suffix == ".py":
                yield path
            elif (path / "__init__.py").is_file():
                yield path / "__init__.py"
                yield from sorted(file for file in path.rglob("*.py") if file != path / "__init__.py")


def plugins() -> dict[str, Path]:
    """The file of each plugin by its module name; for a folder that is its ``__init__.py``.

    Raises
    ------
    ConfigError
        If two plugins have one name and so would be one module.
    """
    found: dict[str, Path] = {}
    for path in plugin_files():
        top = path.parent if path.name == "__init__.py" else path
        if top.parent in plugin_folders():
            name = f"{PLUGIN_PACKAGE}.{top.stem}"
            if name in found:
                raise ConfigError(f"plugins {found[name]} and {path} have the same name")
            found[name] = path
    return found


def _open_package() -> None:
    """Make ``gradgap_plugins`` a package of all plugin folders, so that plugins can import each other."""
    package = sys.modules.setdefault(PLUGIN_PACKAGE, ModuleType(PLUGIN_PACKAGE))
    package.__path__ = [str(folder) for folder in plugin_folders()]
    importlib.invalidate_caches()


def _told(error: Exception, file: str | None) -> str:
    """An error of a plugin on one line, with the line of the plugin file where it arose."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    reason = " ".join(str(error).split())
    where = f" in line {lines[-1]}" if lines else ""
    return f"{type(error).__name__}{where}: {reason}; mend it there"


def load_plugins() -> None:
    """Import each plugin once.

    Raises
    ------
    ConfigError
        If a plugin cannot be imported, or two have one name and so would be one module.
    """
    _open_package()
    for name, path in plugins().items():
        if name in sys.modules:
            if sys.modules[name].__file__ != str(path):
                raise ConfigError(f"plugins {sys.modules[name].__file__} and {path} have the same name")
            continue
        try:
            importlib.import_module(name)
        except ConfigError as error:
            raise ConfigError(f"plugin {path}: {error}") from error
        except Exception as error:
            raise ConfigError(f"plugin {path}: {_told(error, str(path))}") from error


def module(name: str, *, alone: bool = False) -> ModuleType:
    """Import a module of the package, or of a plugin, by its full name. No other plugin is imported.

    Parameters
    ----------
    name : str
    alone : bool
        For a plugin that is a folder: import only this file, and not its ``__init__.py``, which declares the study
        and may need more than the file itself.
    """
    _open_package()
    bare = []
    if alone and name.startswith(f"{PLUGIN_PACKAGE}.") and name not in sys.modules:
        parts = name.split(".")
        for k in range(2, len(parts)):
            parent = ".".join(parts[:k])
            folders = [str(folder.joinpath(*parts[1:k])) for folder in plugin_folders()]
            if parent not in sys.modules and any(Path(folder).is_dir() for folder in folders):
                sys.modules[parent] = ModuleType(parent)
                sys.modules[parent].__path__ = folders
                bare.append(parent)
    try:
        return importlib.import_module(name)
    finally:
        for parent in bare:  # so that it can still be imported whole
            del sys.modules[parent]
