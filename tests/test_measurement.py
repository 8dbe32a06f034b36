"""Measurements: each does what the sweep engine expects, and the check finds what does not."""

import dataclasses
import sys

import numpy as np
import pytest
from gradgap import plugins
from gradgap.errors import ConfigError
from gradgap.sweep import config, grid
from gradgap.sweep.axes import AXES
from gradgap.sweep.measurement import (
    MEASUREMENTS,
    Measurement,
    Variable,
    check_measurement,
    measure,
    rows,
)
from gradgap.sweep.study import STUDIES

LENGTH = Variable("length", "tokens", "T.")
SWEEPS = [(name, sweep) for name, study in sorted(STUDIES.discover().items()) for sweep in study.sweeps]
#: These studies have an environment and a configuration of their own, and their own tests.
OPTIONAL = {"networks", "trainer"}


@pytest.fixture(scope="module")
def smoke_config(root):
    return config.load(root / "tests/smoke.yaml")


@pytest.mark.parametrize(("study", "name"), [pair for pair in SWEEPS if pair[0] not in OPTIONAL])
def test_each_measurement_gives_a_point_the_same_alone_and_among_others(smoke_config, study, name):
    """At the first two values of every axis of each sweep of the smoke configuration; also at one value of labels."""
    configured = smoke_config.studies[study]
    sweep = configured.study.sweeps[name]
    axes = {axis: values[:2] for axis, values in grid.sweep_axes(configured, sweep).items()}
    settings = {**grid.sweep_settings(configured, sweep), "seed": 5}
    for key in ("iterations", "sampled_iterations", "attack_evaluations"):
        if key in settings:
            settings[key] = min(settings[key], 60)
    if "iteration" in axes:
        axes["iteration"] = ("1", "2")
    check_measurement(grid.measurement_of(sweep), {**axes, **sweep.at}, settings)


def test_every_measurement_is_used_by_a_study():
    used = {sweep.measurement for study in STUDIES.discover().values() for sweep in study.sweeps.values()}
    package = {name for name, origin in MEASUREMENTS.origins.items() if origin.startswith("gradgap.")}
    assert package <= used
    assert set(AXES.discover()) >= {axis for _, sweep in SWEEPS for axis in STUDIES[_].sweeps[sweep].axes}


def plain(**changes):
    """A measurement that is right, but for the changes."""
    right = Measurement({"x": LENGTH}, lambda point, inner, settings: {"x": float(point["length"])})
    return dataclasses.replace(right, **changes)


def test_values_stand_where_their_axes_say():
    """Outer and inner axes in any order, one coordinate that is no dimension, and a variable of one axis only."""
    variables = {"whole": LENGTH, "outer": dataclasses.replace(LENGTH, drop=("draw", "search"))}

    def compute(point, inner, settings):
        whole = np.add.outer([100 * int(v) for v in inner["draw"]], [10 * int(v) for v in inner["search"]])
        return {"whole": whole + int(point["length"]) + settings["more"], "outer": float(point["length"])}

    measurement = Measurement(variables, compute, inner=("search", "draw"))
    axes = {"draw": ("1", "2"), "length": ("2", "4", "6"), "search": ("1", "2"), "family": "counting"}
    found = measure(measurement, axes, {"more": 0.5})
    assert found["whole"].shape == (2, 3, 2)
    assert found["whole"][1, 2, 0] == 200 + 6 + 10 + 0.5
    assert found["outer"].tolist() == [2, 4, 6]
    check_measurement(measurement, axes, {"more": 0.5})


