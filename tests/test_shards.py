"""Shard files: whole or refused, and independent of how points are cut."""

import numpy as np
import pytest
from gradgap.errors import ShardError
from gradgap.sweep import compute, config, grid
from test_config import GOOD


@pytest.fixture(scope="module")
def study():
    return config.parse(GOOD).studies["phase_diagram"]


@pytest.fixture
def stored(study, tmp_path):
    shard = next(shard for shard in grid.shards(study, 1000) if shard.sweep == "runs")
    path = tmp_path / f"{shard.name}.npz"
    arrays = compute.compute(shard)
    compute.write(path, shard, arrays)
    return path, shard, arrays


def test_a_shard_comes_back_as_it_was(stored):
    path, shard, arrays = stored
    found, read = compute.read(path)
    assert found == shard
    assert read.keys() == arrays.keys()
    for name in arrays:
        np.testing.assert_array_equal(read[name], arrays[name])
        assert read[name].dtype == arrays[name].dtype
    assert sorted(path.parent.iterdir()) == [path]  # no temporary file is left


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "text"])
def test_a_damaged_shard_is_refused_by_name(stored, damage):
    path, _, _ = stored
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "emptied":
        content = b""
    elif damage == "flipped":
        content[len(content) // 3] ^= 0x10
    else:
        content = b"not an archive"
    path.write_bytes(content)
    with pytest.raises(ShardError, match=f"{path.name}.*delete it"):
        compute.read(path)


def test_a_shard_under_another_name_is_refused(stored):
    path, shard, _ = stored
    other = path.with_name("family=gated~length=16~000000000000.npz")
    path.rename(other)
    with pytest.raises(ShardError, match=f"holds the shard '{shard.name}'"):
        compute.read(other)
    with pytest.raises(ShardError, match="missing"):
        compute.read(path)


def test_results_do_not_depend_on_how_points_are_cut(study):
    """The same points in shards of one and of many, in either order, to the last bit."""
    whole = {}
    for most in (1, 5, 1000):
        found = {}
        for shard in reversed(grid.shards(study, most)) if most == 5 else grid.shards(study, most):
            for name, values in compute.compute(shard).items():
                dropped = grid.simulation(shard).VARIABLES[name].drop
                axes = [texts for axis, texts in shard.axes.items() if axis not in dropped]
                for index in np.ndindex(*values.shape):
                    point = tuple(axis[i] for axis, i in zip(axes, index, strict=True))
                    found[shard.sweep, name, point] = values[index].tobytes()
        whole[most] = found
    assert len(whole[1]) > 200
    assert whole[1] == whole[5] == whole[1000]
