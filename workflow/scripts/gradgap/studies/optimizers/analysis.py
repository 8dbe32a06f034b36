"""What becomes of the half-kept learning rate under optimizers: exponents, collapse, and the spread over rules."""

import functools
import math

import numpy as np
import pandas as pd

from ...bandits import FAMILIES
from ...inference.power_laws import fit, row, table
from ...sweep.study import Analysis
from ...theory import closed_forms, exponents, optimizers
from ...training.optimizers import OPTIMIZERS
from ...training.rules import rule
from . import MIXED, PROMPT_GROUPS, PROMPTS, RULE, SAMPLED

#: Of the instance of the sweeps over momentum and clips.
_LENGTH, _RATE = 256, 0.2
#: Regimes of sampled groups that have laws of their own, with the exponents that are read off in each.
REGIMES = ("averaged", "lone")


def _sweep(dataset, name, sampled=False):
    """Points of one sweep, with its half-kept learning rate as α, the ends of its interval, and C = α√N/2."""
    ends = ("", "_low", "_high") if sampled else ("",)
    columns = {f"half_kept_{name}{end}": f"rate{end}" for end in ends} | {
        f"long_length_{name}": "long_length"
    }
    points = dataset[list(columns)].to_dataframe().reset_index().rename(columns=columns)
    for end in ends:
        points[f"scaled{end}"] = (
            optimizers.scaled_rate(1.0, 1.0) * points[f"rate{end}"] * np.sqrt(points.long_length)
        )
    return points


def _exact_law(optimizer, family, axis):
    """Exponent predicted of expected updates; that of plain ascent, unless the optimizer is scale-free."""
    if OPTIMIZERS.find(optimizer).scale_free:
        law = optimizers.scale_free_exponents(family, "exact")
        return law.length if axis == "length" else law.failure
    known = exponents.length_exponent if axis == "length" else exponents.failure_exponent
    return known(family, *RULE.values())


def _labels(family, optimizer, about="", advantage=RULE["advantage"]):
    return {
        "study": "optimizers",
        "family": family,
        "advantage": f"{advantage}, {about}" if about else advantage,
        "aggregation": RULE["aggregation"],
        "optimizer": optimizer,
    }


def _exact_rows(points, family, axis):
    """A row an optimizer of exact dynamics; the closed form of scale-free ones is that of O1, C being a constant."""
    rows = []
    for optimizer, group in points.groupby("optimizer", sort=False):
        found = fit(group[axis], group.rate)
        if found is not None:
            labels = _labels(family, optimizer, "exact")
            predicted = _exact_law(optimizer, family, axis)
            search = f"exact {family} {optimizer} {axis}"
            free = OPTIMIZERS.find(optimizer).scale_free
            formula = fit(group[axis], 1 / np.sqrt(group.long_length)) if free else None
            rows.append(row(labels, axis, predicted, found, closed_form=formula, search=search))
    return rows


def _fit(points, axis, others):
    """Exponent measured in an axis at fixed others, and that of the formula of O9 at the same points."""
    series = points[others].astype(str).agg("/".join, axis=1)
    measured = fit(points[axis], points.rate, series, low=points.rate_low, high=points.rate_high)
    return measured, fit(points[axis], points.predicted, series)


def _sampled_rows(groups):
    """Rows of sampled Adam on `gated` in the regimes that have a law, for each β2."""
    rows = []
    for beta2, of in groups.groupby("beta2", sort=False):
        for regime in REGIMES:
            here = of[of.regime == regime]
            law = optimizers.scale_free_exponents("gated", regime)
            for axis, other, predicted in (
                ("failure_rate", "group_size", law.failure),
                ("group_size", "failure_rate", law.group_size),
            ):
                measured, formula = _fit(here, axis, [other]) if len(here) else (None, None)
                if measured is not None:
                    labels = _labels("gated", "adam", f"β2 = {beta2:g}, {regime}")
                    search = f"sampled adam {beta2:g} {regime} {axis}"
                    rows.append(row(labels, axis, predicted, measured, closed_form=formula, search=search))
    return rows