def test_rows_leave_out_one_axis():
    found = list(rows({"a": ("1", "2"), "b": ("3",), "c": ("4", "5")}, "b"))
    assert [index for index, _, _ in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert found[1][1] == (0, slice(None), 1)
    assert found[1][2] == {"a": "1", "c": "5"}


AXIS = {"length": ("2", "4")}
WRONG = {
    "not a measurement": (lambda: "text", "register a Measurement"),
    "no variables": (lambda: plain(variables={}), "variables must map"),
    "no variable": (lambda: plain(variables={"x": 3}), "'x' must be a Variable"),
    "no units": (lambda: plain(variables={"x": dataclasses.replace(LENGTH, units="")}), "a text for units"),
    "no name": (lambda: plain(variables={"x y": LENGTH}), "'x y' must be named"),
    "drop": (lambda: plain(variables={"x": dataclasses.replace(LENGTH, drop=("length",))}), "no inner axis"),
    "together": (lambda: plain(together=("length",)), "together names 'length'"),
    "a text for a tuple": (lambda: plain(inner="length"), "inner must be a tuple"),
    "unknown axis": (lambda: plain(inner=("lenght",)), "unknown axis 'lenght'"),
    "no compute": (lambda: plain(compute=None), "compute must be a function"),
    "arguments of compute": (lambda: plain(compute=lambda point: {}), "compute is called as compute"),
    "arguments of cost": (lambda: plain(cost=lambda: 1.0), "cost is called as cost"),
    "other variables": (lambda: plain(compute=lambda p, i, s: {"y": 1.0}), "should give x"),
    "other shape": (lambda: plain(compute=lambda p, i, s: {"x": [1.0, 2.0]}), "should have shape"),
    "nan": (lambda: plain(compute=lambda p, i, s: {"x": np.nan}), "x is nan"),
    "memory": (
        lambda: plain(
            inner=("length",), compute=lambda p, i, s: {"x": [len(i["length"])] * len(i["length"])}
        ),
        "among other points",
    ),
}


@pytest.mark.parametrize(("make", "words"), WRONG.values(), ids=WRONG.keys())
def test_the_check_says_what_to_mend(make, words):
    with pytest.raises(ConfigError, match=words) as error:
        check_measurement(make(), AXIS, {})
    assert "\n" not in str(error.value)
    check_measurement(plain(), AXIS, {})


HEAD = "from gradgap.sweep.measurement import MEASUREMENTS, Measurement, Variable\n"
PLUGINS = {
    "no field": (
        "def compute(point): return {}\n"
        "MEASUREMENTS.add('mine')(Measurement({'x': Variable('x', '1', 'X.')}, compute))",
        "measurement 'mine': compute is called as compute(point, inner, settings)",
    ),
    "no argument": ("MEASUREMENTS.add('mine')(Measurement())", "TypeError"),
    "no name": ("MEASUREMENTS.add('mine')(Measurement(variables, compute))", "'variables' is not defined"),
}


@pytest.mark.parametrize(("text", "words"), PLUGINS.values(), ids=PLUGINS.keys())
def test_a_plugin_with_a_mistake_is_named(tmp_path, monkeypatch, text, words):
    folder = tmp_path / plugins.PLUGIN_PACKAGE
    folder.mkdir()
    (folder / "mistaken.py").write_text(HEAD + text)
    monkeypatch.chdir(tmp_path)
    registry = plugins.Registry("measurement", None, check_measurement)
    monkeypatch.setattr("gradgap.sweep.measurement.MEASUREMENTS", registry)
    try:
        with pytest.raises(ConfigError) as error:
            registry.discover()
    finally:
        sys.modules.pop("gradgap_plugins.mistaken", None)
    assert str(error.value).startswith(f"plugin {folder / 'mistaken.py'}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_plugin_raises_is_told_with_its_file_and_point(tmp_path, monkeypatch):
    folder = tmp_path / plugins.PLUGIN_PACKAGE
    folder.mkdir()
    (folder / "failing.py").write_text(
        "def compute(point, inner, settings):\n    return {'x': undefined_name}\n"
    )
    monkeypatch.chdir(tmp_path)
    try:
        module = plugins.module("gradgap_plugins.failing")
        with pytest.raises(ConfigError, match=r"failing\.py.*'length': '2'.*NameError.*undefined_name"):
            measure(plain(compute=module.compute), AXIS, {})
    finally:
        sys.modules.pop("gradgap_plugins.failing", None)


def test_a_study_that_fixes_an_axis_names_what_its_measurement_knows():
    """Studies import no measurement, so the names stand in both."""
    from gradgap.measurements import bound_audit
    from gradgap.studies import bound_audit as audit_study

    assert audit_study.BOUNDS == bound_audit.BOUNDS
