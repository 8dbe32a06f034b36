"""Random streams: the generator, the samplers, and that a point draws the same numbers in every layout."""

import itertools

import numba
import numpy as np
import pytest
from gradgap.numerics import sampling, streams
from scipy import stats


@numba.njit
def bits_of(state, out):
    for i in range(out.size):
        out[i] = streams.following(state)


@numba.njit
def uniforms_of(state, out):
    for i in range(out.size):
        out[i] = streams.uniform(state)


@numba.njit
def tables_of(state, n, p, q, together, table, out):
    for i in range(0, out.size, together):
        sampling.binomials(state, n, p, q, together, table, out[i : i + together])


@numba.njit
def some_of(state, n, p, out):
    for i in range(out.size):
        out[i] = sampling.some(state, n, p, n * np.log1p(-p))


@numba.njit
def failures_of(state, p, most, out):
    for i in range(out.size):
        out[i] = sampling.failures_before_success(state, np.log1p(-p), most)


@numba.njit
def binomials_of(state, n, p, q, out):
    for i in range(out.size):
        out[i] = sampling.binomial(state, n, p, q)


def test_generator_is_xoshiro256plusplus():
    # the reference implementation from the state 1, 2, 3, 4
    expected = [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]
    out = np.empty(10, np.uint64)
    bits_of(np.array([1, 2, 3, 4], np.uint64), out)
    assert out.tolist() == expected


def test_state_depends_on_every_coordinate_and_not_on_their_order():
    point = {"family": "gated", "length": "64", "learning_rate": "0.1", "replicate": "3"}
    start = streams.state(5, point)
    assert np.array_equal(start, streams.state(5, dict(reversed(point.items()))))
    assert start.dtype == np.uint64
    others = [streams.state(6, point)] + [streams.state(5, {**point, name: "7"}) for name in point]
    for one, other in itertools.combinations([start, *others], 2):
        assert not np.any(one == other)


def test_uniform_is_uniform():
    out = np.empty(200_000)
    uniforms_of(streams.state(1, {"replicate": "0"}), out)
    assert out.min() >= 0
    assert out.max() < 1
    assert stats.kstest(out, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.bincount((out * 64).astype(int), minlength=64)).pvalue > 1e-3


def test_neighbouring_points_neither_overlap_nor_correlate():
    count, draws = 64, 20_000
    bits = np.empty((count, draws), np.uint64)
    for replicate in range(count):
        bits_of(
            streams.state(20251008, {"learning_rate": "0.1", "replicate": str(replicate)}), bits[replicate]
        )
    assert (
        len(np.unique(bits)) == count * draws
    )  # one common number in 2⁶⁴ would be chance, one in 10⁸ an overlap
    values = bits / 2.0**64
    correlation = np.corrcoef(values)[np.triu_indices(count, 1)] * np.sqrt(draws)
    assert stats.kstest(correlation, "norm").pvalue > 1e-3
    lagged = [np.corrcoef(values[i, 1:], values[i + 1, :-1])[0, 1] * np.sqrt(draws) for i in range(count - 1)]
    assert stats.kstest(lagged, "norm").pvalue > 1e-3
    assert stats.kstest(values[:, 0], "uniform").pvalue > 1e-3  # and the first draws, one a stream


CASES = [
    (1, 0.3),
    (2, 0.5),
    (7, 0.9),
    (19, 0.5),  # the last by walking
    (21, 0.5),  # the first by rejection
    (64, 0.2),
    (100, 0.1),
    (101, 0.0999),
    (1000, 1e-4),
    (1000, 0.5),
    (4096, 0.499),
    (4096, 0.003),
    (25_000, 0.99),
    (10**6, 1e-8),
    (10**6, 1e-6),
    (10**6, 9.9e-6),
    (10**6, 1.1e-5),
    (10**6, 0.5),
    (10**6, 1 - 3e-6),
]


