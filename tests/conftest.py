"""What the tests share."""

import functools
import math
import os
from pathlib import Path

import mpmath
import pytest

ROOT = Path(__file__).parent.parent
os.environ["PYTHONPATH"] = str(ROOT / "workflow" / "scripts")  # for the programs that tests start


@pytest.fixture(scope="session")
def root():
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def exact_window():
    """J, 1 − J and d log(J/(1−J))/dθ of a window in 50 digits, by summing masses from their definition."""

    def rates(theta, n, half_width):
        """Success and failure rate as mpmath numbers; terms below 1e-45 of a sum are left out."""
        odds = mpmath.e**theta
        p, q = odds / (1 + odds), 1 / (1 + odds)
        low, high = n // 2 - half_width, n // 2 + half_width

        def total(first, last):
            """Σ of masses from `first` to `last`, outward from the largest among them."""
            if first > last:
                return mpmath.mpf(0)
            top = min(max(int(mpmath.floor((n + 1) * p)), first), last)
            mass = mpmath.binomial(n, top) * p**top * q ** (n - top)
            up = down = whole = mass
            for k in range(top, last):
                up *= odds * (n - k) / (k + 1)
                whole += up
                if up < whole * mpmath.mpf(10) ** -45:
                    break
            for k in range(top, first, -1):
                down *= k / (odds * (n - k + 1))
                whole += down
                if down < whole * mpmath.mpf(10) ** -45:
                    break
            return whole

        return total(low, high), total(0, low - 1) + total(high + 1, n)

    def exact(theta, n, half_width):
        with mpmath.workdps(50):
            theta = mpmath.mpf(theta)
            success, failure = rates(theta, n, half_width)
            # central difference of the log-odds: truncation 1e-24, rounding 1e-38
            step = mpmath.mpf(10) ** -12 / math.sqrt(n)
            odds = [
                mpmath.log(a) - mpmath.log(b)
                for a, b in (rates(theta + sign * step, n, half_width) for sign in (1, -1))
            ]
            return success, failure, (odds[0] - odds[1]) / (2 * step)

    return exact


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """A function from a study to the results of tests/smoke.yaml, with that study's dataset and analysis made."""
    import xarray as xr
    from gradgap.report import captions, figure_data
    from gradgap.sweep import compute, config, grid, store
    from gradgap.sweep import dataset as datasets

    found = config.load(ROOT / "tests/smoke.yaml")
    folder = tmp_path_factory.mktemp("smoke")
    for name in ("datasets", "analysis", "shards"):
        (folder / name).mkdir()

    @functools.cache
    def make(name):
        study = found.studies[name]
        paths = []
        for shard in grid.shards(study, 10**9):
            paths.append(folder / f"shards/{shard.name}.npz")
            store.write(paths[-1], shard, compute.compute(shard))
        datasets.aggregate(datasets.Contents.of(study), paths, folder / f"datasets/{name}.nc")
        dataset = xr.load_dataset(folder / f"datasets/{name}.nc")
        analysis = study.study.analyse(dataset, study.settings)
        figure_data.write(analysis.panels, folder / f"analysis/{name}.csv")
        analysis.scaling.to_csv(folder / f"analysis/{name}.scaling.csv", index=False)
        caption = captions.fill(captions.template(name), analysis, study.settings)
        (folder / f"analysis/{name}.rst").write_text(caption, encoding="utf-8")
        answer = captions.fill_answer(captions.answer_template(name), analysis, study.settings)
        (folder / f"analysis/{name}.answer.txt").write_text(answer, encoding="utf-8")
        return folder

    return make
