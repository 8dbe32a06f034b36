"""Elementary functions against mpmath, and against themselves without the compiler."""

import math
import subprocess
import sys

import mpmath
import numba
import numpy as np
import pytest
from gradgap.numerics import elementary, sampling, streams
from scipy import stats

MAX, TINY = sys.float_info.max, 5e-324
RNG = np.random.default_rng(12)


def _uniform(*ranges):
    return np.concatenate([RNG.uniform(low, high, 1500) for low, high in ranges])


def _any_size(low=-323, high=308):
    return 10.0 ** RNG.uniform(low, high, 2000)


#: Next to 1 on either side, at every distance.
NEAR_ONE = 1 + 2.0 ** -RNG.uniform(1, 53, 3000) * RNG.choice([-1, 1], 3000)
POSITIVE = np.concatenate(
    [_any_size(), _uniform((0.5, 2), (0.98, 1.02), (TINY, 1e-307)), NEAR_ONE, [TINY, 2e-308, 1.0, MAX]]
)
#: Name, true function, arguments, units in the last place.
FUNCTIONS = {
    "exp": (mpmath.exp, [*_uniform((-745.2, 709.8), (-745.2, -707), (-1, 1)), *_any_size(-323, 0)], 1),
    "exp10": (
        lambda x: mpmath.mpf(10) ** x,
        [*_uniform((-323.7, 308.26), (-1, 1), (-323.7, -307)), *range(-323, 309)],
        1,
    ),
    "expm1": (
        mpmath.expm1,
        [
            *_uniform((-40, 709.8), (-1, 1), (-0.1, 0.1), (709.4, 709.8)),
            *_any_size(-323, 0),
            *-_any_size(-323, 3),
        ],
        1,
    ),
    "log": (mpmath.log, POSITIVE, 1),
    "log10": (mpmath.log10, [*POSITIVE, *(10.0**n for n in range(-323, 309))], 1),
    "log1p": (
        mpmath.log1p,
        [*_any_size(), *-_any_size(-323, 0), *(NEAR_ONE - 1), *-NEAR_ONE[NEAR_ONE < 1], MAX, TINY, -TINY],
        1,
    ),
    "log_factorial": (
        lambda n: mpmath.loggamma(n + 1),
        [*range(400), *np.floor(_any_size(2, 15)), *_any_size(16, 299)],
        1,
    ),
    "sine": (
        lambda x: mpmath.sin(x * mpmath.pi / 180),
        [*_uniform((-400, 400), (-1e9, 1e9), (-1, 1)), *range(180)],
        1,
    ),
    "cosine": (
        lambda x: mpmath.cos(x * mpmath.pi / 180),
        [*_uniform((-400, 400), (-1e9, 1e9)), *range(90)],
        1,
    ),
    "normal_cdf": (mpmath.ncdf, _uniform((-38.5, 9), (-3, 3)), 8),
}


def _units(found: float, true) -> float:
    """Distance to the true value in units of its last place."""
    if not math.isfinite(found):
        return 0.0 if abs(true) >= mpmath.mpf(2) ** 1024 * (1 - mpmath.mpf(2) ** -54) else math.inf
    if true == 0:
        return 0.0 if found == 0 else math.inf
    exponent = max(mpmath.frexp(true)[1] - 1, -1022)
    return float(abs(found - true) / mpmath.ldexp(1, exponent - 52))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_the_last_place_of_the_true_value(name):
    true, arguments, most = FUNCTIONS[name]
    function = getattr(elementary, name)
    with mpmath.workdps(60):  # a large sine loses ten digits, a logarithm next to 1 sixteen
        units = [_units(function(float(x)), true(mpmath.mpf(float(x)))) for x in arguments]
    assert max(units) <= most, f"{name}({arguments[int(np.argmax(units))]!r})"


NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        *[
            ("exp", x, y)
            for x, y in [(INFINITY, INFINITY), (-INFINITY, 0.0), (0.0, 1.0), (-0.0, 1.0), (710, INFINITY)]
        ],
        *[("exp", x, y) for x, y in [(1e300, INFINITY), (-1e300, 0.0), (-746, 0.0), (TINY, 1.0), (NAN, NAN)]],
        *[
            ("exp10", x, y)
            for x, y in [(INFINITY, INFINITY), (-INFINITY, 0.0), (0.0, 1.0), (309, INFINITY), (-324, 0.0)]
        ],
        *[("exp10", x, y) for x, y in [(NAN, NAN), (22, 1e22), (-5, 1e-5), (1e300, INFINITY), (-1e300, 0.0)]],
        *[
            ("expm1", x, y)
            for x, y in [(INFINITY, INFINITY), (-INFINITY, -1.0), (0.0, 0.0), (-0.0, -0.0), (NAN, NAN)]
        ],
        *[("expm1", x, y) for x, y in [(710, INFINITY), (1e300, INFINITY), (-1e300, -1.0), (TINY, TINY)]],
        *[
            ("log", x, y)
            for x, y in [(INFINITY, INFINITY), (0.0, -INFINITY), (-0.0, -INFINITY), (1.0, 0.0), (NAN, NAN)]
        ],
        *[("log", x, NAN) for x in (-TINY, -1.0, -MAX, -INFINITY)],
        *[
            ("log10", x, y)
            for x, y in [(INFINITY, INFINITY), (0.0, -INFINITY), (-0.0, -INFINITY), (1.0, 0.0), (NAN, NAN)]
        ],
        *[("log10", x, y) for x, y in [(-1.0, NAN), (-INFINITY, NAN), (1000.0, 3.0), (1e-300, -300.0)]],
        *[
            ("log1p", x, y)
            for x, y in [(INFINITY, INFINITY), (-1.0, -INFINITY), (0.0, 0.0), (-0.0, -0.0), (NAN, NAN)]
        ],
        *[("log1p", x, y) for x, y in [(TINY, TINY), (-1.0000000000000002, NAN), (-INFINITY, NAN)]],
        *[
            ("log_factorial", x, y)
            for x, y in [(0, 0.0), (1, 0.0), (-1.0, NAN), (INFINITY, INFINITY), (NAN, NAN)]
        ],
        *[("sine", x, y) for x, y in [(0, 0.0), (30, 0.5), (90, 1.0), (180, 0.0), (270, -1.0), (-90, -1.0)]],
        *[
            ("cosine", x, y)
            for x, y in [(0, 1.0), (60, 0.5), (90, 0.0), (180, -1.0), (270, 0.0), (-360, 1.0)]
        ],
        *[
            ("normal_cdf", x, y)
            for x, y in [(-INFINITY, 0.0), (INFINITY, 1.0), (-40, 0.0), (40, 1.0), (NAN, NAN)]
        ],
    ],
)
def test_special_arguments(name, argument, expected):
    found = getattr(elementary, name)(float(argument))
    assert np.float64(found).tobytes() == np.float64(expected).tobytes() or (
        found != found and expected != expected
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_bits_without_the_compiler_and_in_a_vectorised_loop(name):
    function = getattr(elementary, name)
    special = [0.0, -0.0, INFINITY, -INFINITY, NAN, MAX, -MAX, TINY, -TINY, 1.0, -1.0]
    if name in ("sine", "cosine", "log_factorial"):
        special = [0.0, 1.0]
    arguments = np.array([*RNG.permutation(FUNCTIONS[name][1])[:400], *special], dtype=float)
    one_by_one = np.array([function(x) for x in arguments])

    @numba.njit(error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    together = np.empty_like(arguments)
    loop(arguments, together)
    np.testing.assert_array_equal(together.view(np.int64), one_by_one.view(np.int64))
    with np.errstate(all="ignore"):
        plain = np.array([function.py_func(x) for x in arguments], dtype=float)
    number = ~np.isnan(one_by_one)
    np.testing.assert_array_equal(plain[number].view(np.int64), one_by_one[number].view(np.int64))
    assert np.isnan(plain[~number]).all()


@pytest.mark.parametrize("name", ["exp", "exp10", "expm1", "log", "log10", "log1p"])
def test_rises_from_neighbour_to_neighbour_at_the_seams(name):
    """Where a table's points change and around 1 a larger argument gives no smaller value, but for one rounding."""
    function = getattr(elementary, name)
    edges = [0.6875 * 2 ** (i / 64) for i in range(-64, 65)] + [1.0, 0.0625, 709.4362, 1e-3, 1e-8]
    edges += [] if name in ("log", "log10") else [-0.0625, -0.00390625, -0.5]
    for edge in edges:
        x = np.float64(edge)
        for _ in range(30):
            after = np.nextafter(x, np.inf)
            assert function(after) >= np.nextafter(function(x), -np.inf)
            x = after


def test_nothing_is_fused_and_nothing_is_called():
    """The machine code has no fused operation, though this processor may have it, and no function of a C library."""
    for name in FUNCTIONS:
        # compiled here and now, as code from the cache cannot be looked at
        function = numba.njit(error_model="numpy")(getattr(elementary, name).py_func)
        function(0.5)
        for code in function.inspect_asm().values():
            lines = [line.split("#")[0] for line in code.splitlines()]
            assert not [
                line
                for line in lines
                if "vfm" in line or "vfnm" in line or "fmadd" in line or "fmsub" in line
            ]
            called = [line.split()[-1] for line in lines if line.split()[:1] in (["callq"], ["call"])]
            libm = {"exp", "log", "log1p", "expm1", "exp10", "pow", "sin", "cos", "log10", "lgamma", "fma"}
            assert not {target.strip("*%$") for target in called} & libm
        assert "llvm.fmuladd" not in "".join(function.inspect_llvm().values())


def test_sums_are_taken_in_order():
    x, y = RNG.normal(size=(2, 1000))
    found = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        found += a * b
    assert elementary.dot(x, y) == found
    assert elementary.total(x) == np.cumsum(x)[-1]
    assert elementary.norm(x) == pytest.approx(np.linalg.norm(x), rel=1e-13)
    out = np.empty(40)
    elementary.times(x.reshape(40, 25), y[:25], out)
    np.testing.assert_allclose(out, x.reshape(40, 25) @ y[:25], rtol=1e-11)


def test_stirling_error():
    with mpmath.workdps(40):
        for n in [*range(1, 200), 10**6, 10**12]:
            m = mpmath.mpf(n)
            true = mpmath.loggamma(m + 1) - mpmath.log(2 * mpmath.pi * m) / 2 - m * mpmath.log(m) + m
            assert elementary.stirling_error(float(n)) == pytest.approx(float(true), rel=1e-15)


def test_normal_deviates_are_normal():
    out = np.empty(400_001)
    sampling.normals(streams.state(5, {"use": "normal"}), out)
    assert stats.kstest(out, "norm").pvalue > 1e-3
    edges = stats.norm.ppf(np.arange(1, 64) / 64)
    assert stats.chisquare(np.bincount(np.searchsorted(edges, out), minlength=64)).pvalue > 1e-3
    tail = (np.abs(out) > 4).sum()
    assert stats.binomtest(int(tail), out.size, 2 * stats.norm.sf(4)).pvalue > 1e-3
    assert abs(np.corrcoef(out[:-1:2], out[1::2])[0, 1]) < 4 / math.sqrt(out.size / 2)
    assert abs(np.corrcoef(out[:-1:2] ** 2, out[1::2] ** 2)[0, 1]) < 4 / math.sqrt(out.size / 2)
    again = np.empty(10)
    sampling.normals(streams.state(5, {"use": "normal"}), again)
    np.testing.assert_array_equal(again, out[:10])


def test_the_constants_do_not_depend_on_the_settings_of_decimal():
    code = (
        "import decimal; decimal.getcontext().prec = 5; decimal.getcontext().rounding = decimal.ROUND_UP\n"
        "from gradgap.numerics import elementary\n"
        "print(elementary.exp(0.3).hex(), elementary.log(3.0).hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [elementary.exp(0.3).hex(), elementary.log(3.0).hex()]
