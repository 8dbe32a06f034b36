"""The tutorial notebook runs from its first cell to its last, and says what it promises."""

import contextlib
import io
import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(root):
    return json.loads((root / "examples" / "headroom.ipynb").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ran(notebook):
    """Names that the code cells leave behind, and what they print."""
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    return names, printed.getvalue()


def test_it_has_ten_cells_and_no_stored_output(notebook):
    assert len(notebook["cells"]) == 10
    assert all(not cell.get("outputs") for cell in notebook["cells"])


def test_it_goes_from_a_run_that_collapses_to_a_rate_that_does_not(ran):
    names, printed = ran
    assert np.mean(names["collapsed"][-6:]) < 0.01 < names["start"]
    assert names["found"].status == "measured"
    assert names["edge"] / 2 > 5 * 0.02
    assert np.mean(names["kept"][-6:]) > 0.9 * names["exact_success_rate"](0.0)
    assert np.mean(names["kept"]) > np.mean(names["careful"])
    assert np.mean(names["controlled"][-6:]) > 0.9 * names["exact_success_rate"](0.0)
    assert np.mean(names["controlled"]) > np.mean(names["timid"])
    assert "forecast of the edge" in printed
