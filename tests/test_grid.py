"""Shards: which points stand together, and under which names."""

import itertools

import pytest
from gradgap.sweep import config, grid
from test_config import GOOD, changed


def shards_of(raw, most=1000):
    return [shard for study in config.parse(raw).studies.values() for shard in grid.shards(study, most)]


@pytest.mark.parametrize("most", [1, 7, 30, 1000])
def test_every_point_is_in_one_shard(most):
    parsed = config.parse(GOOD).studies["phase_diagram"]
    for name, sweep in parsed.study.sweeps.items():
        whole = set(itertools.product(*grid.sweep_axes(parsed, sweep).values()))
        found = [
            point
            for shard in grid.shards(parsed, most)
            if shard.sweep == name
            for point in itertools.product(*shard.axes.values())
        ]
        assert len(found) == len(set(found))
        assert set(found) == whole
    assert all(shard.points <= most for shard in grid.shards(parsed, most))


def test_a_name_is_of_the_points_not_of_the_grid():
    longer = changed(["studies", "phase_diagram", "length"], [16, 64, 128])
    single = {shard.name for shard in shards_of(GOOD, 1)}
    grown = {shard.name for shard in shards_of(longer, 1)}
    assert single < grown
    assert all("length=128" in name for name in grown - single)
    before = {shard.name for shard in shards_of(GOOD)}
    assert before - {shard.name for shard in shards_of(longer)} == {
        shard.name for shard in shards_of(GOOD) if shard.study == "phase_diagram"
    }  # each of its sweeps is one shard of all lengths
    reseeded = {shard.name for shard in shards_of(changed(["seed"], 99))}
    sampled = {shard.name for shard in shards_of(GOOD) if shard.sweep == "sampled"}
    assert before - reseeded == sampled  # exact results know no seed


def test_a_spec_says_all_there_is_to_say():
    for shard in shards_of(GOOD, 5):
        again = grid.Shard.from_spec(shard.spec)
        assert again == shard
        assert list(again.axes) == list(shard.axes)  # their order is that of the arrays
        assert again.name == shard.name


def test_a_setting_reruns_only_the_sweeps_that_read_it():
    before = {shard.name: shard.sweep for shard in shards_of(GOOD)}
    after = {
        shard.name: shard.sweep
        for shard in shards_of(changed(["studies", "phase_diagram", "scan_per_decade"], 16))
    }
    assert {after[name] for name in after.keys() - before.keys()} == {"critical"}
