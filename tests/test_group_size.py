"""The study of group sizes: exponents and crossovers read off data whose law is known; figures of thin grids."""

import math

import numpy as np
import pytest
import xarray as xr
from gradgap.report import style
from gradgap.studies.group_size import figure
from gradgap.sweep.study import STUDIES

LOOK = style.Look(3.5, 7.2, 7, 60)


def dataset(advantages, aggregation, failure_rates, sizes, crossing):
    """Data that obey 1/α* = 1/(n(1−J)) + 1/(crossing (1−J)^b) at T = 64."""
    failure, size = np.meshgrid(failure_rates, sizes, indexing="ij")
    limit = {"dr_grpo": 0.0, "grpo": 0.5}
    curves = np.array(
        [1 / (1 / (size * failure) + 1 / (crossing * failure ** limit[name])) for name in advantages]
    )
    exact = np.array([crossing * np.array(failure_rates) ** limit[name] for name in advantages])
    dims = ("family", "length", "success_rate", "advantage", "aggregation")
    coordinates = {
        "family": ["gated"],
        "length": [64],
        "success_rate": 1 - np.array(failure_rates),
        "advantage": list(advantages),
        "aggregation": [aggregation],
        "group_size": list(sizes),
        "failure_rate": ("success_rate", failure_rates),
    }
    full = np.moveaxis(curves, 0, 1)[None, None, :, :, None, :]
    flat = exact.T[None, None, :, :, None]
    values = {
        "sampled_critical": full,
        "sampled_critical_low": full * 0.9,
        "sampled_critical_high": full * 1.1,
    }
    known = math.nan if aggregation == "token-mean" else 1.0
    return xr.Dataset(
        {name: ((*dims, "group_size"), value) for name, value in values.items()}
        | {"sampled_critical_predicted": ((*dims, "group_size"), full * known)}
        | dict.fromkeys(("halfway", "critical_closed_form"), (dims, flat))
        | {"crossing_predicted": (dims, np.full_like(flat, crossing) * known)},
        coords=coordinates,
    )


def test_exponents_and_crossover_of_a_known_law():
    rates, sizes = np.geomspace(0.1, 1e-4, 13), 2.0 ** np.arange(1, 15)
    data = dataset(["dr_grpo"], "seq-mean-token-sum", rates, sizes, 5.0)
    found = STUDIES.find("group_size").analyse(data, {})
    [crossing] = found.findings["crossings"]
    assert crossing["measured"] == pytest.approx(5, rel=0.05)
    lone, exact = found.scaling.to_dict("records")
    assert lone["predicted"] == 1
    assert lone["measured"] == pytest.approx(1, abs=0.03)
    assert exact["predicted"] == 0
    assert exact["measured"] == pytest.approx(0, abs=1e-9)
    slid = found.panels["exponents_by_failures"]
    assert slid.exponent.to_numpy() == pytest.approx(1 / (1 + slid.failures / 5), abs=0.04)
    smallest = found.panels["exponents"].iloc[0]
    assert smallest.group_size == 2
    assert smallest.exponent == pytest.approx(1, abs=0.03)
    assert found.findings["within"] == 1


@pytest.mark.parametrize(
    ("rates", "sizes", "aggregation"),
    [
        ([0.1], [4], "seq-mean-token-sum"),
        ([0.1, 0.02], [4, 64], "token-mean"),
        ([0.1, 0.03, 0.01], [4], "token-mean"),
    ],
)
def test_thin_grids_are_drawn(tmp_path, rates, sizes, aggregation):
    data = dataset(["dr_grpo", "grpo"], aggregation, rates, sizes, 5.0)
    found = STUDIES.find("group_size").analyse(data, {})
    known = {name: table for name, table in found.panels.items() if len(table)}  # as the CSV file has it
    with LOOK.applied():
        drawn = figure.draw(known, found.scaling, LOOK)
        style.save(drawn, {"png": tmp_path / "figure.png"})
    assert (tmp_path / "figure.png").stat().st_size > 0
