"""What a result depends on; and that a changed kernel is never served stale."""

import os
import shutil
import subprocess
import sys

import pytest
from gradgap import fingerprint


def test_the_closure_of_a_module_follows_its_imports():
    found = fingerprint.closure(["gradgap.measurements.thresholds"])
    for name in (
        "training.run",
        "thresholds.exact",
        "training.rules",
        "theory.closed_forms",
        "numerics.compiler",
    ):
        assert f"gradgap.{name}" in found
    assert "gradgap.studies.length_scaling.figure" not in found
    assert "gradgap.bandits.counting" not in found  # found by name, so named by the shard that uses it
    assert "gradgap.numerics.binomial" in fingerprint.closure(["gradgap.bandits.counting"])


def test_a_fingerprint_changes_with_any_source_it_covers(tmp_path, root):
    package = tmp_path / "gradgap"
    shutil.copytree(root / "workflow" / "scripts" / "gradgap", package)
    script = (
        "from gradgap.fingerprint import fingerprint as f;"
        "print(f('gradgap.bandits.counting'), f('gradgap.studies.stagnation.figure'), f('gradgap.thresholds.exact'))"
    )

    def prints():
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    before = prints()
    assert prints() == before
    with (package / "numerics" / "binomial.py").open("a") as file:
        file.write("# edited\n")
    edited = prints()
    assert edited[0] != before[0]
    assert edited[1] == before[1]  # a figure does not depend on a kernel


def test_a_changed_kernel_is_not_served_stale(tmp_path, root):
    """The kernel that calls the edited function is itself unchanged, and was compiled and cached before."""
    package = tmp_path / "gradgap"
    shutil.copytree(root / "workflow" / "scripts" / "gradgap", package)
    script = "from gradgap.bandits.counting import evaluate; import numpy as np;"
    script += "print(evaluate(-2.0, np.array([8.0, 1.0, 1.0]))[0])"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def value():
        found = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        return float(found.stdout)

    before = value()
    assert value() == before
    kernel = package / "numerics" / "binomial.py"
    text = kernel.read_text()
    assert text.count("success = mass * inside") == 1
    stamp = kernel.stat()
    kernel.write_text(text.replace("success = mass * inside", "success = mass * inside * 1.25"))
    os.utime(kernel, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # not even the time tells
    after = value()
    assert after == pytest.approx(1.25 * before)


def test_a_block_depends_on_every_function_of_its_components(tmp_path):
    """A plugin's sampled form from another file of the plugin folder, registered by a third: all three count."""
    folder = tmp_path / "gradgap_plugins"
    folder.mkdir()
    kernel = "from gradgap.numerics.compiler import kernel\n\n@kernel\n"
    (folder / "expected.py").write_text(
        kernel + "def coefficient(success, failure, gap):\n    return success * failure\n"
    )
    (folder / "drawn.py").write_text(kernel + "def sampled(right, size):\n    return 1.0, 0.0\n")
    (folder / "unrelated.py").write_text("UNUSED = 1\n")
    (folder / "whole.py").write_text(
        "from gradgap_plugins import drawn, expected\n"
        "from gradgap.training.rules import ADVANTAGES, Advantage\n"
        "ADVANTAGES.add('plugged')(Advantage(expected.coefficient, 1.0, drawn.sampled))\n"
    )
    script = (
        "from gradgap.sweep.grid import Block\n"
        "axes = {'advantage': ('plugged',), 'aggregation': ('token-mean',)}\n"
        "print(Block('s', 'w', 'sampled_thresholds', axes, {}, 0, {'family': 'counting'}).code)\n"
        "from gradgap.fingerprint import modules_of\n"
        "from gradgap.training.rules import ADVANTAGES\n"
        "print(*sorted(modules_of(ADVANTAGES.find('plugged'))))\n"
    )

    def told():
        found = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return found.stdout.splitlines()

    before, modules = told()
    assert {"gradgap_plugins.drawn", "gradgap_plugins.expected"} <= set(modules.split())
    codes = {before}
    for name in ("drawn", "expected", "whole"):
        with (folder / f"{name}.py").open("a") as file:
            file.write("# edited\n")
        codes.add(told()[0])
    assert len(codes) == 4
    (folder / "unrelated.py").write_text("UNUSED = 2\n")
    assert told()[0] in codes