def _mixed_row(mixed):
    """The row of dynamic sampling, where few groups are mixed: n(1−J) < 1."""
    few = mixed[mixed.failures < 1]
    measured = fit(few.failure_rate, few.rate, low=few.rate_low, high=few.rate_high)
    if measured is None:
        return []
    formula = fit(few.failure_rate, few.predicted)
    labels = _labels("gated", "adam", "dynamic sampling, lone")
    law = optimizers.scale_free_exponents("gated", "lone")
    search = "sampled adam dynamic sampling"
    return [row(labels, "failure_rate", law.failure, measured, closed_form=formula, search=search)]


def _length_rows(lengths, least):
    """Rows of sampled Adam in the length, for each β2 whose point lies inside a regime."""
    rows = []
    for beta2, group in lengths[lengths.length >= least].groupby("beta2", sort=False):
        regime = group.regime.iloc[0]
        measured = fit(group.length, group.rate, low=group.rate_low, high=group.rate_high)
        if measured is not None:
            law = optimizers.scale_free_exponents("gated", regime.split("/")[-1])
            labels = _labels("gated", "adam", f"β2 = {beta2:g}, {regime}, n = {SAMPLED['group_size']}")
            formula = fit(group.length, group.predicted)
            search = f"sampled adam {beta2:g} length"
            rows.append(row(labels, "length", law.length, measured, closed_form=formula, search=search))
    return rows


def _prompts(dataset, name):
    """Points of one sweep over prompts that share parameters, with the half-kept learning rate."""
    columns = {f"half_kept_prompt_{name}{end}": f"rate{end}" for end in ("", "_low", "_high")}
    return dataset[list(columns)].to_dataframe().reset_index().rename(columns=columns)


def _spread(points):
    """Largest over smallest half-kept learning rate of all rules, for each optimizer and length."""
    by = points.groupby(["optimizer", "length"], sort=False).rate
    return by.agg(lambda rates: rates.max() / rates.min()).reset_index()


def _of_rules(dataset, read, prefix=""):
    """The sweeps over rules, under plain ascent and under Adam, as one table."""
    both = [
        read(dataset, f"{prefix}{name}").assign(optimizer=optimizer)
        for name, optimizer in (("plain_rules", "sgd"), ("adam_rules", "adam"))
    ]
    points = pd.concat(both, ignore_index=True)
    points["advantage"], points["aggregation"] = zip(*map(rule, points.rule), strict=True)
    return points


def _prompt_rows(exact, in_groups, least):
    """Exponents in length where prompts share parameters: of each optimizer, and of each rule in groups."""
    exact = exact.assign(**RULE, about="exact")
    in_groups = in_groups.assign(about=f"n = {PROMPT_GROUPS['group_size']}")
    rows = []
    for points in (exact[exact.length >= least], in_groups[in_groups.length >= least]):
        keys = ["optimizer", "advantage", "aggregation", "about"]
        for (optimizer, advantage, aggregation, about), group in points.groupby(keys, sort=False):
            found = fit(group.length, group.rate, low=group.rate_low, high=group.rate_high)
            if found is not None:
                labels = _labels(PROMPTS["family"], optimizer, about, advantage)
                predicted = optimizers.shared_length_exponent(optimizer, aggregation)
                search = f"prompts {about} {optimizer} {advantage} {aggregation}"
                rows.append(
                    row(labels | {"aggregation": aggregation}, "length", predicted, found, search=search)
                )
    return rows


