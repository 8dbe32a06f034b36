"""Shard files: whole or refused, and independent of how points are cut."""

import numpy as np
import pytest
from gradgap.errors import ShardError
from gradgap.sweep import compute, config, grid, store
from helpers import GOOD


@pytest.fixture(scope="module")
def study():
    return config.parse(GOOD).studies["phase_diagram"]


@pytest.fixture
def stored(study, tmp_path):
    (shard,) = grid.shards(study, 1000)
    path = tmp_path / f"{shard.name}.npz"
    arrays = compute.compute(shard)
    store.write(path, shard, arrays)
    return path, shard, arrays


def test_a_shard_comes_back_as_it_was(stored):
    path, shard, arrays = stored
    found = store.read_current(path)
    assert len(found) == 3
    assert grid.Shard(tuple(block.block for block in found)) == shard
    assert [(block.block, block.code) for block in found] == store.head(path)
    for k, (block, expected) in enumerate(zip(found, arrays, strict=True)):
        assert block.arrays.keys() == expected.keys()
        for name in expected:
            for read in (block.arrays[name], store.stored_variable(path, k, name)):
                np.testing.assert_array_equal(read, expected[name])
                assert read.dtype == expected[name].dtype
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
        for at in range(len(content) // 3, len(content) // 3 + 200):  # one of them is read
            content[at] ^= 0x10
    else:
        content = b"not an archive"
    path.write_bytes(content)
    with pytest.raises(ShardError, match=f"{path.name}.*delete it"):
        store.read_current(path)


def test_a_shard_under_another_name_is_refused(stored):
    path, shard, _ = stored
    other = path.with_name("family=gated~length=16~000000000000.npz")
    path.rename(other)
    with pytest.raises(ShardError, match=f"holds the shard '{shard.name}'"):
        store.read_current(other)
    with pytest.raises(ShardError, match="missing"):
        store.read_current(path)


def test_results_do_not_depend_on_how_points_are_cut(study):
    """The same points in blocks of one and of many, in either order, to the last bit."""
    whole = {}
    for most in (1, 5, 1000):
        found = {}
        for block in reversed(grid.blocks(study, most)) if most == 5 else grid.blocks(study, most):
            for name, values in compute.compute_block(block).items():
                dropped = grid.measurement_of(block).variables[name].drop
                axes = [texts for axis, texts in block.axes.items() if axis not in dropped]
                for index in np.ndindex(*values.shape):
                    point = tuple(axis[i] for axis, i in zip(axes, index, strict=True))
                    found[block.sweep, name, point] = values[index].tobytes()
        whole[most] = found
    assert len(whole[1]) > 200
    assert whole[1] == whole[5] == whole[1000]
