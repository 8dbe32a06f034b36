"""The study of optimizers: exponents, verdicts and ratios read off data whose law is known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from gradgap.report import captions, figure_data, style
from gradgap.studies.optimizers import figure, figure_prompts
from gradgap.sweep.study import STUDIES
from gradgap.theory import optimizers as theory

LENGTHS = 2 ** np.arange(4, 13)
FAILURES = np.array([0.1, 0.03, 0.01, 0.003, 0.001])
SIZES = np.array([4, 16, 64, 256, 1024])
DECAYS = np.array([0.999, 0.95])
RULES = ["REINFORCE", "GRPO"]
SETTINGS = {"fit_from_length": 64, "start_failure_rate": 0.8, "replicates": 64, "dimension": 8}


def dataset(adam=1.0, length_power=-0.5):
    """Data that obey the laws: scale-free ones at C = 4, plain ascent as 1/T, sampled Adam by the formula of O9."""
    free = 8.0 * LENGTHS**length_power
    long = 0.8 * 64 / FAILURES

    def sampled(name, dims, values, lengths):
        return {
            f"half_kept_{name}": (dims, values),
            f"half_kept_{name}_low": (dims, values * 0.99),
            f"half_kept_{name}_high": (dims, values * 1.01),
            f"long_length_{name}": (dims, np.broadcast_to(lengths, values.shape)),
        }

    scaled = np.array(
        [[[theory.sampled_adam_scaled(n * f, b) for b in DECAYS] for n in SIZES] for f in FAILURES]
    )
    groups = adam * 2 * scaled / np.sqrt(long[:, None, None])
    mixed = [theory.sampled_adam_scaled(64 * f, 0.999, True) for f in FAILURES]
    whole = 0.8 * LENGTHS / 0.01
    by_length = [[2 * theory.sampled_adam_scaled(0.16, b) / np.sqrt(n) for b in DECAYS] for n in whole]
    plain = np.multiply.outer(FAILURES, SIZES) / 64

    def shared(name, dims, values):
        return {
            f"half_kept_prompt_{name}{end}": (dims, values * factor)
            for end, factor in (("", 1), ("_low", 0.99), ("_high", 1.01))
        }

    flat = np.ones(len(LENGTHS))
    variables = {
        **shared("optimizers", ("optimizer", "length"), np.array([50 * flat, 2 * flat])),
        **shared("plain_rules", ("length", "rule"), np.array([30 * flat, 15.0 * LENGTHS]).T),
        **shared("adam_rules", ("length", "rule"), np.array([2.0 * flat, 2.5 * flat]).T),
        "half_kept_lengths": (("optimizer", "length"), np.array([40 / LENGTHS, free])),
        "long_length_lengths": (("optimizer", "length"), np.array([LENGTHS, LENGTHS])),
        "half_kept_failure_rates": (
            ("optimizer", "success_rate"),
            np.array([0.6 + 0 * FAILURES, 8 / np.sqrt(long)]),
        ),
        "long_length_failure_rates": (("optimizer", "success_rate"), np.array([long, long])),
        "half_kept_momenta": ("momentum", np.array([0.15, 0.08])),
        "long_length_momenta": ("momentum", np.array([256, 256])),
        "half_kept_clips": ("clip_norm", np.array([3.6, 0.36])),
        "long_length_clips": ("clip_norm", np.array([256, 256])),
        "half_kept_learning_rate": (("success_rate", "group_size"), plain),
        "half_kept_learning_rate_low": (("success_rate", "group_size"), plain * 0.9),
        "half_kept_learning_rate_high": (("success_rate", "group_size"), plain * 1.1),
        **sampled("groups", ("success_rate", "group_size", "beta2"), groups, long[:, None, None]),
        **sampled("mixed_groups", ("success_rate",), 2 * np.array(mixed) / np.sqrt(long), long),
        **sampled("sampled_lengths", ("length", "beta2"), np.array(by_length), whole[:, None]),
        **sampled("plain_rules", ("length", "rule"), np.array([[1.0, 2000.0]] * 9), whole[:, None]),
        **sampled("adam_rules", ("length", "rule"), np.array([[1.0, 1.5]] * 9), whole[:, None]),
    }
    coordinates = {
        "optimizer": ["sgd", "adam"],
        "length": LENGTHS,
        "success_rate": 1 - FAILURES,
        "failure_rate": ("success_rate", FAILURES),
        "group_size": SIZES,
        "beta2": DECAYS,
        "momentum": [0.0, 0.9],
        "clip_norm": [0.1, 1.0],
        "rule": RULES,
    }
    return xr.Dataset(variables, coords=coordinates)


def analysed(**changes):
    return STUDIES.find("optimizers").analyse(dataset(**changes), SETTINGS)


def test_known_laws_are_read_off_and_confirmed():
    rows = analysed().scaling
    rows = rows[rows.family != "contextual"]
    exact = rows[rows.advantage.str.endswith(", exact")].set_index(["optimizer", "axis"])
    for (optimizer, axis), power in {
        ("sgd", "length"): -1.0,
        ("adam", "length"): -0.5,
        ("sgd", "failure_rate"): 0.0,
        ("adam", "failure_rate"): 0.5,
    }.items():
        found = exact.loc[optimizer, axis]
        assert found.predicted == power
        assert found.measured == pytest.approx(power, abs=1e-9)
        assert found.verdict == "confirmed"
    assert exact.loc["adam", "length"].closed_form == pytest.approx(-0.5, abs=1e-9)
    sampled = rows[~rows.advantage.str.endswith(", exact")]
    assert set(sampled.optimizer) == {"adam"}
    # data made by the formula have the formula's own exponent in every regime
    assert sampled.measured.to_numpy() == pytest.approx(sampled.closed_form.to_numpy(), abs=1e-9)
    averaged = sampled[sampled.advantage == "dr_grpo, β2 = 0.999, averaged"].set_index("axis")
    assert averaged.loc["failure_rate"].predicted == 1
    assert averaged.loc["group_size"].predicted == 0.5
    lone = sampled[sampled.advantage == "dr_grpo, β2 = 0.95, lone"].set_index("axis")
    assert lone.loc["failure_rate"].predicted == 0.5
    assert lone.loc["group_size"].predicted == 0


def test_prompts_that_share_parameters_know_no_length_but_that_of_a_divisor():
    found = analysed()
    rows = found.scaling[found.scaling.family == "contextual"]
    assert len(rows) == 6
    assert set(rows.verdict) == {"confirmed"}
    power = rows.set_index(["optimizer", "advantage", "aggregation"]).predicted
    assert power["sgd", "grpo, n = 16", "seq-mean-token-mean"] == 1
    assert power["adam", "grpo, n = 16", "seq-mean-token-mean"] == 0
    assert power["sgd", "dr_grpo, exact", "seq-mean-token-sum"] == 0
    assert found.findings["prompt_spread_plain"] == pytest.approx(15 * 4096 / 30)
    assert found.findings["prompt_spread_adam"] == pytest.approx(1.25)
    with style.Look(3.5, 7.2, 7, 60).applied():
        drawn = figure_prompts.draw(found.panels, found.scaling, style.Look(3.5, 7.2, 7, 60))
        texts = [text.get_text() for panel in drawn.axes for text in panel.texts]
    assert "rules up to a factor\n2 000 apart" in texts
    assert "adam 0.00" in [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]


def test_a_law_that_fails_is_refuted():
    rows = analysed(length_power=-0.7).scaling
    [row] = rows[(rows.optimizer == "adam") & (rows.family == "counting")].to_dict("records")
    assert row["verdict"] == "refuted"


def test_ratios_and_spreads():
    found = analysed(adam=1.25).findings
    for of in found["collapse"].values():
        assert of["low"] == pytest.approx(1.25)
        assert of["high"] == pytest.approx(1.25)
    assert found["mixed"]["low"] == pytest.approx(1)
    assert found["by_length"]["high"] == pytest.approx(1)
    assert found["spread_plain"] == pytest.approx(2000)
    assert found["spread_adam"] == pytest.approx(1.5)
    assert found["scaled"] == {"adam": {"low": pytest.approx(4), "high": pytest.approx(4)}}
    assert found["momentum"]["0.9"]["local"] == pytest.approx(1.9)
    assert found["momentum"]["0.9"]["measured"] / found["momentum"]["0"]["measured"] == pytest.approx(8 / 15)
    # α½c = 2A, A = 0.177 where half is kept at N = 256: binomial sums of tests/test_optimizer_thresholds.py
    assert found["clip_binds"]["low"] == pytest.approx(0.36 / 0.3537, rel=1e-3)
    assert found["undecided"] == 0


def test_plain_ascents_rate_times_the_size_of_an_update():
    panel = analysed().panels["through_rms"]
    one = panel[(panel.group_size == 16) & np.isclose(panel.failures, 0.16)].iloc[0]
    long, share = 0.8 * 64 / 0.01, 0.0125
    plain = 0.16 / 64
    adam = 2 * theory.sampled_adam_scaled(0.16, 0.999) / np.sqrt(long)
    assert one.through_rms == pytest.approx(adam / (plain * theory.update_rms(long, share, 16)))


def test_the_figure_and_the_caption_are_made_of_what_was_found(tmp_path):
    found = analysed()
    figure_data.write(found.panels, tmp_path / "numbers.csv")
    with style.Look(3.5, 7.2, 7, 60).applied():
        drawn = figure.draw(
            figure_data.read(tmp_path / "numbers.csv"), found.scaling, style.Look(3.5, 7.2, 7, 60)
        )
        texts = [text.get_text() for panel in drawn.axes for text in panel.texts]
        assert "rules up to a factor\n2 000 apart" in texts
        assert "rules up to a factor\n1.5 apart" in texts
        assert len(drawn.axes) == 6
    text = captions.fill(captions.template("optimizers"), found, SETTINGS)
    assert "a factor 2000 apart, under Adam up to 1.50" in text
    assert "adam has 4.00 to 4.00" in text


def test_thin_data_are_drawn():
    with style.Look(3.5, 7.2, 7, 60).applied():
        found = analysed()
        thin = {name: table.head(1) for name, table in found.panels.items()}
        drawn = figure.draw(thin, pd.DataFrame(columns=found.scaling.columns), style.Look(3.5, 7.2, 7, 60))
        assert len(drawn.axes) == 6