@pytest.mark.parametrize("together", [None, 2, 200_000])  # one by one, a few, so many that a table pays
@pytest.mark.parametrize(("n", "p"), CASES)
def test_binomial_counts_have_their_probabilities(n, p, together):
    draws = 200_000
    out = np.empty(draws)
    state = streams.state(7, {"n": str(n), "p": repr(p), "together": str(together)})
    if together:
        tables_of(state, n, p, 1 - p, together, np.empty(sampling.table_size(n)), out)
    else:
        binomials_of(state, n, p, 1 - p, out)
    assert out.min() >= 0
    assert out.max() <= n
    exact = stats.binom(n, p)
    # cells of equal probability as far as whole numbers allow, and both far tails as cells of their own
    edges = np.unique(exact.ppf([1e-4, *np.linspace(0.02, 0.98, 49), 1 - 1e-4])).astype(int)
    expected = np.diff([0.0, *exact.cdf(edges), 1.0]) * draws
    found = np.diff([0, *np.searchsorted(np.sort(out), edges, side="right"), draws])
    kept = expected > 5
    if not kept.all():
        expected = np.append(expected[kept], expected[~kept].sum())
        found = np.append(found[kept], found[~kept].sum())
    if expected[-1] < 1e-9:
        assert found[-1] == 0
        expected, found = expected[:-1], found[:-1]
    if len(found) > 1:
        assert stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > 1e-3
    error = np.sqrt(n * p * (1 - p) / draws)
    assert abs(out.mean() - n * p) < 4 * error


@pytest.mark.parametrize(
    ("n", "p", "expected"), [(0, 0.5, 0), (10, 0.0, 0), (10, 1.0, 10), (10**6, 1.0, 10**6)]
)
def test_binomial_at_its_ends(n, p, expected):
    out = np.empty(100, np.int64)
    binomials_of(streams.state(7, {}), n, p, 1 - p, out)
    assert (out == expected).all()


@pytest.mark.parametrize(
    ("n", "p"), [(1, 0.5), (8, 0.3), (64, 0.02), (64, 0.5), (504, 0.7), (10**6, 1e-6), (10**6, 0.5)]
)
def test_a_table_is_the_distribution_function(n, p):
    table = np.full(sampling.table_size(n), np.nan)
    p, q = min(p, 1 - p), max(p, 1 - p)
    first, size = sampling._tabulate(n, p, q, table)
    below, function, guide = first - 1, table[:size], table[size : 2 * size].astype(int)
    assert stats.binom.cdf(below, n, p) + stats.binom.sf(first + size - 1, n, p) < 1e-16
    assert function == pytest.approx(
        stats.binom.cdf(np.arange(first, first + size), n, p), rel=1e-9, abs=1e-16
    )
    assert function[-1] == 1
    assert guide.tolist() == np.searchsorted(function * size, np.arange(size), side="right").tolist()


@pytest.mark.parametrize(
    ("n", "p"), [(1, 1e-9), (4, 0.0025), (16, 0.05), (64, 0.01), (64, 0.05), (4096, 0.002)]
)
def test_some_is_a_binomial_count_that_is_not_zero(n, p):
    out = np.empty(100_000)
    some_of(streams.state(7, {"n": str(n), "p": repr(p)}), n, p, out)
    counts = np.arange(1, n + 1)
    expected = stats.binom.pmf(counts, n, p) / -np.expm1(n * np.log1p(-p)) * len(out)
    found = np.bincount(out.astype(int), minlength=n + 1)
    assert found[0] == 0
    often = expected > 5
    assert found[1:][~often].sum() <= 5 * expected[~often].sum() + 5
    if often.sum() > 1:
        ratio = found[1:][often].sum() / expected[often].sum()
        assert stats.chisquare(found[1:][often], expected[often] * ratio).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.9, 0.3, 0.01])
def test_failures_before_success_are_geometric(p):
    out, most = np.empty(100_000), 20
    failures_of(streams.state(7, {"p": repr(p)}), p, most, out)
    expected = np.append(p * (1 - p) ** np.arange(most), (1 - p) ** most) * len(out)
    found = np.bincount(out.astype(int), minlength=most + 1)
    often = expected > 5
    ratio = found[often].sum() / expected[often].sum()
    assert stats.chisquare(found[often], expected[often] * ratio).pvalue > 1e-3


def test_binomial_near_one_keeps_the_digits_of_q():
    q = 1e-20  # 1 − q is 1
    out = np.empty(1000, np.int64)
    binomials_of(streams.state(7, {}), 10**6, 1.0, q, out)
    assert (out == 10**6).all()
