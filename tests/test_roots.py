"""Root finding against roots that are known, and against SciPy's."""

import math

import pytest
from gradgap.numerics.roots import root
from scipy.optimize import brentq

CASES = [
    (lambda x: x * x * x - 2.0, 0.0, 2.0),
    (lambda x: math.cos(x) - x, 0.0, 1.0),
    (lambda x: math.exp(-x) - 1e-12, 0.0, 100.0),
    (lambda x: (x - 1e-8) ** 9, -1.0, 3.0),
    (lambda x: 1.0 if x > 0.3 else -1.0, 0.0, 1.0),
    (lambda x: math.atan(1e6 * (x - 0.7)), 1.0, -50.0),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_root_is_that_of_scipy(case):
    calls = []
    function, low, high = CASES[case]
    found = root(lambda x: calls.append(x) or function(x), low, high, absolute=1e-13)
    assert found == pytest.approx(brentq(function, low, high, xtol=1e-14, maxiter=1000), rel=1e-12, abs=1e-12)
    assert len(calls) < 130


def test_tolerances_ends_and_the_same_sign():
    assert root(lambda x: x - 1.0, 1.0, 2.0) == 1.0
    assert root(lambda x: x - 2.0, 1.0, 2.0) == 2.0
    assert abs(root(lambda x: x * x - 2.0, 0.0, 2.0, absolute=1e-3) - math.sqrt(2)) <= 1e-3
    assert root(lambda x: x - 1e-200, 0.0, 1.0) == pytest.approx(1e-200, rel=1e-14)
    with pytest.raises(ValueError, match="no change of sign"):
        root(lambda x: x * x + 1.0, 0.0, 1.0)
