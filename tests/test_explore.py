"""The page to explore: every number of every dataset is inside, and nothing is fetched."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
import xarray as xr
from gradgap.report import explorer

STUDIES = ("length_scaling", "stagnation")


def unpacked(text):
    """The numbers that the page's script makes of its values."""
    planes = np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8)
    return planes.reshape(4, -1).T.copy().view("<f4").ravel()


@pytest.fixture(scope="module")
def page(smoke, tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "explore.html"
    explorer.write({name: smoke(name) / f"datasets/{name}.nc" for name in STUDIES}, path)
    return path.read_text(encoding="utf-8")


def script(page, name):
    return re.search(rf'<script id="{name}" type="[a-z/]+">(.*?)</script>', page, flags=re.DOTALL).group(1)


def test_every_value_of_every_variable_is_in_the_page(page, smoke):
    description = json.loads(script(page, "data"))
    assert list(description["studies"]) == list(STUDIES)
    for name, study in description["studies"].items():
        data = xr.load_dataset(smoke(name) / f"datasets/{name}.nc")
        values = unpacked(script(page, f"values-{name}"))
        assert set(study["variables"]) == set(data.data_vars)
        for variable, found in study["variables"].items():
            part = values[found["offset"] : found["offset"] + data[variable].size]
            assert found["axes"] == list(data[variable].dims)
            # four digits, and what is infinite or unknown as it is
            np.testing.assert_allclose(part, data[variable].to_numpy().ravel().astype("f4"), rtol=2.0**-14)
        for axis, found in study["axes"].items():
            source = "failure_rate" if axis == "success_rate" else axis
            assert found["values"] == data[source].values.tolist()


def test_nothing_is_fetched(page):
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:|index.html")', markup)
    assert page.count("<script src") == 0


def test_rounding_keeps_what_has_no_neighbours():
    kept = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3.4028235e38, 1e-45, 1.0], "<f4")
    np.testing.assert_array_equal(explorer.rounded(kept)[[0, 1, 2, 3, 4, 5, 7]], kept[[0, 1, 2, 3, 4, 5, 7]])
    rng = np.random.default_rng(0)
    values = (rng.standard_normal(10_000) * 10.0 ** rng.integers(-30, 30, 10_000)).astype("<f4")
    assert np.max(np.abs(explorer.rounded(values) / values - 1)) <= 2.0**-14


def test_of_a_large_study_every_so_many_values_are_in_the_page_and_it_says_so(smoke, monkeypatch):
    data = xr.load_dataset(smoke("stagnation") / "datasets/stagnation.nc")
    monkeypatch.setattr(explorer, "MOST_VALUES", data.curve_failure_rate.size // 3)
    description, values = explorer.contents({"stagnation": data})
    study = description["studies"]["stagnation"]
    rates, iterations = (study["axes"][axis]["values"] for axis in ("learning_rate", "iteration"))
    assert len(rates) < data.sizes["learning_rate"]
    assert len(iterations) < data.sizes["iteration"]
    assert set(study["every"]) == {data[axis].long_name for axis in ("learning_rate", "iteration")}
    found = study["variables"]["curve_failure_rate"]
    few = data.curve_failure_rate.sel(learning_rate=rates, iteration=iterations)
    part = unpacked(values["stagnation"])[found["offset"] : found["offset"] + few.size]
    np.testing.assert_allclose(part, few.to_numpy().ravel().astype("f4"), rtol=2.0**-14)
    monkeypatch.setattr(explorer, "MOST_VALUES", 1)  # labels are never left out, so a variable is
    description, _ = explorer.contents({"stagnation": data})
    assert "curve_failure_rate" in description["studies"]["stagnation"]["left_out"]


def test_text_of_a_dataset_cannot_end_the_script(tmp_path, smoke):
    data = xr.load_dataset(smoke("stagnation") / "datasets/stagnation.nc")
    data.attrs["title"] = "</script><script>alert(1)</script>"
    data.to_netcdf(tmp_path / "x.nc", engine="netcdf4")
    explorer.write({"x": tmp_path / "x.nc"}, tmp_path / "x.html")
    description = json.loads(script((tmp_path / "x.html").read_text(encoding="utf-8"), "data"))
    assert description["studies"]["x"]["title"] == data.attrs["title"]


def test_no_text_of_a_component_can_break_out_of_the_page(smoke, tmp_path):
    data = xr.load_dataset(smoke("stagnation") / "datasets/stagnation.nc")
    hostile = "</script><script>alert(1)</script><!--<script>"
    variable = next(iter(data.data_vars))
    data[variable].attrs["long_name"] = data.attrs["title"] = hostile
    data.to_netcdf(tmp_path / "hostile.nc")
    explorer.write({"stagnation": tmp_path / "hostile.nc"}, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "alert(1)</" not in page
    assert json.loads(script(page, "data"))["studies"]["stagnation"]["title"] == hostile
