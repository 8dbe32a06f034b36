"""Updates turned away from the gap: against a plain reimplementation, and the verdict computed from them."""

import math

import numpy as np
import pytest
import xarray as xr
from gradgap.measurements.prompt_runs import instance_at
from gradgap.numerics import sampling, streams
from gradgap.studies.alignment import analysis as study
from gradgap.sweep.measurement import measure
from gradgap.theory import bounds

SETTINGS = {
    "prompts": 3,
    "contexts": 2,
    "candidates": 3,
    "dimension": 4,
    "margin": 0.2,
    "iterations": 50,
    "seed": 5,
}
AXES = {
    "length": ("4", "8"),
    "success_rate": ("0.3", "0.9"),
    "angle": ("0", "60", "90", "110"),
    "bound": ("paper", "prop1"),
    "bound_fraction": ("0.4", "100", "3000"),
    "replicate": ("0", "1"),
}


def quiet(done, total):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def found():
    """All variables over `AXES`."""
    return measure("alignment", AXES, SETTINGS, quiet)


def plain(point):
    """ℓ_k − ℓ_0 and M(k) along the run at a point, iterated with the instance's own rates and gap."""
    instance = instance_at(point, SETTINGS)
    bits = streams.state(SETTINGS["seed"], {"study": "alignment", **point})
    aside = np.empty(len(instance.start))
    sampling.normals(bits, aside)
    angle = math.radians(float(point["angle"]))
    guaranteed = bounds.bounds(1.0, 0.5, 0.5, instance.length, instance.max_length, 2.0, 1.0)
    theta, gained, cumulative = instance.start.copy(), [], [0.0]
    for _ in range(SETTINGS["iterations"] + 1):
        success, failure, gap = instance.at(theta)
        gained.append(math.log(success) - math.log(failure))
        unit = gap / np.linalg.norm(gap)
        across = aside - (aside @ unit) * unit
        direction = math.cos(angle) * unit + math.sin(angle) * across / np.linalg.norm(across)
        step = float(point["bound_fraction"]) * getattr(guaranteed, point["bound"]) * np.linalg.norm(gap)
        cumulative.append(cumulative[-1] + max(direction @ gap, 0.0) * step)
        theta = theta + step * direction
    return np.array(gained) - gained[0], np.array(cumulative[:-1])


@pytest.mark.parametrize("angle", ["0", "60", "110"])
@pytest.mark.parametrize("fraction", ["0.4", "100"])
def test_runs_are_those_of_the_definition(found, angle, fraction):
    point = {
        "length": "8",
        "success_rate": "0.3",
        "angle": angle,
        "bound": "prop1",
        "bound_fraction": fraction,
        "replicate": "1",
    }
    at = tuple(AXES[name].index(value) for name, value in point.items())
    gained, cumulative = plain(point)
    assert found["gained"][at] == pytest.approx(gained[-1], rel=1e-6)
    assert found["most_gained"][at] == pytest.approx(gained[1:].max(), rel=1e-6)
    assert found["cumulative_alignment"][at] == pytest.approx(cumulative[-1], rel=1e-9, abs=1e-12)
    if angle != "110":
        assert found["worst_ratio"][at] == pytest.approx((gained[1:] / cumulative[1:]).min(), rel=1e-6)
        share = float(fraction) / math.cos(math.radians(float(angle)))
        assert found["step_over_bound"][at] == pytest.approx(share, rel=1e-12)
    else:
        assert math.isnan(found["worst_ratio"][at])
        assert math.isnan(found["step_over_bound"][at])


def test_admissible_steps_keep_the_bound_and_far_larger_ones_break_it(found):
    admissible = found["step_over_bound"] <= 1
    assert admissible.sum() >= 16
    assert (found["worst_ratio"][admissible] >= 0.5).all()
    assert (found["worst_ratio"][found["step_over_bound"] > 1000] < 0.5).any()


def test_nothing_is_gained_by_small_steps_without_alignment(found):
    across = found["cumulative_alignment"][:, :, 2:, :, :1]
    assert (across == 0).all()
    assert (found["most_gained"][:, :, 3:, :, :1] < 0).all()
    assert (np.abs(found["gained"][:, :, 2, :, 0]) < 0.02).all()  # across the gap: second order only


def test_numbers_do_not_depend_on_order_or_shard(found):
    again = measure("alignment", {a: v[::-1] for a, v in AXES.items()}, SETTINGS, quiet)
    alone = measure("alignment", {**AXES, "angle": ("60",), "replicate": ("1",)}, SETTINGS, quiet)
    for name, values in found.items():
        np.testing.assert_array_equal(again[name][(slice(None, None, -1),) * len(AXES)], values)
        np.testing.assert_array_equal(alone[name], values[:, :, 1:2, :, :, 1:])


def dataset(**changed):
    """Four runs: admissible, at the bound, beyond it, and against the gap."""
    values = {
        "gained": [0.9, 0.8, 0.1, -1.0],
        "cumulative_alignment": [1.0, 1.0, 1.0, 0.0],
        "worst_ratio": [0.9, 0.7, 0.1, np.nan],
        "step_over_bound": [0.5, 1.0, 7.0, np.nan],
        "most_gained": [0.9, 0.8, 0.1, -0.2],
    }
    values = {name: changed.get(name, value) for name, value in values.items()}
    whole = xr.Dataset({name: ("bound_fraction", np.array(value)) for name, value in values.items()})
    return whole.assign_coords(bound_fraction=[0.5, 1, 7, 8], length=8, angle=0.0, bound="prop1", replicate=0)


def test_violations_are_counted():
    fine = study.analyse(dataset(), {}).findings
    assert (fine["admissible"], fine["broken"], fine["beyond"], fine["broken_beyond"]) == (2, 0, 1, 1)
    assert (fine["across"], fine["gained_across"]) == (1, 0)
    assert fine["least_ratio"] == 0.7
    assert fine["least_broken"] == 7.0
    assert fine["paper_over_prop1"] == pytest.approx((2 * 8 + 16**2) / (2 * 8 + 16 * 16**2))
    broken = dataset(worst_ratio=[0.9, 0.4999, 0.1, np.nan], most_gained=[0.9, 0.8, 0.1, 1e-3])
    worse = study.analyse(broken, {}).findings
    assert (worse["broken"], worse["gained_across"], worse["most_gained_across"]) == (1, 1, 1e-3)
