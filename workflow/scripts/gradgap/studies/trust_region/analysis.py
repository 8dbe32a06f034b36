"""Half-kept learning rates against steps a batch, the largest clips that keep half, and where no clip does."""

import math

import numpy as np
import pandas as pd

from ...inference.power_laws import fit, row, table
from ...sweep.study import Analysis
from ...theory import exponents, optimizers
from ...thresholds.exact import Search
from ...training.optimizers import OPTIMIZERS
from ...training.ratios import RATIOS
from . import GROUPS, LENGTH, LONG, RARE, RULE, STEPS

#: Steps are small where one goes back less than this, in standard deviations, once all token ratios are clipped.
_SMALL = 0.6


def _frame(dataset, names):
    """Variables of one sweep under short names, as a table."""
    return dataset[list(names)].to_dataframe().reset_index().rename(columns=names)


def _steps(dataset, sweep, ends=("",)):
    """Half-kept learning rates of a sweep over steps a batch, in units of that of one step, beside the prediction."""
    columns = {f"half_kept_{sweep}{end}": f"rate{end}" for end in ends}
    points = _frame(dataset, columns)
    if "ratio" not in points:
        points["ratio"] = "token"
    first = points[points.steps_per_batch == points.steps_per_batch.min()].set_index("ratio").rate
    of_one = points.ratio.map(first).to_numpy()
    for end in ends:
        points[f"factor{end}"] = points[f"rate{end}"] / of_one
    points["predicted"] = [
        optimizers.epochs_factor(int(of.steps_per_batch), of.ratio, float(LENGTH["length"]))
        for of in points.itertuples()
    ]
    return points


def _labels(about):
    return {
        "study": "trust_region",
        "family": "counting",
        "advantage": f"{RULE['advantage']}, {about}",
        "aggregation": RULE["aggregation"],
    }


def _step_rows(points, about):
    """Exponent in the steps a batch, of each ratio; predicted is the limit of long responses, 1/μ or 1."""
    rows = []
    ends = {end: points[f"rate_{end}"] for end in ("low", "high") if f"rate_{end}" in points}
    for ratio, of in points.groupby("ratio", sort=False):
        own = {end: values[of.index] for end, values in ends.items()}
        found = fit(of.steps_per_batch, of.rate, **own)
        if found is not None:
            law = math.log(optimizers.epochs_factor(16, ratio)) / math.log(16)
            formula = fit(of.steps_per_batch, of.predicted)
            labels = _labels(f"{ratio} ratio, {about}")
            search = f"{about} {ratio} steps"
            rows.append(row(labels, "steps_per_batch", law, found, closed_form=formula, search=search))
    return rows


def _minibatches(dataset):
    """Half-kept learning rates against minibatches, in units of that of the whole batch, beside the prediction."""
    ends = ("", "_low", "_high")
    points = _frame(dataset, {f"half_kept_minibatches{end}": f"rate{end}" for end in ends})
    first = points[points.minibatches == points.minibatches.min()].set_index("optimizer").rate
    of_one = points.optimizer.map(first).to_numpy()
    for end in ends:
        points[f"factor{end}"] = points[f"rate{end}"] / of_one
    failures = float(GROUPS["group_size"]) * (1 - float(RARE["success_rate"]))
    points["predicted"] = [
        _of_minibatches(of.optimizer, failures, int(of.minibatches)) for of in points.itertuples()
    ]
    return points


def _of_minibatches(optimizer, failures, minibatches):
    """Half-kept learning rate at m minibatches over that at one (O10): 1/m, and under Adam what noise leaves."""
    component = OPTIMIZERS.find(optimizer)
    if component.plain:
        return optimizers.epochs_factor(minibatches, "token")
    beta2 = component.complete()[component.squares]
    scaled = [optimizers.sampled_adam_scaled(failures, beta2, minibatches=m) for m in (minibatches, 1)]
    return scaled[0] / scaled[1]


def _minibatch_rows(points):
    """Exponent in the minibatches, of each optimizer; predicted is 1/m, and 1/√m where noise rules."""
    rows = []
    for optimizer, of in points.groupby("optimizer", sort=False):
        found = fit(of.minibatches, of.rate, low=of.rate_low, high=of.rate_high)
        if found is not None:
            law = -1.0 if OPTIMIZERS.find(optimizer).plain else -0.5
            labels = _labels("sampled") | {"family": RARE["family"], "optimizer": optimizer}
            formula = fit(of.minibatches, of.predicted)
            search = f"{optimizer} minibatches"
            rows.append(row(labels, "minibatches", law, found, closed_form=formula, search=search))
    return rows


def _length_rows(points, least):
    """Exponent of the half-kept learning rate in the length, at several steps a batch: that of one step."""
    rows = []
    for ratio, of in points[points.length >= least].groupby("ratio", sort=False):
        found = fit(of.length, of.rate, low=of.rate_low, high=of.rate_high)
        if found is not None:
            law = exponents.length_exponent("counting", *RULE.values())
            labels = _labels(f"{ratio} ratio, {STEPS['steps_per_batch']} steps, sampled")
            rows.append(row(labels, "length", law, found, search=f"sampled {ratio} length"))
    return rows


