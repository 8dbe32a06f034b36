"""Benchmarks compare like with like: every reference computes what ours does. Nothing is timed here."""

import sys

import numpy as np
import pytest
from gradgap.bandits import FAMILIES
from gradgap.numerics import streams
from gradgap.training import run as training
from gradgap.training.ratios import RATIOS


@pytest.fixture(scope="module", autouse=True)
def benchmarks(root):
    sys.path.insert(0, str(root))
    yield
    sys.path.remove(str(root))


SUM = "seq-mean-token-sum"
CASES = [("counting", 64, 0.2, 0.02), ("gated", 64, 0.99, 0.2), ("counting", 65536, 0.2, 1e-5)]


@pytest.mark.parametrize(("family", "length", "success_rate", "rate"), CASES)
@pytest.mark.parametrize("module", ["numpy_kernels", "c_kernels"])
def test_exact_references_compute_the_same(module, family, length, success_rate, rate):
    reference = _module(module)
    instance = FAMILIES.find(family).instance(length, success_rate)
    ours = training.run(instance, "grpo", SUM, rate, iterations=30, path=True)
    assert abs(ours.failure_rate[-1] / ours.failure_rate[0] - 1) > 1e-3
    theta = reference.exact(instance, rate, 30)
    assert instance.at(theta)[1] == pytest.approx(ours.failure_rate[-1], rel=1e-7)


def test_c_draws_the_same_numbers():
    reference = _module("c_kernels")
    for family, success_rate, size in (("counting", 0.2, 16), ("counting", 0.2, 64), ("gated", 0.95, 64)):
        instance = FAMILIES.find(family).instance(64, success_rate)
        options = {"group_size": size, "iterations": 40}
        ours = training.run(
            instance, "grpo", SUM, 0.02, **options, state=streams.state(3, {}), outcome=False
        ).final_failure_rate
        theirs = reference.sampled(instance, 0.02, *options.values(), streams.state(3, {}))
        assert theirs == pytest.approx(ours, rel=1e-6)  # another draw would show in the third digit
    instance = FAMILIES.find("contextual").instance(8, 0.3, 0.7)
    run = training.run(instance, "grpo", SUM, 1.0, iterations=40, group_size=16, state=streams.state(3, {}))
    theta = reference.contextual(instance, 1.0, 16, 40, streams.state(3, {}))
    # the C library's elementary functions round otherwise than ours: equal to rounding, not to the last bit
    assert theta == pytest.approx(run.theta, rel=1e-9)


#: Ratio and clip range. The first clip leaves no token out, the others do.
SURROGATES = [("token", 0.2), ("token", 0.01), ("gspo", 0.001), ("sequence", 0.1)]


@pytest.mark.parametrize(("ratio", "clip"), SURROGATES)
def test_references_with_several_steps_a_batch_do_the_same(ratio, clip):
    instance = FAMILIES.find("counting").instance(64, 0.2)
    surrogate = RATIOS.find(ratio).surrogate(clip)

    def ours(seed, rate, iterations):
        options = {"steps_per_batch": 8, "ratio": ratio, "clip_range": clip, "iterations": iterations}
        run = training.run(
            instance,
            "grpo",
            SUM,
            rate,
            group_size=100,
            state=streams.state(seed, {}),
            outcome=False,
            **options,
        )
        return run.theta[0]

    in_c = _module("c_kernels").reused(instance, 0.01, 100, 30, 8, surrogate, streams.state(3, {}))
    assert in_c == pytest.approx(ours(3, 0.01, 30), rel=1e-8)
    in_numpy = _module("numpy_kernels").reused
    ends = [
        (ours(seed, 0.004, 5), in_numpy(instance, 0.004, 100, 5, 8, surrogate, np.random.default_rng(seed)))
        for seed in range(80)
    ]
    _agree(np.array(ends))


def test_sampled_references_in_numpy_end_where_ours_do():
    reference = _module("numpy_kernels")
    gated = FAMILIES.find("gated").instance(64, 0.9)
    options = {"group_size": 64, "iterations": 20}
    ends = np.array(
        [
            (
                training.run(
                    gated, "grpo", SUM, 0.02, **options, state=streams.state(seed, {}), outcome=False
                ).final_failure_rate,
                reference.sampled(gated, 0.02, 64, 20, np.random.default_rng(seed)),
            )
            for seed in range(60)
        ]
    )
    _agree(ends)
    contextual = FAMILIES.find("contextual").instance(8, 0.3, 0.7)
    ends = np.array(
        [
            (
                training.run(
                    contextual,
                    "grpo",
                    SUM,
                    1.0,
                    iterations=3,
                    group_size=16,
                    state=streams.state(seed, {}),
                    record=[3],
                )
                .failure_rate[-1]
                .mean(),
                reference.contextual(contextual, 1.0, 16, 3, np.random.default_rng(seed)),
            )
            for seed in range(60)
        ]
    )
    _agree(ends)


def _module(name):
    import importlib

    module = importlib.import_module(f"benchmarks.{name}")
    if name == "c_kernels" and module.compiler() is None:
        pytest.skip("no C compiler")
    return module


def _agree(ends):
    """Means of two columns of independent ends agree within four standard errors."""
    error = np.sqrt((ends.var(axis=0, ddof=1) / len(ends)).sum())
    assert abs(np.subtract(*ends.mean(axis=0))) < 4 * error


def test_a_reference_that_computes_something_else_is_refused():
    from benchmarks.timing import same

    same("right", 1.0 + 1e-9, 1.0, 1e-6)
    with pytest.raises(SystemExit, match="wrong: computes"):
        same("wrong", 1.1, 1.0, 1e-6)


def test_dense_scan_and_search_agree():
    from benchmarks import search
    from benchmarks.instances import at

    instance, _ = at("counting", 64)
    bracket, many = search.dense(instance)
    from gradgap.thresholds import exact

    found = exact.critical(instance, "grpo", iterations=search.ITERATIONS)
    assert (found.low, found.high) == bracket
    runs, calls = search.counted(instance)
    assert many > 2 * runs  # strides save runs, and a call makes many of those that are left
    assert calls <= 8


def test_what_became_slower_is_told(tmp_path):
    from benchmarks.timing import Row, baseline, keep, slower

    def row(case, ratio):
        return Row("exact", case, 1.0, "ns", "C", ratio, ratio, ratio, 3)

    file = tmp_path / "baseline.csv"
    assert slower([row("a", 1.0)], baseline(file)) == "there is no baseline to compare with"
    keep([row("a", 1.0), row("b", 0.5)], file)
    assert slower([row("a", 0.9), row("new", 0.1)], baseline(file)) == "nothing became slower"
    assert "a, against C: 1 -> 0.7" in slower([row("a", 0.7)], baseline(file))
    keep([row("a", 0.7)], file)
    assert baseline(file) == {("exact", "a", "C"): 0.7, ("exact", "b", "C"): 0.5}
