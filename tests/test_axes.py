"""Axis values: one text each, exact complements, ranges."""

import pytest
from gradgap.errors import ConfigError
from gradgap.sweep.axes import expand
from gradgap.values import canonical, complement, failure_rate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (64, "64"),
        (64.0, "64"),
        (0.1, "0.1"),
        (1e-5, "1e-5"),
        (1e20, "1e20"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_a_number_has_one_text_that_denotes_it(value, text):
    assert canonical(value) == text
    assert float(text) == value


def test_complements_are_exact_in_decimals():
    assert complement("0.999") == "0.001"
    assert complement("0.9999999999") == "0.0000000001"
    assert failure_rate("0.9999999999") == 1e-10  # by subtraction of floats: 1.00000008e-10
    assert complement(complement("0.375")) == "0.375"


def test_logarithmic_ranges_include_both_ends():
    assert expand("step_size", {"from": 0.001, "to": 1, "per_decade": 1}, "k") == (
        "0.001",
        "0.01",
        "0.1",
        "1",
    )
    assert expand("step_size", {"from": 1, "to": 0.1, "per_decade": 2}, "k") == ("1", "0.3162", "0.1")
    assert expand("length", {"from": 16, "to": 128, "per_decade": 3.33}, "k") == ("16", "32", "64", "128")
    assert expand("length", {"from": 2, "to": 8, "per_decade": 20}, "k") == ("2", "4", "6", "8")
    assert expand("failure_rate", {"from": 0.1, "to": 0.001, "per_decade": 1}, "k") == (
        "0.9",
        "0.99",
        "0.999",
    )


def test_duplicates_are_refused():
    with pytest.raises(ConfigError, match=r"studies\.x\.length: 64 is given twice"):
        expand("length", [64, 64.0], "studies.x.length")
