"""P2, P3, P5–P7 where prompts share parameters: success and prompts lost against the learning rate."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ...inference import crossings
from ...inference.equivalence import Statement
from ...inference.power_laws import fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents
from ...training import rules

INSTANCE = ("length", "success_rate")
RUN = (*INSTANCE, "schedule", "rule")
STEP = "effective_learning_rate"
#: Of the bootstrap.
_SEED = 0


def interval(values: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the last axis, and its confidence interval from the t distribution.

    Parameters
    ----------
    values : ndarray, shape (..., replicates)
    confidence : float

    Returns
    -------
    mean, low, high : ndarray, shape (...)
        Both ends are nan where there is one replicate.
    """
    count = values.shape[-1]
    mean = values.mean(axis=-1)
    if count < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = stdtrit(count - 1, 0.5 + confidence / 2) * values.std(axis=-1, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half


def kept(success: np.ndarray, candidates: int, contexts: int) -> np.ndarray:
    """Where success rates stand between collapse (0) and the best (1).

    As ‖θ‖ → ∞ in a random direction, each of the C contexts of a prompt settles on one of its V candidates, so that
    J_∞ = V^−C; the best is J_max = 1.

    >>> kept(np.array([1.0, 0.0625]), candidates=4, contexts=2)
    array([1., 0.])
    """
    collapsed = float(candidates) ** -contexts
    return (success - collapsed) / (1 - collapsed)


def threshold(steps: np.ndarray, kept_shares: np.ndarray) -> tuple[float, float, float]:
    """Half-kept step of sampled runs, with a 95 % bootstrap interval over replicates.

    Parameters
    ----------
    steps : ndarray, shape (S,)
        Ascending.
    kept_shares : ndarray, shape (S, replicates)
        See `kept`. A replicate is resampled as a whole, since it is one instance at every step.

    Returns
    -------
    critical, low, high : float
        nan where the mean does not fall through ½; see `crossings.half_kept`.
    """
    found = crossings.half_kept(np.log(steps), kept_shares, np.random.default_rng(_SEED))
    critical, low, high = np.exp([found.at, found.low, found.high]).tolist()
    return critical, low, high


def _averaged(dataset, names: dict[str, str]) -> pd.DataFrame:
    """Mean over replicates of some variables, each with its interval, in long form."""
    columns = {}
    for variable, name in names.items():
        array = dataset[variable].transpose(..., "replicate")
        parts = interval(array.to_numpy())
        for suffix, values in zip(("", "_low", "_high"), parts, strict=True):
            columns[name + suffix] = array.isel(replicate=0, drop=True).copy(data=values)
    frames = [array.rename(name).to_dataframe().reset_index() for name, array in columns.items()]
    whole = frames[0].drop(columns="failure_rate", errors="ignore")
    for name, frame in zip(columns, frames, strict=True):
        whole[name] = frame[name]
    return whole


def _thresholds(dataset, variable: str, outer: list[str], settings) -> pd.DataFrame:
    steps = dataset[STEP].to_numpy()
    order = np.argsort(steps)
    array = dataset[variable].transpose(*outer, STEP, "replicate")
    shares = kept(array.to_numpy(), int(settings["candidates"]), int(settings["contexts"]))
    values = [array[name].to_numpy().tolist() for name in outer]
    found = []
    for index in np.ndindex(*array.shape[:-2]):
        point = {name: of[i] for name, of, i in zip(outer, values, index, strict=True)}
        critical, low, high = threshold(steps[order], shares[index][order])
        found.append({**point, "effective": critical, "effective_low": low, "effective_high": high})
    frame = pd.DataFrame(found)
    # every aggregation that normalises divides by T here, since all responses are T tokens long
    frame["advantage"], frame["aggregation"] = zip(*map(rules.rule, frame.rule), strict=True)
    summed = frame.aggregation == "seq-mean-token-sum"
    divisor = np.where(summed, 1.0, frame.length)
    for end in ("", "_low", "_high"):
        frame[f"half_kept_learning_rate{end}"] = frame[f"effective{end}"] * divisor
    return frame


def analyse(dataset, settings):
    """Means over replicates, sampled thresholds with intervals, and their exponents in length."""
    sampled = _averaged(dataset, {"final_success_rate": "success", "lost_share": "lost"})
    exact = _averaged(dataset, {"exact_success_rate": "success", "exact_lost_share": "lost"})
    curve = dataset["curve_success_rate"]
    curves = curve.mean("replicate").rename("success").to_dataframe().reset_index()
    for name, level in (("low", 0.1), ("high", 0.9)):
        values = curve.quantile(level, dim="replicate", skipna=False).drop_vars("quantile")
        curves[name] = values.rename(name).to_dataframe().reset_index()[name]
    curves = curves.drop(columns="failure_rate", errors="ignore").assign(
        group_size=settings["curve_group_size"]
    )
    thresholds = _thresholds(dataset, "final_success_rate", [*RUN, "group_size"], settings)
    exact_thresholds = _thresholds(dataset, "exact_success_rate", list(RUN), settings)

    rows = []
    fixed = thresholds[
        (thresholds.schedule == "constant") & (thresholds.length >= settings["fit_from_length"])
    ]
    for name in fixed.rule.unique():
        here = fixed[fixed.rule == name]
        advantage, aggregation = rules.rule(name)
        found = fit(
            here.length,
            here.half_kept_learning_rate,
            here.success_rate.astype(str) + "/" + here.group_size.astype(str),
            low=here.half_kept_learning_rate_low,
            high=here.half_kept_learning_rate_high,
        )
        if found is not None:
            labels = {
                "study": "contextual",
                "family": "contextual",
                "advantage": advantage,
                "aggregation": aggregation,
            }
            predicted = exponents.length_exponent("contextual", advantage, aggregation)
            rows.append(
                row(
                    labels,
                    "length",
                    predicted,
                    found,
                    statement=Statement.BOUND,  # Proposition 3: steps up to it are safe, larger ones may be
                    search=f"sampled {rules.label(advantage)}",
                )
            )

    runs = dataset[["final_success_rate", "lost_share"]].to_dataframe().reset_index()
    stalled = (runs.lost_share > 0) & (runs.final_success_rate > runs.success_rate)
    decaying = [name for name in runs.schedule.unique() if name != "constant"]
    # the step that is best with a fixed learning rate, beside the same and the best step of a decaying one
    keys = [*INSTANCE, "rule", "group_size"]
    best = sampled.loc[sampled.groupby([*keys, "schedule"]).success.idxmax()]
    ratio = thresholds[thresholds.schedule == "constant"].merge(
        exact_thresholds, on=list(RUN), suffixes=("", "_exact")
    )
    ratio["ratio"] = ratio.effective / ratio.effective_exact
    findings = {
        "runs": len(runs),
        "replicates": int(dataset.sizes["replicate"]),
        "undecided": int(thresholds.effective.isna().sum()),
        "thresholds": len(thresholds),
        "stalled": float(stalled[runs.schedule == "constant"].mean()),
        "best_fixed": float(best[best.schedule == "constant"].success.mean()),
        "best_decaying": {name: float(best[best.schedule == name].success.mean()) for name in decaying},
        "lost_fixed": float(best[best.schedule == "constant"].lost.mean()),
        "lost_decaying": {name: float(best[best.schedule == name].lost.mean()) for name in decaying},
        "longer": {
            name: float(
                (
                    thresholds[thresholds.schedule == name].effective.to_numpy()
                    / thresholds[thresholds.schedule == "constant"].effective.to_numpy()
                ).mean()
            )
            for name in decaying
        },
        "to_exact": {int(n): float(group.ratio.mean()) for n, group in ratio.groupby("group_size")},
    }
    panels = {
        "sampled": sampled,
        "exact": exact,
        "curves": curves,
        "thresholds": thresholds,
        "exact_thresholds": exact_thresholds,
    }
    return Analysis(panels, table(rows), findings)
