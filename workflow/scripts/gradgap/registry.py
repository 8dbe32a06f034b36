"""Named components, found by looking into a package and into plugin folders.

A component registers itself where it is defined; nothing else lists it. A plugin is a Python file in a
folder named by the environment variable ``GRADGAP_PLUGINS`` (several are separated as in ``PATH``), and is
imported once under the name ``gradgap_plugins.<file>``.
"""

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
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
    """The plugin files of all folders in ``GRADGAP_PLUGINS``, in order.

    Raises
    ------
    ConfigError
        If a named folder does not exist.
    """
    for folder in filter(None, os.environ.get("GRADGAP_PLUGINS", "").split(os.pathsep)):
        if not Path(folder).is_dir():
            raise ConfigError(f"GRADGAP_PLUGINS: no such folder: {folder}")
        yield from sorted(Path(folder).resolve().glob("*.py"))


def load_plugins() -> None:
    """Import each plugin file once."""
    for path in plugin_files():
        name = f"{PLUGIN_PACKAGE}.{path.stem}"
        if name in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
