"""`gradgap diff` says which points differ, and by how much."""

import json

import numpy as np
import pytest
import xarray as xr
from gradgap import cli
from gradgap.sweep import compare as sweep_compare
from gradgap.sweep.compare import compare
from gradgap.sweep.parts import boxes


def write(whole, path):
    """Write a dataset to a file, compressed as those of the workflow are, and the folder that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.to_netcdf(path, encoding={name: {"zlib": True} for name in whole.data_vars})


def dataset(steps=(0.1, 0.2, 0.3)):
    values = np.arange(2.0 * len(steps)).reshape(2, -1)
    return xr.Dataset(
        {"rate": (("rule", "learning_rate"), values), "code": ("rule", np.array([0, 1], np.int8))},
        {"rule": np.array(["a", "b"], object), "learning_rate": list(steps)},
    )


def test_equal_to_the_last_bit():
    assert not any(compare(dataset(), dataset()).values())


def test_one_altered_value_is_found_with_its_size_and_place():
    other = dataset()
    other["rate"][1, 2] += 1e-3
    found = compare(dataset(), other)["variables"]
    assert list(found) == ["rate"]
    assert found["rate"]["points"] == 1
    assert found["rate"]["of"] == 6
    assert found["rate"]["largest_absolute"] == pytest.approx(1e-3)
    assert found["rate"]["largest_relative"] == pytest.approx(1e-3 / 5.001)
    assert found["rate"]["at"] == {"rule": "b", "learning_rate": 0.3}


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
def test_parts_of_any_size_give_the_same_answer(monkeypatch, most):
    monkeypatch.setattr(sweep_compare, "boxes", lambda shape: boxes(shape, most))
    other = dataset()
    other["rate"][0, 1] += 0.5
    other["rate"][1, 0] -= 2.0
    other["rate"][1, 2] = -3.0
    assert compare(dataset(), other)["variables"]["rate"] == {
        "points": 3,
        "of": 6,
        "largest_absolute": 8.0,
        "largest_relative": pytest.approx(8 / 5),
        "at": {"rule": "b", "learning_rate": 0.3},
    }


def test_a_damaged_file_is_named(tmp_path, capsys):
    """Its head can be read, so that it opens; what it holds cannot."""
    paths = [tmp_path / f"{side}.nc" for side in "ab"]
    wide = xr.Dataset({"rate": ("draw", np.random.default_rng(0).random(100_000))}, {"draw": range(100_000)})
    for path in paths:
        write(wide, path)
    content = bytearray(paths[1].read_bytes())
    content[len(content) // 4 : 3 * len(content) // 4] = bytes(len(content) // 2)
    paths[1].write_bytes(content)
    assert cli.main(["diff", *map(str, paths)]) == 2
    said = capsys.readouterr().err
    assert "b.nc: cannot be read as a dataset" in said


def test_nan_equals_nan_but_no_number():
    a, b = dataset(), dataset()
    a["rate"][0, 0] = b["rate"][0, 0] = np.nan
    assert not any(compare(a, b).values())
    b["rate"][0, 0] = 1
    assert compare(a, b)["variables"]["rate"]["largest_absolute"] == np.inf


def test_points_of_one_side_are_named_and_the_common_ones_compared():
    wider = dataset((0.1, 0.15, 0.2, 0.3))
    wider["rate"].loc[{"learning_rate": [0.1, 0.2, 0.3]}] = dataset()["rate"].values
    found = compare(dataset(), wider)
    assert found == {"points_only_in_a": {}, "points_only_in_b": {"learning_rate": [0.15]}, "variables": {}}


def test_a_variable_of_one_side_is_named():
    found = compare(dataset(), dataset().drop_vars("code"))
    assert found["variables"] == {"code": {"only_in": "a"}}


def test_folders(tmp_path, capsys):
    for side in "ab":
        write(dataset(), tmp_path / side / "datasets" / "one.nc")
    argv = ["diff", str(tmp_path / "a"), str(tmp_path / "b")]
    assert cli.main(argv) == 0
    assert "equal" in capsys.readouterr().out
    altered = dataset()
    altered["rate"][0, 1] = 7
    write(altered, tmp_path / "b" / "datasets" / "one.nc")
    write(altered, tmp_path / "b" / "datasets" / "two.nc")
    assert cli.main(argv) == 1
    out = capsys.readouterr().out
    assert "two: only in B" in out
    assert "one: rate differs at 1 of 6 points, by 6 at the most (at rule=a, learning_rate=0.2)" in out
    assert cli.main([*argv, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["equal"]
    assert found["only_in_b"] == ["two"]


def test_nothing_to_compare_is_an_error_that_says_so(tmp_path, capsys):
    assert cli.main(["diff", str(tmp_path), str(tmp_path)]) == 2
    assert "no results folder" in capsys.readouterr().err


def test_former_names_are_told_apart_from_differences(tmp_path, capsys):
    """An axis and a variable under the names that they once had, and one that the user names."""
    old = dataset().rename({"learning_rate": "step_ratio", "rate": "halfway", "code": "mine"})
    now = {"learning_rate_ratio": "learning_rate", "half_kept_learning_rate_exact": "rate", "yours": "code"}
    new = dataset().rename({old: new for new, old in now.items()})
    write(old, tmp_path / "a" / "datasets" / "one.nc")
    write(new, tmp_path / "b" / "datasets" / "one.nc")
    argv = ["diff", str(tmp_path / "a"), str(tmp_path / "b")]
    assert cli.main(argv) == 1
    assert "only in" in capsys.readouterr().out
    assert cli.main([*argv, "--former-names", "--rename", "mine=yours"]) == 0
    assert cli.main([*argv, "--former-names"]) == 1
    assert "mine only in A" in capsys.readouterr().out
    assert cli.main([*argv, "--rename", "mine"]) == 2
