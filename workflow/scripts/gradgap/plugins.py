"""Named components, found by looking into a package and into plugin folders.

A component registers itself where it is defined; nothing else lists it. A plugin is a Python file in the folder
``gradgap_plugins/`` of the working directory, beside config.yaml and results/, or in a folder named by the
environment variable ``GRADGAP_PLUGINS`` (several are separated as in ``PATH``). It is imported once under the name
``gradgap_plugins.<file>``.
"""

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from .errors import ConfigError

T = TypeVar("T")
PLUGIN_PACKAGE = "gradgap_plugins"


class Registry(dict[str, T]):
    """Components of one kind by name.

    Parameters
    ----------
    kind : str
        What the components are, for error messages ("bandit family").
    package : str, optional
        A package all of whose modules are imported before the first look-up.
    """

    def __init__(self, kind: str, package: str | None = None):
        super().__init__()
        self.kind = kind
        self._package = package
        self._discovered = False

    def discover(self) -> "Registry[T]":
        """Import every module that may register a component; return the registry itself."""
        if not self._discovered:
            self._discovered = True
            if self._package is not None:
                package = importlib.import_module(self._package)
                for module in pkgutil.iter_modules(package.__path__):
                    importlib.import_module(f"{self._package}.{module.name}")
            load_plugins()
        return self

    def add(self, name: str) -> Callable[[T], T]:
        """Register the decorated component under a name; a name taken already is an error."""

        def register(component: T) -> T:
            if name in self:
                raise ConfigError(f"{self.kind} {name!r} is registered twice")
            self[name] = component
            return component

        return register

    def find(self, name: str) -> T:
        """The component of that name.

        Raises
        ------
        ConfigError
            If there is none; the message lists the known names.
        """
        self.discover()
        if name not in self:
            raise ConfigError(f"unknown {self.kind} {name!r}; known: {', '.join(sorted(self))}")
        return self[name]


def plugin_files() -> Iterator[Path]:
    """The plugin files of the working directory and of all folders in ``GRADGAP_PLUGINS``, in order.

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
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        yield from sorted(folder.glob("*.py"))


def load_plugins() -> None:
    """Import each plugin file once.

    Raises
    ------
    ConfigError
        If a plugin cannot be imported, or two have one name and so would be one module.
    """
    for path in plugin_files():
        name = f"{PLUGIN_PACKAGE}.{path.stem}"
        if name in sys.modules:
            if sys.modules[name].__file__ != str(path):
                raise ConfigError(f"plugins {sys.modules[name].__file__} and {path} have the same name")
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None  # a .py file always has a loader
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded
        try:
            spec.loader.exec_module(loaded)
        except Exception as error:
            raise ConfigError(f"plugin {path}: {type(error).__name__}: {error}") from error


def module(name: str) -> ModuleType:
    """A module of the package or a plugin, by its full name."""
    load_plugins()
    return importlib.import_module(name)
