"""The examples in the docstrings say what the functions answer."""

import doctest
import importlib
import pkgutil

import gradgap
import pytest

MODULES = [
    module.name
    for module in pkgutil.walk_packages(gradgap.__path__, "gradgap.", onerror=lambda name: None)
    # networks and trainer have environments of their own, and test_networks.py and test_trainer.py
    if not module.name.startswith(("gradgap.networks", "gradgap.trainer"))
    and module.name != "gradgap.__main__"
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = map(importlib.import_module, MODULES)
    assert sum(bool(each.examples) for module in modules for each in finder.find(module)) > 60
