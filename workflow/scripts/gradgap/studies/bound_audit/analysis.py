"""Every bound on the step held against exact critical steps: is it ever wrong, and how loose is it?"""

import numpy as np
import pandas as pd

from ...inference.power_laws import table
from ...sweep.study import Analysis

POLICY = ("policy_length", "vocabulary", "dimension", "draw")
#: Below this ratio of critical step to bound the bound itself is wrong; below the other one its proof is, which
#: gives a rise up to twice the bound.
WRONG, UNPROVED = 1.0, 2.0


def violations(ratio, kept):
    """Where a bound is wrong: J falls within it, or rises by less than promised. A bound of nan promises nothing.

    Parameters
    ----------
    ratio, kept : array_like
        Critical step over bound, and gain over promised gain.

    Returns
    -------
    ndarray of bool
    """
    return (np.asarray(ratio) < WRONG) | (np.asarray(kept) < 1)


def _spread(points: pd.DataFrame, by: str) -> pd.DataFrame:
    """Least, tenth-percentile and median ratio of every bound in each group; infinite ones count as such."""
    grouped = points.dropna(subset="ratio").groupby(["bound", by], sort=False, observed=True).ratio
    # the order statistic itself: between a finite and an infinite ratio nothing can be interpolated
    return grouped.agg(
        n="size",
        least="min",
        low=lambda values: values.quantile(0.1, interpolation="lower"),
        middle=lambda values: values.quantile(0.5, interpolation="lower"),
    ).reset_index()


def _distribution(points: pd.DataFrame) -> pd.DataFrame:
    """Share of policies whose ratio is at most a value, for every bound that applies to them."""
    finite = points.ratio[np.isfinite(points.ratio)]
    grid = np.geomspace(1, finite.max() * 1.01, 241)
    tables = []
    for name, here in points.dropna(subset="ratio").groupby("bound", sort=False):
        share = np.searchsorted(np.sort(here.ratio), grid, side="right") / len(here)
        tables.append(pd.DataFrame({"bound": name, "ratio": grid, "share": share}))
    return pd.concat(tables, ignore_index=True)


def _families(dataset, names) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratio of the critical step to every bound on `gated`, and on `counting` with J set by the window."""
    columns = ["one_step_critical_step", "response_length", *(f"bound_{name}" for name in names)]
    gated = dataset[columns].to_dataframe().reset_index()
    for name in names:
        gated[f"ratio_{name}"] = gated.one_step_critical_step / gated[f"bound_{name}"]
    columns = [
        "window_failure_rate",
        "window_one_step_critical_step",
        *(f"window_bound_{name}" for name in names),
    ]
    counting = (
        dataset[columns].to_dataframe().reset_index().rename(columns={"window_failure_rate": "failure_rate"})
    )
    for name in names:
        counting[f"ratio_{name}"] = counting.window_one_step_critical_step / counting[f"window_bound_{name}"]
    return gated, counting


def growth(failure_rate, ratio) -> float:
    """Exponent of a ratio in log(1/(1−J)), the steepest between neighbours; 1 is logarithmic growth.

    Parameters
    ----------
    failure_rate, ratio : array_like, shape (n,)
        Rates at most ½; nan where no neighbour is left.
    """
    points = pd.DataFrame({"x": np.log(-np.log(failure_rate)), "y": np.log(ratio)}).dropna().sort_values("x")
    points = points.drop_duplicates("x")
    slopes = np.diff(points.y) / np.diff(points.x)
    return float(slopes.max()) if len(slopes) else np.nan


def analyse(dataset, settings):
    """Ratios and promises of every bound: random policies, the search for the worst, and the exact families."""
    names = dataset.bound.values.tolist()
    columns = ["policy_ratio", "policy_kept", "policy_failure_rate", "policy_max_length"]
    points = dataset[columns].to_dataframe().reset_index()
    points = points.rename(columns={name: name.removeprefix("policy_") for name in columns})
    decades = np.array([0, 1e-3, 1e-2, 1e-1, 0.5, 0.9, 0.99, 1])
    middles = np.array([3e-4, 3e-3, 3e-2, 0.3, 0.7, 0.95, 0.997])
    points["failure_rate_near"] = middles[np.digitize(points.failure_rate, decades[1:-1])]
    attack = (
        dataset[[str(name) for name in dataset if str(name).startswith("attack_")]]
        .to_dataframe()
        .reset_index()
    )
    attack = attack.rename(columns={name: name.removeprefix("attack_") for name in attack.columns})
    gated, counting = _families(dataset, names)

    rows = []
    for name in names:
        here, searched = points[points.bound == name], attack[attack.bound == name]
        worst = searched.loc[searched.ratio.idxmin()]
        rows.append(
            {
                "bound": name,
                "policies": int(here.ratio.notna().sum()),
                "falls": int(np.isfinite(here.ratio).sum()),
                "violations": int(violations(here.ratio, here.kept).sum()),
                "violations_searched": int(violations(searched.ratio, searched.kept).sum()),
                "unproved": int((here.ratio < UNPROVED).sum() + (searched.ratio < UNPROVED).sum()),
                "least": float(here.ratio.min()),
                "least_searched": float(worst.ratio),
                "searched_failure_rate": float(worst.failure_rate),
                "searched_length": float(worst.mean_length),
                "kept": float(min(here.kept.min(), searched.kept.min())),
                "gated_low": float(gated[f"ratio_{name}"].min()),
                "gated_high": float(gated[f"ratio_{name}"].max()),
                "counting_low": float(counting[f"ratio_{name}"].min()),
            }
        )
    bounds = pd.DataFrame(rows)
    falling = gated[np.isfinite(gated.ratio_paper)]
    ends = falling.sort_values("response_length").groupby("failure_rate").ratio_paper
    lengths = falling.sort_values("response_length").groupby("failure_rate").response_length
    slope = np.log(ends.last() / ends.first()) / np.log(lengths.last() / lengths.first())
    likely = counting[counting.failure_rate <= 0.5]
    growths = {
        name: max(growth(group.failure_rate, group[f"ratio_{name}"]) for _, group in likely.groupby("length"))
        for name in ("prop3", "prop5")
    }
    findings = {
        "policies": len(points) // len(names),
        "falls": int(np.isfinite(points.ratio[points.bound == names[0]]).sum()),
        "searches": len(attack),
        "violations": int(bounds.violations.sum() + bounds.violations_searched.sum()),
        "unproved": int(bounds.unproved.sum()),
        "bounds": rows,
        "paper_exponent_low": float(slope.min()),
        "paper_exponent_high": float(slope.max()),
        "growth": growths,
        "lengths": [float(gated.response_length.min()), float(gated.response_length.max())],
        "failure_rates": [float(gated.failure_rate.min()), float(gated.failure_rate.max())],
        "counting_failure_rates": [float(likely.failure_rate.min()), float(likely.failure_rate.max())],
    }
    panels = {
        "bounds": bounds,
        "distribution": _distribution(points),
        "by_length": _spread(points, "max_length"),
        "by_failure_rate": _spread(points, "failure_rate_near"),
        "attack": attack,
        "gated": gated,
        "counting": counting,
    }
    return Analysis(panels, table([]), findings)
