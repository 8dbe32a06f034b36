"""Blocks and shards: which points stand together, and under which names."""

import itertools
from types import SimpleNamespace

import pytest
from gradgap.sweep import config, grid
from helpers import GOOD, changed


def shards_of(raw, most=1000):
    return [shard for study in config.parse(raw).studies.values() for shard in grid.shards(study, most)]


def blocks_of(raw, most=1000):
    return [block for study in config.parse(raw).studies.values() for block in grid.blocks(study, most)]


@pytest.mark.parametrize("most", [1, 7, 30, 1000])
def test_every_point_is_in_one_block_of_one_shard(most):
    parsed = config.parse(GOOD).studies["phase_diagram"]
    for name, sweep in parsed.study.sweeps.items():
        whole = set(itertools.product(*grid.sweep_axes(parsed, sweep).values()))
        found = [
            point
            for shard in grid.shards(parsed, most)
            for block in shard.blocks
            if block.sweep == name
            for point in itertools.product(*block.axes.values())
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
    }  # each of its sweeps is one block of all lengths
    reseeded = {block.spec for block in blocks_of(changed(["seed"], 99))}
    sampled = {block.spec for block in blocks_of(GOOD) if block.sweep == "sampled"}
    assert {block.spec for block in blocks_of(GOOD)} - reseeded == sampled  # exact results know no seed


def test_a_spec_says_all_there_is_to_say():
    for shard in shards_of(GOOD, 5):
        again = grid.Shard.from_spec(shard.spec)
        assert again == shard
        for one, other in zip(again.blocks, shard.blocks, strict=True):
            assert list(one.axes) == list(other.axes)  # their order is that of the arrays
        assert again.name == shard.name


def test_a_setting_reruns_only_the_sweeps_that_read_it():
    before = {block.spec: block.sweep for block in blocks_of(GOOD)}
    after = {
        block.spec: block.sweep
        for block in blocks_of(changed(["studies", "phase_diagram", "scan_per_decade"], 16))
    }
    assert {after[spec] for spec in after.keys() - before.keys()} == {"thresholds"}


# ---- which blocks share a shard ----


def joined(monkeypatch, blocks, most=100, seconds=10.0):
    """The shards of made-up blocks, as lists of sweeps: of each the sweep, its seconds, points and environment."""
    made = [grid.Block("s", sweep, str(k), {}, {}, 0) for k, (sweep, *_) in enumerate(blocks)]
    costs = {block.measurement: of for block, (_, *of) in zip(made, blocks, strict=True)}
    monkeypatch.setattr(grid, "blocks", lambda *_: made)
    monkeypatch.setattr(grid.Block, "seconds", property(lambda block: costs[block.measurement][0]))
    monkeypatch.setattr(grid.Block, "points", property(lambda block: costs[block.measurement][1]))
    of = lambda block: SimpleNamespace(environment=costs[block.measurement][2])  # noqa: E731
    monkeypatch.setattr(grid, "measurement_of", of)
    found = grid.shards(None, most, seconds)
    assert sorted(block.measurement for shard in found for block in shard.blocks) == sorted(costs)
    for shard in found:
        assert len({of(block).environment for block in shard.blocks}) == 1
    return [[block.sweep for block in shard.blocks] for shard in found]


@pytest.mark.parametrize(
    ("blocks", "shards"),
    [
        # what is small shares a shard, in the order of the study; what takes over half of a limit is alone
        ([("a", 1, 1, ""), ("b", 6, 1, ""), ("c", 2, 1, ""), ("d", 1, 60, "")], [["a", "c"], ["b"], ["d"]]),
        # as long as the time lasts: 5 + 4, and 3 + 2 + 1
        (
            [("a", 1, 1, ""), ("b", 2, 1, ""), ("c", 3, 1, ""), ("d", 4, 1, ""), ("e", 5, 1, "")],
            [["a", "d", "e"], ["b", "c"]],
        ),
        # and the points
        ([("a", 1, 40, ""), ("b", 1, 40, ""), ("c", 1, 40, "")], [["a", "b"], ["c"]]),
        # one environment a job
        ([("a", 1, 1, "x"), ("b", 1, 1, "y"), ("c", 1, 1, "x")], [["a", "c"], ["b"]]),
        # the blocks of a large sweep stay alone
        (
            [*[("a", 4.5, 1, "")] * 9, ("b", 1, 1, ""), ("c", 1, 1, "")],
            [*[["a"]] * 9, ["b", "c"]],
        ),
    ],
)
def test_small_blocks_share_a_shard(monkeypatch, blocks, shards):
    assert joined(monkeypatch, blocks) == shards


def test_the_default_study_has_few_jobs(root):
    """51 sweeps, and yet no more jobs than are worth their start; each keeps the limits of its configuration."""
    whole = config.load(root / "config.yaml")
    found = [
        shard
        for study in whole.studies.values()
        for shard in grid.shards(study, whole.shard_points, whole.shard_seconds)
    ]
    assert len(found) <= 32
    assert all(shard.seconds <= whole.shard_seconds for shard in found)
    # by name alone it is known which file may hold points of a block, so that no other file is opened
    for shard, other in itertools.product(found, found):
        for block in shard.blocks:
            holds = any(block.sweep == known.sweep for known in other.blocks)
            assert grid.may_share(block, shard.name)
            assert holds or not grid.may_share(block, other.name) or "_more~" in other.name


def test_another_study_renames_nothing():
    alone = changed(["studies"], {"phase_diagram": GOOD["studies"]["phase_diagram"]})
    assert shards_of(alone) == [shard for shard in shards_of(GOOD) if shard.study == "phase_diagram"]
