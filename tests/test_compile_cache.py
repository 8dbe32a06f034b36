"""Compiled code is kept where an edit cannot have changed it, and made anew where it can."""

import shutil

import pytest
from gradgap import fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that a test may edit, and a function that gives its key for kernels."""
    folder = tmp_path / "gradgap"
    shutil.copytree(fingerprint.PACKAGE_DIR, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE_DIR", folder)
    plugin = tmp_path / "plugin.py"
    plugin.write_text("# a plugin\n")
    monkeypatch.setattr(fingerprint, "plugin_files", lambda: [plugin])

    def key(plugins=False):
        fingerprint._digest.cache_clear()
        return fingerprint.kernel_fingerprint(plugins)

    yield folder, plugin, key
    fingerprint._digest.cache_clear()


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("numerics/binomial.py", True),
        ("bandits/groups.py", True),
        ("measurements/alignment.py", True),
        ("values.py", True),
        ("studies/contextual/figure.py", False),
        ("report/style.py", False),
        ("cli/run.py", False),
    ],
)
def test_kernels_are_compiled_anew_where_an_edit_can_reach_them(package, file, changes):
    folder, _, key = package
    before, of_plugins = key(), key(plugins=True)
    edit(folder / file)
    assert (key() != before) == changes
    assert (key(plugins=True) != of_plugins) == changes


def test_a_plugin_leaves_the_kernels_of_the_package_alone(package):
    _, plugin, key = package
    before, of_plugins = key(), key(plugins=True)
    assert before != of_plugins
    edit(plugin)
    assert key() == before
    assert key(plugins=True) != of_plugins


def test_no_kernel_stands_where_the_key_does_not_look():
    for room in fingerprint._WITHOUT_KERNELS:
        for path in (fingerprint.PACKAGE_DIR / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "numerics.compiler" not in text, path
            assert "import numba" not in text, path