def _with_formula(points, dynamic=False):
    """n(1−J), the regime, and α½ by the formula of O9, at sampled points of Adam."""
    points = points.assign(failures=points.group_size * points.failure_rate)
    # the formula has one β2, and the axis is left out where there is one setting only
    beta2 = points.beta2 if "beta2" in points else pd.Series(0.999, points.index)
    pairs = list(zip(points.failures, beta2, strict=True))
    points["scaled_predicted"] = [optimizers.sampled_adam_scaled(x, b, dynamic) for x, b in pairs]
    points["regime"] = [
        optimizers.regime(n, f, b, dynamic)
        for n, f, b in zip(points.group_size, points.failure_rate, beta2, strict=True)
    ]
    points["predicted"] = 2 * points.scaled_predicted / np.sqrt(points.long_length)
    points["ratio"] = points.rate / points.predicted
    return points


def _curve(groups):
    """The formula of O9 as a curve over the failures a group, for each β2."""
    span = np.geomspace(groups.failures.min(), groups.failures.max(), 120)
    curves = [
        {"beta2": beta2, "failures": x, "scaled": optimizers.sampled_adam_scaled(x, beta2)}
        for beta2 in groups.beta2.unique()
        for x in span
    ]
    return pd.DataFrame(curves)


def _clip(points):
    """α½ under a clip by the two-cycle of O7, for plain ascent on the instance of the sweep."""
    instance = FAMILIES.find("counting").instance(_LENGTH, _RATE)
    low, high = 0.0, abs(instance.theta0) * 4
    best = instance.at(0.0)[0]
    for _ in range(60):  # where half is kept, by bisection; J falls with |θ|
        middle = (low + high) / 2
        low, high = (middle, high) if instance.at(middle)[0] > best / 2 else (low, middle)
    success, failure, gap = instance.at(low)
    update = success * failure * abs(gap)
    points = points.assign(predicted=[optimizers.clip_half_kept(low, update, c) for c in points.clip_norm])
    return points.assign(binds=points.clip_norm < update, ratio=points.rate / points.predicted)


def _range(ratios):
    known = ratios.dropna()
    return {"low": float(known.min()), "high": float(known.max())} if len(known) else None