def _clip_row(points, ratio, about, series=None):
    """Exponents in the length of the largest clip range c that keeps half, and of log(1 + c), whose law it is."""
    rows = []
    for name, change in (("largest clip", lambda clip: clip), ("log of 1 + largest clip", np.log1p)):
        series_of = None if series is None else points[series]
        found = fit(points.length, change(points.largest), series_of)
        if found is not None:
            labels = _labels(f"{ratio} ratio, {name}, {about}")
            formula = fit(points.length, change(points.predicted), series_of)
            law, search = RATIOS.find(ratio).clip_power, f"clip {ratio} {about}"
            rows.append(row(labels, "length", law, found, closed_form=formula, search=search))
    return rows


def _clips(dataset, sweep):
    names = {
        f"{name}_{sweep}": short
        for name, short in (
            ("largest_clip", "largest"),
            ("best_kept", "best_kept"),
            ("search", "search"),
            ("steps", "steps"),
            ("pull_back", "moved_back"),
        )
    }
    return _frame(dataset, names)


def _range(values):
    known = values.dropna()
    return {"low": float(known.min()), "high": float(known.max())} if len(known) else None


def analyse(dataset, settings):
    """Exponents in steps a batch and in length, clips that protect, and what a clip does not prevent."""
    least = settings["fit_from_length"]
    exact, clipped = _steps(dataset, "steps"), _steps(dataset, "clipped_steps")
    sampled = _steps(dataset, "sampled_steps", ("", "_low", "_high"))
    lengths = _frame(dataset, {f"half_kept_step_lengths{end}": f"rate{end}" for end in ("", "_low", "_high")})
    rows = (
        _step_rows(exact, "exact")
        + _step_rows(clipped, f"exact, clipped, T = {LONG['length']}")
        + _step_rows(sampled, "sampled")
    )
    parted = _minibatches(dataset)
    rows += _length_rows(lengths, least) + _minibatch_rows(parted)

    batches = _clips(dataset, "batches")
    small = _clips(dataset, "small_steps")
    for points in (batches, small):
        ratios = points.ratio if "ratio" in points else pd.Series("token", points.index)
        points["predicted"] = [
            optimizers.clip_range(length, ratio) for length, ratio in zip(points.length, ratios, strict=True)
        ]
    gspo = batches[(batches.ratio == "gspo") & (batches.length >= least)]
    few = small[(small.length >= least) & (small.moved_back <= _SMALL)]
    rows += _clip_row(few, "token", "small steps", "pull_back")
    rows += _clip_row(gspo, "gspo", f"{STEPS['steps_per_batch']} steps")

    span = np.geomspace(dataset.length.min(), dataset.length.max(), 60)
    curves = pd.DataFrame(
        [
            {"ratio": ratio, "length": length, "largest": optimizers.clip_range(length, ratio)}
            for ratio in ("token", "gspo")
            for length in span
        ]
    )
    token = batches[batches.ratio == "token"]
    protected = token[token.search == Search.found].length
    findings = {
        "steps": {
            name: _range((of.factor / of.predicted)[of.steps_per_batch > 1])
            for name, of in exact.groupby("ratio", sort=False)
        },
        "clipped": _range((clipped.factor / clipped.predicted)[clipped.steps_per_batch > 1]),
        "sampled": {
            name: _range((of.factor / of.predicted)[of.steps_per_batch > 1])
            for name, of in sampled.groupby("ratio", sort=False)
        },
        "minibatches": {
            name: _range((of.factor / of.predicted)[of.minibatches > 1])
            for name, of in parted.groupby("optimizer", sort=False)
        },
        "token": _range(np.log1p(few.largest) / np.log1p(few.predicted)),
        "gspo": _range(np.log1p(gspo.largest) / np.log1p(gspo.predicted)),
        "small_kept": _range(small[small.moved_back <= _SMALL].best_kept),
        "large_kept": _range(small[small.moved_back >= 3].best_kept),
        "gspo_kept": _range(batches[batches.ratio == "gspo"].best_kept),
        "sequence_needs_none": bool(
            (batches[batches.ratio == "sequence"].search == Search.always_converged).all()
        ),
        "protected_to": int(protected.max()) if len(protected) else None,
        "group_size": int(GROUPS["group_size"]),
        "failures_a_group": int(GROUPS["group_size"]) * (1 - float(RARE["success_rate"])),
        "steps_of_lengths": int(STEPS["steps_per_batch"]),
        "length_of_steps": int(LENGTH["length"]),
        "length_clipped": int(LONG["length"]),
        "batch_rate_ratio": float(settings["batch_rate_ratio"]),
        "undecided": int(
            exact.rate.isna().sum()
            + clipped.rate.isna().sum()
            + sampled.rate.isna().sum()
            + parted.rate.isna().sum()
        ),
        "thresholds": len(exact) + len(clipped) + len(sampled) + len(parted),
    }
    panels = {
        "steps": exact,
        "clipped_steps": clipped,
        "sampled_steps": sampled,
        "minibatches": parted,
        "clips": batches,
        "small_steps": small,
        "clip_curves": curves,
    }
    return Analysis(panels, table(rows), findings)
