"""The study `collapse`: what runs do, against the same iterations in mpmath and the statements of docs/theory.md."""

import math

import mpmath as mp
import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.bandits.counting import log10_success_rate
from gradgap.measurements import collapse
from gradgap.report import captions, style
from gradgap.studies.collapse import figure
from gradgap.studies.collapse.analysis import analyse
from gradgap.sweep import compute, config, grid, store
from gradgap.sweep.measurement import measure
from gradgap.theory import catastrophe, closed_forms
from helpers import assembled

LENGTH, RATE = 256, 0.2


def success_rate(instance, theta):
    """J as a sum of binomial terms in mpmath."""
    n, width = int(instance.kernels.constants[0]), int(instance.kernels.constants[1])
    p = 1 / (1 + mp.exp(-theta))
    return mp.fsum(
        mp.binomial(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 - width, n // 2 + width + 1)
    )


@pytest.mark.parametrize("theta", [0.0, 0.01, -0.2, 0.5, 1.7, -3.0, 40.0])
def test_log_success_rate_against_mpmath(theta):
    instance = FAMILIES.find("counting").instance(LENGTH, RATE)
    with mp.workdps(30):
        exact = float(mp.log10(success_rate(instance, mp.mpf(theta))))
    assert log10_success_rate(instance, theta) == pytest.approx(exact, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("name", ["gap 1.05 fold", "gap 1.3 convergence", "reinforce 10 convergence"])
def test_curve_against_the_iteration_in_mpmath(name):
    instance = FAMILIES.find("counting").instance(LENGTH, RATE)
    axes = {"length": (str(LENGTH),), "success_rate": (str(RATE),), "dynamics": (name,)}
    found = measure("collapse_curves", axes | {"iteration": tuple("012345")}, {})
    rule, factor, unit = name.split()
    falls = catastrophe.gap_falls(instance)
    scale = (
        falls.strict
        if unit == "fold"
        else closed_forms.critical_closed_form(instance, rule, "seq-mean-token-sum")
    )
    rate, theta, path = float(factor) * scale, mp.mpf(instance.theta0), []
    with mp.workdps(30):
        for _ in range(6):
            here = success_rate(instance, theta)
            path.append(float(mp.log10(here)))
            slope = mp.diff(lambda t: success_rate(instance, t), theta)
            theta += rate * (slope if rule == "reinforce" else slope / (here * (1 - here)))
    assert found["collapse_log_success_rate"].ravel() == pytest.approx(path, rel=1e-6)


def curve(name, *iterations):
    axes = {"length": (str(LENGTH),), "success_rate": (str(RATE),), "dynamics": (name,)}
    return measure("collapse_curves", axes | {"iteration": tuple(map(str, iterations))}, {})[
        "collapse_log_success_rate"
    ].ravel()


def test_who_falls_at_every_iteration():
    every = range(16)
    for name in ("gap 1.05 fold", "steps 1.1"):
        assert (np.diff(curve(name, *every)) < 0).all()
    for name in ("gap 0.9 convergence", "steps 0.9", "linear 0.9"):
        assert (np.diff(curve(name, *every)) >= -1e-12).all()
    for name in ("reinforce 10 convergence", "grpo 10 convergence"):
        thrown = curve(name, *every)
        assert thrown[1] < -10  # thrown out at once
        assert thrown[15] == pytest.approx(thrown[1], abs=1e-6)  # and there it stays: no further fall
    end = int(catastrophe.linear_bandit_fall(collapse.LINEAR_START, 0.55))
    linear = curve("linear 1.1", *range(end + 2))
    assert (np.diff(linear[: end + 1]) < 0).all()
    assert linear[end - 1] > -10
    assert linear[end] == linear[end + 1] == collapse.NOTHING


def test_thresholds_are_where_the_runs_change():
    axes = {"length": ("64", str(LENGTH)), "success_rate": (str(RATE),)}
    found = measure("collapse_thresholds", axes, {"iterations": 100})
    for kind, tolerance in (("convergence", 0.05), ("below_start", 1e-4), ("strict", 1e-3)):
        ratio = found[f"collapse_{kind}"] / found[f"collapse_{kind}_predicted"]
        assert ratio[1, 0] == pytest.approx(1, abs=tolerance)
    assert math.isnan(found["collapse_strict"][0, 0])
    assert found["collapse_floor"][1, 0] == pytest.approx(found["collapse_floor_predicted"][1, 0], rel=1e-3)
    instance = FAMILIES.find("counting").instance(LENGTH, RATE)
    strict = found["collapse_strict"][1, 0]
    turn = catastrophe.gap_falls(instance).turn
    assert (
        collapse.falling(instance, 1.001 * strict, 100)[1]
        > turn
        > collapse.falling(instance, 0.999 * strict, 100)[1]
    )


def test_study_figure_and_caption(tmp_path):
    raw = {
        "seed": 1,
        "studies": {
            "collapse": {
                "length": [64, LENGTH],
                "success_rate": [RATE],
                "iteration": [0, 1, 5, 20, 60],
                "iterations": 60,
            }
        },
    }
    study = config.parse(raw).studies["collapse"]
    paths = []
    for shard in grid.shards(study, 20_000):
        paths.append(tmp_path / f"{shard.name}.npz")
        store.write(paths[-1], shard, compute.compute(shard))
    analysis = analyse(assembled(study, paths), study.settings)
    assert analysis.findings["no_fold"] == [64]
    assert analysis.findings["floors"][0]["floor"] < -30
    assert "log₁₀ J = -31" in captions.fill(captions.template("collapse"), analysis, study.settings)
    look = style.Look.from_config(config.parse(raw).figures)
    with look.applied():
        style.save(figure.draw(analysis.panels, analysis.scaling, look), {"png": tmp_path / "figure.png"})
    assert (tmp_path / "figure.png").stat().st_size > 10_000
