"""Datasets: labelled, complete or refused, the same from any shards."""

import json

import numpy as np
import pytest
import xarray as xr
from gradgap.errors import MissingPointError, ShardError
from gradgap.sweep import compute, config, dataset, grid, parts, store
from gradgap.training.outcome import Outcome
from helpers import GOOD, assembled


@pytest.fixture(scope="module")
def study():
    return config.parse(GOOD).studies["phase_diagram"]


@pytest.fixture(scope="module")
def contents(study):
    return dataset.Contents.of(study)


@pytest.fixture(scope="module")
def stored(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    paths = []
    for shard in grid.shards(study, 104, 0.062):  # blocks of one length
        paths.append(folder / f"{shard.name}.npz")
        store.write(paths[-1], shard, compute.compute(shard))
    return paths


def test_a_dataset_opens_in_plain_xarray_and_says_what_it_holds(contents, stored, tmp_path):
    path = tmp_path / "phase_diagram.nc"
    dataset.aggregate(contents, stored, path)
    found = xr.load_dataset(path)
    assert found.final_failure_rate.dims == ("family", "length", "success_rate", "rule", "learning_rate")
    assert found.critical_learning_rate.dims == ("family", "length", "success_rate", "rule")
    assert found.length.values.tolist() == [16, 64]
    assert found.rule.values.tolist() == ["GRPO"]
    np.testing.assert_allclose(found.failure_rate, [0.1, 0.01], rtol=1e-15)
    assert set(found.coords) == {
        *found.dims,
        "failure_rate",
    }  # known to readers as a coordinate, though no axis
    for name in (*found.data_vars, *found.coords):
        assert {"long_name", "units", "description"} <= found[name].attrs.keys(), name
    assert {"title", "source", "config", "seed", "software", "commit"} <= found.attrs.keys()
    assert json.loads(found.attrs["config"])["axes"]["length"] == ["16", "64"]
    assert found.outcome.attrs["flag_meanings"].split() == [outcome.name for outcome in Outcome]
    assert set(np.unique(found.outcome)) <= set(found.outcome.attrs["flag_values"].tolist())
    assert sorted(tmp_path.iterdir()) == [path]


def test_values_stand_at_their_points(study, stored):
    found = assembled(study, stored)
    block = next(
        block for block in grid.blocks(study, 1) if block.sweep == "runs" and block.axes["length"] == ("64",)
    )
    values = compute.compute_block(block)
    point = {
        axis: value[0] if axis in ("family", "rule") else float(value[0])
        for axis, value in block.axes.items()
    }
    assert found.curve_failure_rate.sel(point).item() == values["curve_failure_rate"].item()
    point.pop("iteration")  # where a run ends does not depend on when it was looked at
    assert found.final_failure_rate.sel(point).item() == values["final_failure_rate"].item()


@pytest.mark.parametrize("at_once", [50, 1])
def test_a_file_written_part_by_part_is_the_same_dataset(contents, stored, tmp_path, monkeypatch, at_once):
    dataset.aggregate(contents, stored, tmp_path / "whole.nc")
    monkeypatch.setattr(dataset, "AT_ONCE", at_once)
    dataset.aggregate(contents, stored, tmp_path / "parts.nc")
    assert xr.load_dataset(tmp_path / "parts.nc").identical(xr.load_dataset(tmp_path / "whole.nc"))
    dataset.aggregate(contents, stored[::-1], tmp_path / "reversed.nc")
    assert (tmp_path / "reversed.nc").read_bytes() == (tmp_path / "parts.nc").read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("shape", [(), (3,), (2, 5, 7), (1, 1, 100)])
def test_parts_cover_an_array_once(shape):
    seen = np.zeros(shape, int)
    for part in parts.boxes(shape, 12):
        box = tuple(slice(rows.start, rows.stop) for rows in part)
        assert seen[box].size <= 12
        seen[box] += 1
    assert (seen == 1).all()


def test_blocks_with_the_same_values_share_their_positions(contents, stored):
    """There are as many blocks as values, so that lists of positions for each would grow with the square of both."""
    places = dataset._survey(contents, stored)["runs"]
    assert len(places) > 1
    assert len({id(index["learning_rate"]) for _, _, index in places}) == 1


def test_compressed(contents, stored, tmp_path):
    path = tmp_path / "x.nc"
    dataset.aggregate(contents, stored, path)
    with xr.open_dataset(path) as opened:
        assert opened.final_failure_rate.encoding["zlib"]


def test_a_missing_point_is_named(study, stored):
    kept = [path for path in stored if "~length=64~" not in path.name]
    assert 0 < len(kept) < len(stored)
    with pytest.raises(
        MissingPointError, match=r"points of sweep '\w+' are missing.*family=gated, length=64"
    ):
        assembled(study, kept)


def test_a_shard_of_another_configuration_is_refused(stored):
    other = config.parse(
        {"studies": {"phase_diagram": GOOD["studies"]["phase_diagram"] | {"iterations": 77}}}
    )
    with pytest.raises(ShardError, match="is no shard of the study 'phase_diagram' as configured"):
        assembled(other.studies["phase_diagram"], stored)


def test_a_value_that_is_not_a_number_is_named(study, stored, tmp_path):
    path = next(path for path in stored if path.name.startswith("runs~") and "~length=64~" in path.name)
    (found,) = store.read_current(path)
    name = "final_failure_rate"
    found.arrays[name][...] = np.nan
    broken = tmp_path / path.name
    store.write(broken, grid.Shard((found.block,)), [found.arrays])
    with pytest.raises(MissingPointError, match=f"{name} is not a number at .* length=64"):
        assembled(study, [broken if other == path else other for other in stored])
