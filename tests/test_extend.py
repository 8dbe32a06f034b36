"""A grid that grows simulates only its new points, and code that changes only what depends on it."""

import itertools
import logging
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from _small import SMALL, assemble, changed, only, run_missing, shard_files
from gradgap.errors import ShardError
from gradgap.sweep import compute, config, cutting, grid, store
from gradgap.sweep.compare import compare
from gradgap.sweep.measurement import MEASUREMENTS, measure
from helpers import assembled
from hypothesis import given, settings
from hypothesis import strategies as st

# ---- how a grid is cut ----


def values_of(sizes):
    return {axis: tuple(map(str, range(size))) for axis, size in zip(("a", "b", "c"), sizes, strict=True)}


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.integers(1, 300), st.sets(st.sampled_from("abc"), max_size=2))
def test_blocks_partition_the_grid(sizes, most, singly):
    """Every point lies in exactly one product of pieces, and no product is larger than asked."""
    axes = values_of(sizes)
    pieces = cutting.cut(axes, singly, most, most_blocks=10**9)
    for axis, found in pieces.items():
        assert sorted(itertools.chain(*found)) == sorted(axes[axis])
        assert axis not in singly or all(len(piece) == 1 for piece in found)
    assert math.prod(max(map(len, found)) for found in pieces.values()) <= most


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.integers(1, 300), st.integers(1, 50))
def test_a_sweep_has_no_more_blocks_than_allowed(sizes, most, most_blocks):
    pieces = cutting.cut(values_of(sizes), {"a"}, most, most_blocks)
    assert math.prod(map(len, pieces.values())) <= most_blocks


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=200, unique=True), st.integers(1, 30), st.randoms()
)
def test_a_value_added_anywhere_changes_one_piece(numbers, most, random):
    """The other pieces stay as they were: the full one is divided at the most."""
    new, *old = map(str, numbers)
    before = {frozenset(piece) for piece in cutting.pieces(tuple(old), most)}
    random.shuffle(old)
    old.insert(random.randrange(len(old) + 1), new)
    after = {frozenset(piece) for piece in cutting.pieces(tuple(old), most)}
    gone = before - after
    assert len(gone) <= 1
    assert frozenset().union(*(after - before)) == frozenset().union(*gone) | {new}


def blocks(files, *sweeps):
    """The blocks of some shards, or those of some sweeps."""
    return [
        block for shard in files.values() for block in shard.blocks if not sweeps or block.sweep in sweeps
    ]


def test_a_million_points_make_at_most_2000_jobs():
    """However many outer values there are, and however small the shards that were asked for."""
    for lengths, steps, most in [(20, 5000, 1), (1000, 100, 20000), (1000, 100, 1)]:
        raw = only("phase_diagram", shard_points=most)
        study = raw["studies"]["phase_diagram"]
        study["length"] = [16 + 2 * i for i in range(lengths)]
        study["failure_rate"] = {"from": 0.2, "to": 0.02, "per_decade": 4}
        study["rule"] = ["REINFORCE", "GRPO"]
        study["learning_rate"] = {"from": 1e-5, "to": 1e5, "per_decade": steps / 10}
        whole = config.parse(raw)
        cut = grid.shards(whole.studies["phase_diagram"], whole.shard_points, whole.shard_seconds)
        assert sum(shard.points for shard in cut) >= 10**6
        assert len(cut) <= 2000 - 4  # and a dataset, an analysis, a figure, the tables


