"""P2, P3, P5–P7 where prompts share parameters: success and prompts lost against the learning rate."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ...inference.power_laws import fit, row, table
from ...numerics import streams
from ...sweep.study import STUDIES, Analysis, Study, Sweep
from ...theory import closed_forms
from ...training import rules

INSTANCE = ("length", "success_rate")
RUN = (*INSTANCE, "schedule", "rule")
STEP = "effective_step_size"
_RESAMPLES = 1000


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


def crossing(steps: np.ndarray, success: np.ndarray, best: float = 1.0) -> np.ndarray:
    """Step at which the mean success rate falls halfway from the best one to its collapsed level, going up.

    Parameters
    ----------
    steps : ndarray, shape (S,)
        Ascending.
    success : ndarray, shape (..., S)
        Mean final success rates; the collapsed level is that of the largest step.
    best : float
        J_max.

    Returns
    -------
    ndarray, shape (...)
        Interpolated in log step between two neighbours; nan where the level is never reached and then left.
    """
    level = (best + success[..., -1:]) / 2
    above = success >= level
    peak = success.argmax(axis=-1)
    beyond = ~above & (np.arange(len(steps)) > peak[..., None])
    found = above.any(axis=-1) & beyond.any(axis=-1)
    high = np.where(found, beyond.argmax(axis=-1), 1)
    low = high - 1
    y_low = np.take_along_axis(success, low[..., None], -1)[..., 0]
    y_high = np.take_along_axis(success, high[..., None], -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (y_low - level[..., 0]) / (y_low - y_high)
    logs = np.log(steps)
    return np.where(found, np.exp(logs[low] + part * (logs[high] - logs[low])), np.nan)


def threshold(steps: np.ndarray, success: np.ndarray) -> tuple[float, float, float]:
    """Sampled critical step, with a 95 % bootstrap interval over replicates.

    Parameters
    ----------
    steps : ndarray, shape (S,)
    success : ndarray, shape (S, replicates)
        A replicate is resampled as a whole, since it is one instance at every step.

    Returns
    -------
    critical, low, high : float
        nan where `crossing` finds none.
    """
    critical = float(crossing(steps, success.mean(axis=1)))
    generator = np.random.Generator(
        np.random.PCG64(streams.state(0, {"study": "contextual", "use": "bootstrap"}))
    )
    picks = generator.integers(success.shape[1], size=(_RESAMPLES, success.shape[1]))
    again = crossing(steps, success[:, picks].mean(axis=-1).T)
    again = again[np.isfinite(again)]
    if not len(again):
        return critical, np.nan, np.nan
    low, high = np.quantile(again, [0.025, 0.975])
    return critical, float(low), float(high)


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


def _thresholds(dataset, variable: str, outer: list[str]) -> pd.DataFrame:
    steps = dataset[STEP].to_numpy()
    order = np.argsort(steps)
    array = dataset[variable].transpose(*outer, STEP, "replicate")
    found = []
    for index in np.ndindex(*array.shape[:-2]):
        point = {name: array[name].to_numpy().tolist()[i] for name, i in zip(outer, index, strict=True)}
        critical, low, high = threshold(steps[order], array.to_numpy()[index][order])
        found.append({**point, "effective": critical, "effective_low": low, "effective_high": high})
    frame = pd.DataFrame(found)
    # every aggregation that normalises divides by T here, since all responses are T tokens long
    summed = [rules.rule(name)[1] == "seq-mean-token-sum" for name in frame.rule]
    divisor = np.where(summed, 1.0, frame.length)
    for end in ("", "_low", "_high"):
        frame[f"critical{end}"] = frame[f"effective{end}"] * divisor
    return frame


def analyse(dataset, settings):
    """Means over replicates, sampled thresholds with intervals, and their exponents in length."""
    sampled = _averaged(dataset, {"final_success_rate": "success", "lost_share": "lost"})
    exact = _averaged(dataset, {"exact_success_rate": "success", "exact_lost_share": "lost"})
    curve = dataset["curve_success_rate"]
    curves = curve.mean("replicate").rename("success").to_dataframe().reset_index()
    for name, level in (("low", 0.1), ("high", 0.9)):
        values = curve.quantile(level, dim="replicate").drop_vars("quantile")
        curves[name] = values.rename(name).to_dataframe().reset_index()[name]
    curves = curves.drop(columns="failure_rate", errors="ignore").assign(
        group_size=settings["curve_group_size"]
    )
    thresholds = _thresholds(dataset, "final_success_rate", [*RUN, "group_size"])
    exact_thresholds = _thresholds(dataset, "exact_success_rate", list(RUN))

    rows = []
    fixed = thresholds[
        (thresholds.schedule == "constant") & (thresholds.length >= settings["fit_from_length"])
    ]
    for name in dict.fromkeys(fixed.rule):
        here = fixed[fixed.rule == name]
        advantage, aggregation = rules.rule(name)
        found = fit(here.length, here.critical, here.success_rate.astype(str) + here.group_size.astype(str))
        if found is not None:
            labels = {
                "study": "contextual",
                "family": "contextual",
                "advantage": advantage,
                "aggregation": aggregation,
            }
            predicted = closed_forms.length_exponent("contextual", advantage, aggregation)
            rows.append(row(labels, "length", predicted, found, sampled=True))

    runs = dataset[["final_success_rate", "lost_share"]].to_dataframe().reset_index()
    stalled = (runs.lost_share > 0) & (runs.final_success_rate > runs.success_rate)
    decaying = [name for name in dict.fromkeys(runs.schedule) if name != "constant"]
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


STUDIES.add("contextual")(
    Study(
        title="Which learning rates lose prompts that share parameters, and do sampled groups lose more?",
        predictions="P2, P3, P5, P6, P7",
        sweeps={
            "sampled": Sweep(
                (*RUN, "group_size", STEP, "replicate"), "gradgap.measurements.contextual_sampled"
            ),
            "exact": Sweep((*RUN, STEP, "replicate"), "gradgap.measurements.contextual_exact"),
            "curves": Sweep(
                (*INSTANCE, "rule", "curve_step_size", "replicate", "iteration"),
                "gradgap.measurements.contextual_curves",
            ),
        },
        analyse=analyse,
        draw="gradgap.studies.contextual.figure",
        settings=("fit_from_length",),
        defaults={"rule": ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"], "iterations": 300},
    )
)
