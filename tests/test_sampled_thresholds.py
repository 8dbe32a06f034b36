"""Sampled critical learning rates: the crossing, the interval, the exact limit, and that no layout changes them."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.inference import crossings
from gradgap.measurements import sampled_thresholds as measurement
from gradgap.numerics import streams
from gradgap.sweep.measurement import measure as at_every_point
from gradgap.thresholds import sampled
from gradgap.thresholds.exact import Search

SUM = "seq-mean-token-sum"


def test_crossing_of_a_clean_curve():
    rungs = np.arange(10, 20)
    assert crossings.crossing(rungs, np.linspace(0.9, 0.0, 10)) == pytest.approx(14.0)
    assert crossings.crossing(rungs, np.linspace(0.95, 0.05, 10)) == pytest.approx(14.5)


def test_crossing_smooths_noise():
    rungs = np.arange(6)
    # pooled: 1, 1, 0.5, 0.5, 0, 0
    assert crossings.crossing(rungs, np.array([1, 1, 0.4, 0.6, 0, 0])) == pytest.approx(3.0)


@pytest.mark.parametrize(("family", "rate"), [("counting", 0.2), ("gated", 0.99)])
def test_kept_is_one_at_the_best_and_zero_at_collapse(family, rate):
    instance = FAMILIES.find(family).instance(64, rate)
    assert sampled.kept(instance, instance.at(0.0)[1]) == 1
    worst = instance.kernels.constants[2]  # every long response wrong
    assert sampled.kept(instance, worst) == pytest.approx(0, abs=1e-12)
    assert sampled.kept(instance, instance.at(-20.0)[1]) == pytest.approx(0, abs=1e-12)


def measure(instance, advantage, size, replicates=32, seed=1):
    point = {"family": instance.family, "advantage": advantage, "group_size": str(size)}
    return sampled.half_kept(
        instance,
        advantage,
        SUM,
        group_size=size,
        iterations=100,
        replicates=replicates,
        seed=seed,
        coordinates=point,
    )


@pytest.mark.parametrize("advantage", ["reinforce", "dr_grpo", "grpo"])
def test_sampled_thresholds_approach_the_exact_one_as_groups_grow(advantage):
    instance = FAMILIES.find("counting").instance(64, 0.2)
    limit = sampled.half_kept_exact(instance, advantage, SUM, iterations=100)
    distances = []
    for size in (4, 32, 512):
        found = measure(instance, advantage, size, replicates=12)
        assert found.search is Search.found
        assert found.low <= found.learning_rate <= found.high
        # from the interval: for grpo the curve runs along one half for a while, and the crossing is loosely set
        distances.append(max(math.log(found.low / limit), math.log(limit / found.high), 0.0))
    # not to zero: above its critical step the exact run is on one of several cycles, and noise visits them all
    assert distances[0] > 2 * max(distances[1:])
    assert distances[2] < 0.15


def test_the_exact_limit_is_where_the_exact_run_keeps_half():
    from gradgap.training import run as training

    instance = FAMILIES.find("gated").instance(64, 0.99, 0.01)
    limit = sampled.half_kept_exact(instance, "dr_grpo", SUM, iterations=200)
    kept = [
        sampled.kept(
            instance, training.run(instance, "dr_grpo", SUM, rate, iterations=200).final_failure_rate
        )
        for rate in (0.99 * limit, 1.01 * limit)
    ]
    assert kept[0] > 0.5 > kept[1]


def test_interval_covers_the_spread_over_seeds():
    instance = FAMILIES.find("counting").instance(16, 0.2)
    found = [measure(instance, "rloo", 8, seed=seed) for seed in range(12)]
    rates = np.log([one.learning_rate for one in found])
    half_widths = [math.log(one.high / one.low) / 2 for one in found]
    assert 0.5 < np.median(half_widths) / (1.96 * rates.std(ddof=1)) < 2


@pytest.mark.parametrize(("failure_rate", "size"), [(0.1, 64), (0.003, 16)])
def test_rungs_far_from_the_crossing_are_not_run_and_not_missed(monkeypatch, failure_rate, size):
    """The same estimate and interval as from a whole decade of rungs, each with all replicates, for half the runs."""
    instance = FAMILIES.find("gated").instance(64, 1 - failure_rate, failure_rate)
    runs, train = [], sampled.train

    def counted(instance, advantage, aggregation, rates, **options):
        runs.append(len(rates))
        return train(instance, advantage, aggregation, rates, **options)

    monkeypatch.setattr(sampled, "train", counted)
    found = measure(instance, "grpo", size, replicates=64)
    spent = sum(runs)
    nearest = round(sampled.RUNGS * math.log10(found.learning_rate))
    rungs = np.arange(nearest - 8, nearest + 9)
    point = {"family": "gated", "advantage": "grpo", "group_size": str(size)}
    values = []
    for text in map(sampled.rung_text, rungs):
        keys = [
            {**point, sampled.LEARNING_RATE: text, "replicate": str(replicate)} for replicate in range(64)
        ]
        ended = train(
            instance,
            "grpo",
            SUM,
            [float(text)] * 64,
            group_size=size,
            iterations=sampled.iterations_to_judge(instance, size, 100),
            states=[streams.state(1, key) for key in keys],
            outcome=False,
        )
        values.append(sampled.kept(instance, ended.final_failure_rate))
    whole = crossings.half_kept(rungs, np.array(values), np.random.default_rng(1), paired=False)
    assert found.learning_rate == pytest.approx(10 ** (whole.at / sampled.RUNGS), rel=1e-9)
    width = sampled.RUNGS * math.log10(found.high / found.low)
    assert width == pytest.approx(whole.high - whole.low, rel=0.2)
    assert spent <= (len(rungs) * 64) / 2


AXES = {"length": ("16", "64"), "rule": ("REINFORCE", "GRPO"), "group_size": ("4", "16")}
SETTINGS = {"success_rate": {"counting": 0.2}, "sampled_iterations": 30, "replicates": 4, "seed": 3}


def simulate(axes):
    """For worker processes: the measured thresholds at a product of axes."""
    return at_every_point("sampled_thresholds", {"family": "counting", **axes}, SETTINGS)[
        "half_kept_learning_rate"
    ]


def test_every_layout_gives_the_same_bits():
    whole = simulate(AXES)
    assert np.isfinite(whole).all()
    backwards = simulate({name: tuple(reversed(values)) for name, values in AXES.items()})
    assert np.array_equal(whole, backwards[::-1, ::-1, ::-1])
    shards = [{**AXES, "length": (length,)} for length in AXES["length"]]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:  # two cores, two shards
        pieces = list(pool.map(simulate, shards))
    assert np.array_equal(whole, np.concatenate(pieces))


def test_neighbouring_points_have_streams_of_their_own():
    point = {"family": "counting", "length": "64", "group_size": "4"}
    texts = [sampled.rung_text(rung) for rung in range(-64, 65)]
    assert len(set(texts)) == len(texts)
    states = {
        tuple(streams.state(1, {**point, "learning_rate": t, "replicate": str(r)}))
        for t in texts
        for r in range(32)
    }
    assert len(states) == 32 * len(texts)


def test_a_rule_without_sampled_form_is_refused_before_anything_runs():
    from gradgap.errors import ConfigError

    axes = {"family": ("gated",), "length": ("64",), "success_rate": ("0.9",), "rule": ("gap/token-mean",)}
    with pytest.raises(ConfigError, match="gap"):
        measurement.check({**axes, "group_size": ("4",)}, {})