def test_dear_points_make_small_blocks():
    """Ten times the iterations, a tenth of the runs; how many points of a run are kept does not count."""

    def runs(files):
        return {block.points // len(block.axes["iteration"]) for block in blocks(files, "runs")}

    raw = only("phase_diagram", shard_seconds=5e-4)
    few = shard_files(changed(("studies", "phase_diagram", "iterations", 10), base=raw), Path())
    assert runs(few) == {32}  # half a millisecond holds 100 runs of 10 iterations: all of them
    many = shard_files(changed(("studies", "phase_diagram", "iterations", 250), base=raw), Path())
    assert runs(many) == {4}


def test_the_order_of_values_renames_nothing(tmp_path):
    turned = changed(
        *(
            ("studies", "phase_diagram", axis, lambda values: values[::-1])
            for axis in ("length", "learning_rate", "rule")
        )
    )
    assert shard_files(turned, tmp_path).keys() == shard_files(SMALL, tmp_path).keys()


# ---- what is simulated ----


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """All shards of the small configuration."""
    folder = tmp_path_factory.mktemp("computed")
    run_missing(SMALL, folder)
    return folder


@pytest.fixture
def results(computed, tmp_path):
    """A copy of the computed shards, to be extended."""
    return shutil.copytree(computed, tmp_path / "results")


@pytest.fixture
def simulated(monkeypatch):
    """Counts the points that are simulated, by measurement."""
    count = {}

    def counting(measurement, axes, *arguments):
        name = next(name for name, known in MEASUREMENTS.items() if known is measurement)
        points = math.prod(len(values) for values in axes.values() if not isinstance(values, str))
        count[name] = count.get(name, 0) + points
        return measure(measurement, axes, *arguments)

    monkeypatch.setattr(compute, "measure", counting)
    return count


def points(files):
    """Every point of some shards, as (study, sweep, coordinates)."""
    return {
        (block.study, block.sweep, combination)
        for block in blocks(files)
        for combination in itertools.product(
            *([(axis, value) for value in values] for axis, values in block.axes.items())
        )
    }


ADDED = [
    ("length_scaling", "length", 32),
    ("length_scaling", "advantage", "reinforce"),
    ("length_scaling", "aggregation", "seq-mean-token-mean"),
    ("success_rate_scaling", "length", 32),
    ("success_rate_scaling", "failure_rate", 0.02),
    ("success_rate_scaling", "window", 0.7),
    ("success_rate_scaling", "advantage", "reinforce"),
    ("success_rate_scaling", "aggregation", "seq-mean-token-mean"),
    ("phase_diagram", "length", 32),
    ("phase_diagram", "failure_rate", 0.1),
    ("phase_diagram", "rule", "DAPO"),
    ("phase_diagram", "learning_rate", 0.3),
    ("stagnation", "length", 128),
    ("stagnation", "success_rate", 0.25),
    ("stagnation", "schedule", "inverse-sqrt"),
    ("stagnation", "learning_rate", 0.3),
]


@pytest.mark.parametrize(("study", "axis", "value"), ADDED, ids=lambda part: str(part))
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_value_added_to_an_axis(study, axis, value, where, results, computed, simulated):
    """Shards that hold new points run; points simulated are the new ones; the rest is bitwise old."""
    insert = (lambda old: [value, *old]) if where == "first" else (lambda old: [*old, value])
    raw = changed(("studies", study, axis, insert))
    new = points(shard_files(raw, results)) - points(shard_files(SMALL, results))
    ran = run_missing(raw, results)
    holding = {path for path, shard in ran.items() if points({path: shard}) & new}
    assert ran.keys() >= holding  # and those of which small blocks are joined with others than before
    assert {shard.study for shard in ran.values()} == {study}
    assert sum(simulated.values()) == len(new) > 0
    before, after = assemble(SMALL, computed, study), assemble(raw, results, study)
    difference = compare(before, after)
    assert not difference["points_only_in_a"]
    assert not difference["variables"]


def test_the_grown_grid_is_what_a_fresh_run_gives(results, tmp_path):
    """Copied and simulated points together, over three axes at once, equal a run from nothing."""
    raw = changed(
        ("studies", "phase_diagram", "length", [16, 32, 64]),
        ("studies", "phase_diagram", "rule", ["DAPO", "REINFORCE", "GRPO"]),
        ("studies", "phase_diagram", "learning_rate", [0.01, 0.03, 0.1, 1, 10, 30]),
    )
    run_missing(raw, results)
    run_missing(raw, tmp_path / "fresh")
    grown, fresh = (assemble(raw, folder, "phase_diagram") for folder in (results, tmp_path / "fresh"))
    assert grown.identical(fresh)


def test_a_family_added_leaves_the_others_alone(results, simulated):
    """Settings given by family concern their family only."""
    one = changed(
        ("studies", "length_scaling", "family", ["gated"]),
        ("studies", "length_scaling", "success_rate", {"gated": 0.9}),
    )
    folder = results.parent / "one"
    run_missing(one, folder)
    simulated.clear()
    run_missing(SMALL, folder)
    new = points(shard_files(SMALL, folder)) - points(shard_files(one, folder))
    assert {dict(point)["family"] for study, _, point in new if study == "length_scaling"} == {"counting"}
    assert sum(simulated.values()) == len(new)


def test_a_value_removed_and_put_back(results, computed, simulated):
    """Removing costs no simulation and deletes nothing; putting back runs nothing at all."""
    before = {path: path.read_bytes() for path in results.rglob("*.npz")}
    less = changed(
        ("studies", "phase_diagram", "learning_rate", [0.01, 1, 10]),
        ("studies", "phase_diagram", "length", [64]),
    )
    run_missing(less, results)
    assert not simulated
    assert 0.1 not in assemble(less, results, "phase_diagram").learning_rate
    assert not run_missing(SMALL, results)
    assert {path: path.read_bytes() for path in before} == before
    assert assemble(SMALL, results, "phase_diagram").identical(assemble(SMALL, computed, "phase_diagram"))


def test_a_study_added_runs_its_own_shards(tmp_path):
    run_missing(only("stagnation"), tmp_path)
    ran = run_missing(only("stagnation", "phase_diagram"), tmp_path)
    assert {shard.study for shard in ran.values()} == {"phase_diagram"}


def test_points_of_other_settings_or_code_are_not_taken(results, simulated, monkeypatch):
    """A changed setting simulates everything that reads it, and so does changed code."""
    raw = changed(("studies", "phase_diagram", "iterations", 50))
    ran = run_missing(raw, results)
    readers = blocks(ran, "thresholds", "runs")
    assert sum(simulated.values()) == sum(block.points for block in readers) > 0
    simulated.clear()
    monkeypatch.setattr(grid.Block, "code", property(lambda block: "0" * 16))
    ran = run_missing(changed(("studies", "stagnation", "learning_rate", [0.01, 0.1, 1, 2])), results)
    assert sum(simulated.values()) == sum(shard.points for shard in ran.values()) > 0


def test_changed_code_reruns_the_blocks_that_use_it(tmp_path, simulated, monkeypatch, caplog):
    """In a shard of three sweeps: the log says what was simulated; the other blocks are the old ones, bit by bit."""
    raw = only("phase_diagram", shard_seconds=100)
    ((path, shard),) = run_missing(raw, tmp_path).items()
    assert [block.sweep for block in shard.blocks] == ["instances", "thresholds", "runs"]
    before = store.read(path)
    simulated.clear()
    code = grid.Block.code.fget
    edited = property(lambda block: "0" * 16 if block.sweep == "thresholds" else code(block))
    monkeypatch.setattr(grid.Block, "code", edited)
    with caplog.at_level(logging.INFO):
        (now,) = run_missing(raw, tmp_path)
    assert list(path.parent.iterdir()) == [now] != [path]  # the former file is gone
    counts = [int(found[1]) for found in map(compute.MEASURED.match, caplog.messages) if found]
    assert counts == [0, shard.blocks[1].points, 0]
    assert simulated == {"thresholds": shard.blocks[1].points}
    after = store.read_current(now)
    assert [block.code for block in after] == [before[0].code, "0" * 16, before[2].code]
    for old, new in zip(before, after, strict=True):
        assert {name: values.tobytes() for name, values in old.arrays.items()} == {
            name: values.tobytes() for name, values in new.arrays.items()
        }


def test_a_damaged_neighbour_is_not_used(results, simulated, caplog):
    """Its points are simulated instead, and the log says so."""
    for path in results.glob("shards/phase_diagram/*.npz"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        ran = run_missing(
            changed(("studies", "phase_diagram", "learning_rate", [0.01, 0.1, 1, 10, 20])), results
        )
    assert simulated["exact_runs"] == sum(block.points for block in blocks(ran, "runs"))
    assert "not used" in caplog.text


def test_shards_of_another_configuration_are_refused_by_name(results):
    """In the place of a shard: one of other points under its name, or one of other settings."""
    files = shard_files(SMALL, results)
    first, second, *_ = (path for path, shard in files.items() if shard.study == "phase_diagram")
    shutil.copy(second, first)
    with pytest.raises(ShardError, match="holds the shard") as caught:
        assemble(SMALL, results, "phase_diagram")
    assert first.name in str(caught.value)
    assert f"rm -f '{first}'" in str(caught.value) or f"rm -f {first}" in str(caught.value)
    other = changed(("studies", "phase_diagram", "iterations", 50))
    whole = config.parse(other)
    with pytest.raises(ShardError, match="other iterations"):
        assembled(whole.studies["phase_diagram"], [second])


@settings(max_examples=100, deadline=None)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)), st.randoms())
def test_products_cover_exactly_what_is_missing(shape, random):
    missing = np.array([random.random() < 0.5 for _ in range(math.prod(shape))]).reshape(shape)
    count = np.zeros(shape, int)
    for product in compute.products(missing):
        count[np.ix_(*product)] += 1
    assert (count == missing).all()


def test_names_can_travel(tmp_path):
    """Snakemake hands a remote job its wildcards as one text with commas between them; a shell reads the rest."""
    for path in shard_files(SMALL, tmp_path):
        assert re.fullmatch(r"[A-Za-z0-9=~._-]+", path.name)