def analyse(dataset, settings):
    """Exponents of each optimizer, the collapse of sampled Adam, momentum and clips, and the spread over rules."""
    least = settings["fit_from_length"]
    lengths, failures = _sweep(dataset, "lengths"), _sweep(dataset, "failure_rates")
    long = lengths[lengths.length >= least]
    rows = _exact_rows(long, "counting", "length") + _exact_rows(failures, "gated", "failure_rate")

    groups = _with_formula(_sweep(dataset, "groups", sampled=True))
    size = int(SAMPLED["group_size"])
    mixed = _sweep(dataset, "mixed_groups", sampled=True).assign(group_size=int(MIXED["group_size"]))
    mixed = _with_formula(mixed, dynamic=True)
    by_length = _sweep(dataset, "sampled_lengths", sampled=True)
    by_length = _with_formula(
        by_length.assign(group_size=size, failure_rate=1 - float(SAMPLED["success_rate"]))
    )
    rows += _sampled_rows(groups) + _mixed_row(mixed) + _length_rows(by_length, least)

    plain = dataset[
        ["half_kept_learning_rate", "half_kept_learning_rate_low", "half_kept_learning_rate_high"]
    ]
    plain = (
        plain.to_dataframe()
        .reset_index()
        .rename(columns=lambda name: name.replace("half_kept_learning_", ""))
    )
    # plain ascent in the units of the others, so that the two can be told apart in one panel
    whole = groups.drop_duplicates(["success_rate", "group_size"])[
        ["success_rate", "group_size", "long_length"]
    ]
    plain = plain.merge(whole, on=["success_rate", "group_size"])
    plain["failures"] = plain.group_size * plain.failure_rate
    for end in ("", "_low", "_high"):
        plain[f"scaled{end}"] = plain[f"rate{end}"] * np.sqrt(plain.long_length) / 2
    plain = plain.drop(columns="rate_exact", errors="ignore")

    share = 1 / settings["start_failure_rate"]  # of long responses, for each of failures: 1 − J₀ = εq₀
    joint = groups[groups.beta2 == groups.beta2.max()].merge(
        plain[["success_rate", "group_size", "rate"]],
        on=["success_rate", "group_size"],
        suffixes=("", "_plain"),
    )
    joint["through_rms"] = [
        of.rate
        / optimizers.sampled_adam_half_kept(
            of.rate_plain, optimizers.update_rms(of.long_length, share * of.failure_rate, of.group_size)
        )
        for of in joint.itertuples()
    ]

    momenta = _sweep(dataset, "momenta").sort_values("momentum")
    critical = closed_forms.critical_closed_form(
        FAMILIES.find("counting").instance(_LENGTH, _RATE), *RULE.values()
    )
    momenta["local"] = [optimizers.stability_factor("momentum", {"momentum": b}) for b in momenta.momentum]
    momenta["factor"] = momenta.rate / critical
    clips = _clip(_sweep(dataset, "clips"))

    spread = _of_rules(dataset, functools.partial(_sweep, sampled=True))
    factors = _spread(spread)
    largest = {name: group.rate.max() for name, group in factors.groupby("optimizer")}

    prompts, prompt_rules = _prompts(dataset, "optimizers"), _of_rules(dataset, _prompts)
    rows += _prompt_rows(prompts, prompt_rules, least)
    prompt_factors = _spread(prompt_rules)
    prompt_largest = {name: group.rate.max() for name, group in prompt_factors.groupby("optimizer")}

    start = optimizers.start_deviations(_RATE)
    sign = lengths[(lengths.optimizer == "sign") & (lengths.length >= least)].scaled
    sign = sign / optimizers.sign_half_kept(start)
    scaled = {
        name: _range(
            pd.concat([long[long.optimizer == name].scaled, failures[failures.optimizer == name].scaled])
        )
        for name in lengths.optimizer.unique()
        if OPTIMIZERS.find(name).scale_free
    }
    searched = (lengths, failures, groups, mixed, spread, plain, prompts, prompt_rules)
    findings = {
        "scaled": {name: found for name, found in scaled.items() if found is not None},
        "sign": _range(sign),
        "collapse": {
            f"{beta2:g}": {**_range(of.ratio), "median": float(of.ratio.median())}
            for beta2, of in groups.groupby("beta2")
            if of.ratio.notna().any()
        },
        "through_rms": _range(joint[joint.failures.between(0.009, 3)].through_rms),
        "mixed": _range(mixed.ratio),
        "by_length": _range(by_length.ratio),
        "clip_binds": _range(clips[clips.binds].ratio),
        "momentum": {
            f"{of.momentum:g}": {"measured": of.factor, "local": of.local} for of in momenta.itertuples()
        },
        "spread_plain": float(largest.get("sgd", math.nan)),
        "spread_adam": float(largest.get("adam", math.nan)),
        "prompt_spread_plain": float(prompt_largest.get("sgd", math.nan)),
        "prompt_spread_adam": float(prompt_largest.get("adam", math.nan)),
        "smallest": int(groups.group_size.min()),
        "largest": int(groups.group_size.max()),
        "undecided": int(sum(of.rate.isna().sum() for of in searched)),
        "thresholds": sum(map(len, searched)),
    }
    panels = {
        "lengths": lengths,
        "failure_rates": failures,
        "groups": groups,
        "through_rms": joint[["success_rate", "group_size", "failures", "through_rms"]],
        "formula": _curve(groups),
        "plain_groups": plain,
        "mixed_groups": mixed,
        "sampled_lengths": by_length,
        "momenta": momenta,
        "clips": clips,
        "rules": spread,
        "spread": factors,
        "prompts": prompts,
        "prompt_rules": prompt_rules,
        "prompt_spread": prompt_factors,
    }
    return Analysis(panels, table(rows), findings)
