"""The command line: the keys it promises, the numbers of the library, errors without a trace."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from gradgap import cli
from gradgap.bandits import FAMILIES
from gradgap.theory import closed_forms
from gradgap.thresholds import exact, sampled
from gradgap.training import plain
from gradgap.training.run import run


def call(capsys, *argv):
    code = cli.main([str(word) for word in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_threshold_gives_what_the_library_gives(capsys):
    arguments = ("--length", 64, "--success-rate", 0.99, "--advantage", "grpo", "--aggregation", "token-mean")
    code, out, _ = call(capsys, "threshold", "gated", *arguments, "--iterations", 500, "--json")
    found = json.loads(out)
    instance = FAMILIES.find("gated").instance(64, 0.99, 0.01)
    assert code == 0
    assert found["one_step"] == exact.one_step(instance)
    measured = exact.critical(instance, "grpo", iterations=500).divided(instance.length)
    assert found["critical"] == measured.learning_rate
    assert found["closed_form"]["critical"] == pytest.approx(found["critical"], rel=5e-3)
    assert found["closed_form"]["critical"] == closed_forms.critical_closed_form(
        instance, "grpo", "token-mean"
    )
    assert found["closed_form"]["reach"] == "global"
    assert found["closed_form"]["safe"] == found["closed_form"]["critical"]
    assert set(found["bounds"]) == {"paper", "prop1", "prop2", "prop3", "prop4", "prop5"}
    assert found["failure_rate"] == pytest.approx(0.01)
    assert found["success_rate"] == pytest.approx(0.99)
    assert found["gap_norm"] > 0
    assert found["theta0"] == instance.theta0
    for bound in found["bounds"].values():
        assert bound <= found["one_step"]


def test_threshold_on_a_wide_window_says_that_the_closed_form_is_local(capsys):
    arguments = (
        "counting",
        "--length",
        1024,
        "--success-rate",
        0.2,
        "--window",
        4,
        "--advantage",
        "reinforce",
    )
    code, text, _ = call(capsys, "threshold", *arguments, "--iterations", 300)
    assert code == 0
    _, out, _ = call(capsys, "threshold", *arguments, "--iterations", 300, "--json")
    found = json.loads(out)
    assert found["closed_form"]["critical"] > 40 * found["critical"]
    assert found["closed_form"]["reach"] == "local"
    assert "(local: " in text
    assert found["closed_form"]["safe"] < found["critical"]


COUNTING = (
    "counting",
    "--length",
    64,
    "--success-rate",
    0.2,
    "--advantage",
    "reinforce",
    "--iterations",
    300,
)


def test_threshold_gives_the_half_kept_learning_rate_beside_the_critical_one(capsys):
    instance = FAMILIES.find("counting").instance(64, 0.2)
    found = {}
    for name in ("sgd", "adam", "momentum"):
        code, out, _ = call(capsys, "threshold", *COUNTING, "--optimizer", name, "--json")
        assert code == 0
        found[name] = json.loads(out)
        rate = sampled.half_kept_exact(
            instance, "reinforce", "seq-mean-token-sum", iterations=300, optimizer=name
        )
        assert found[name]["half_kept"] == rate
        assert "half_kept_interval" not in found[name]
        assert found[name]["one_step"] == found["sgd"]["one_step"]
    _, out, _ = call(capsys, "threshold", *COUNTING, "--json")
    assert json.loads(out) == found["sgd"]
    assert found["adam"]["critical"] is None
    assert found["adam"]["search"] is None
    assert found["adam"]["closed_form"]["critical"] is None
    assert found["adam"]["closed_form"]["reach"] is None
    # at the best θ momentum 0.9 allows 1.9 times as much (O4)
    assert found["momentum"]["closed_form"]["critical"] == pytest.approx(
        1.9 * found["sgd"]["closed_form"]["critical"]
    )
    assert found["momentum"]["closed_form"]["reach"] == "local"


def test_threshold_with_optimizer_settings_and_a_clip(capsys):
    given = ("--optimizer", "momentum", "--optimizer-setting", "momentum=0.3")
    _code, out, _ = call(capsys, "threshold", *COUNTING, *given, "--json")
    found = json.loads(out)
    assert found["critical"] == pytest.approx(found["closed_form"]["critical"], rel=5e-3)
    _, out, _ = call(capsys, "threshold", *COUNTING, "--clip-norm", 0.3, "--json")
    clipped = json.loads(out)
    _, out, _ = call(capsys, "threshold", *COUNTING, "--json")
    plain = json.loads(out)
    assert clipped["critical"] == pytest.approx(plain["critical"], rel=5e-3)  # a clip does not move α* (O7)
    assert clipped["half_kept"] > 1.5 * plain["half_kept"]


def test_threshold_under_a_controller(capsys):
    _, out, _ = call(capsys, "threshold", *COUNTING, "--iterations", 300, "--json")
    fixed = json.loads(out)
    _, out, _ = call(
        capsys, "threshold", *COUNTING, "--iterations", 300, "--schedule", "headroom-2", "--json"
    )
    held = json.loads(out)
    assert held["critical"] > 2 * fixed["critical"]
    assert held["closed_form"]["critical"] is None
    assert held["closed_form"]["safe"] is None
    code, _, error = call(capsys, "threshold", *COUNTING, "--schedule", "headroom-7")
    assert code == 2
    assert "headroom-2, headroom-4" in error


def test_several_steps_a_batch(capsys):
    """μ steps divide the critical learning rate by μ with token ratios, and by 1 with the whole ratio (O10)."""
    rule = ("--advantage", "dr_grpo", "--steps-per-batch", 4)
    arguments = ("threshold", *COUNTING, *rule, "--json")
    _, out, _ = call(capsys, *arguments, "--clip-range", 0.2, "--clip-range-high", 0.28)
    found = json.loads(out)
    assert found["critical"] == pytest.approx(found["closed_form"]["critical"], rel=5e-3)
    assert found["closed_form"]["reach"] == "local"
    # two times through two minibatches, which in expected updates are the whole batch
    divided = ("--advantage", "dr_grpo", "--steps-per-batch", 2, "--minibatches", 2, "--clip-range", 0.2)
    _, out, _ = call(capsys, "threshold", *COUNTING, *divided, "--clip-range-high", 0.28, "--json")
    assert json.loads(out) == found
    _, out, _ = call(capsys, *arguments, "--ratio", "sequence")
    whole = json.loads(out)
    assert whole["closed_form"]["critical"] == pytest.approx(4 * found["closed_form"]["critical"])
    options = ("--iterations", 5, "--learning-rate", 0.1, "--ratio", "gspo", "--clip-range", 0.01, "--json")
    _, out, _ = call(capsys, "run", *COUNTING[:5], *rule, *options)
    again = run(
        FAMILIES.find("counting").instance(64, 0.2),
        "dr_grpo",
        "seq-mean-token-sum",
        0.1,
        iterations=5,
        steps_per_batch=4,
        ratio="gspo",
        clip_range=0.01,
        path=True,
    )
    assert json.loads(out)["success_rate"] == again.success_rate.tolist()


def test_threshold_with_a_group_size_is_sampled(capsys):
    options = (
        "--optimizer",
        "adam",
        "--optimizer-setting",
        "beta2=0.95",
        "--group-size",
        16,
        "--replicates",
        6,
    )
    arguments = ("gated", "--length", 16, "--success-rate", 0.95, "--iterations", 50, *options, "--json")
    found = []
    for more in ((), (), ("--seed", 1), ("--dynamic-sampling",)):
        code, out, _ = call(capsys, "threshold", *arguments, *more)
        assert code == 0
        found.append(json.loads(out))
    interval = found[0]["half_kept_interval"]
    assert interval["low"] <= found[0]["half_kept"] <= interval["high"]
    assert found[0] == found[1]
    assert len({one["half_kept"] for one in found}) == 3
    instance = FAMILIES.find("gated").instance(16, 0.95, 0.05)
    point = {
        "family": "gated",
        "advantage": "grpo",
        "aggregation": "seq-mean-token-sum",
        "length": "16",
        "success_rate": "0.95",
        "group_size": "16",
        "beta2": "0.95",
        "optimizer": "adam",
    }
    again = sampled.half_kept(
        instance,
        "grpo",
        "seq-mean-token-sum",
        group_size=16,
        iterations=50,
        replicates=6,
        seed=0,
        coordinates=point,
        optimizer="adam",
        optimizer_settings={"beta2": 0.95},
    )
    assert found[0]["half_kept"] == again.learning_rate


PROMPTS = ("contextual", "--length", 16, "--success-rate", 0.3, "--iterations", 60)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_threshold_of_prompts_that_share_parameters(capsys, optimizer):
    """The plain loop keeps more than half below the half-kept learning rate, and less above; α* is none."""
    _, out, _ = call(capsys, "threshold", *PROMPTS, "--optimizer", optimizer, "--json")
    found = json.loads(out)
    bandit = FAMILIES.find("contextual").instance(16, 0.3, 0.7)
    assert found["critical"] is found["search"] is found["closed_form"]["critical"] is None
    assert "half_kept_interval" not in found
    assert found["theta0"] == bandit.start.tolist()
    worst = 1 - 4.0**-4  # four contexts, each settled on one of four candidates
    for factor, more in ((0.8, True), (1.25, False)):
        failures = [
            plain.train(
                bandit,
                "grpo",
                "seq-mean-token-sum",
                factor * found["half_kept"],
                iterations=60,
                optimizer=optimizer,
                start=start * bandit.start,
            ).final_failure_rate
            for start in np.linspace(0.8, 1.2, 24)
        ]
        assert (float(np.mean(failures)) < worst / 2) is more
    # the first step along the gap that does harm, seen on a grid
    gap = bandit.at(bandit.start)[2]
    assert found["gap_norm"] == pytest.approx(np.linalg.norm(gap), rel=1e-12)
    steps = found["one_step"] * np.linspace(0.01, 1.01, 101)
    gained = [bandit.at(bandit.start + x * gap / np.linalg.norm(gap))[0] - 0.3 for x in steps]
    assert all(gain > 0 for gain in gained[:99])
    assert gained[100] < 0
    assert all(bound < found["one_step"] for bound in found["bounds"].values() if bound)


def test_threshold_of_prompts_in_groups(capsys):
    options = ("--group-size", 8, "--replicates", 8, "--optimizer", "adam")
    _, out, _ = call(capsys, "threshold", *PROMPTS, *options, "--json")
    found = json.loads(out)
    interval = found["half_kept_interval"]
    assert 0 < interval["low"] <= found["half_kept"] <= interval["high"]
    _, text, _ = call(capsys, "threshold", *PROMPTS, *options)
    assert "the success rate only tends to its best value as θ grows" in text
    assert "of 8 parameters" in text
    code, _, err = call(capsys, "threshold", *PROMPTS, "--steps-per-batch", 2)
    assert code == 2
    assert "steps_per_batch: not allowed for contextual" in err


def test_run_with_an_optimizer(capsys):
    """The first move of sign descent is the learning rate, and of a clipped update the clip times it."""
    instance = FAMILIES.find("counting").instance(64, 0.2)
    base = ("run", *COUNTING[:-1], 1, "--learning-rate", 0.1, "--json")
    for options, moved in ((("--optimizer", "sign"), 0.1), (("--clip-norm", 0.25), 0.025)):
        code, out, _ = call(capsys, *base, *options)
        assert code == 0
        after = json.loads(out)["success_rate"][1]
        theta = instance.theta0 - moved * (1 if instance.theta0 > 0 else -1)
        assert after == pytest.approx(instance.at(theta)[0], rel=1e-12)


def test_run_keeps_its_stream_where_no_optimizer_is_named(capsys):
    arguments = (
        "run",
        "gated",
        "--length",
        64,
        "--success-rate",
        0.9,
        "--learning-rate",
        0.02,
        "--group-size",
        8,
    )
    paths = []
    for more in ((), ("--optimizer", "sgd"), ("--optimizer", "adam")):
        _, out, _ = call(capsys, *arguments, "--iterations", 40, "--json", *more)
        paths.append(json.loads(out)["success_rate"])
    assert paths[0] == paths[1]
    assert paths[0] != paths[2]


def test_run_gives_an_outcome_and_the_path(capsys):
    arguments = ("--length", 64, "--success-rate", 0.2, "--advantage", "reinforce", "--iterations", 50)
    code, out, _ = call(capsys, "run", "counting", *arguments, "--learning-rate", 0.1, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["outcome"] == "converged"
    assert len(found["success_rate"]) == 51
    assert found["success_rate"][0] == pytest.approx(0.2)
    assert found["final_success_rate"] == pytest.approx(sum(found["success_rate"][-6:]) / 6)


def test_run_with_a_group_size_is_sampled_and_its_seed_says_how(capsys):
    arguments = ("--length", 64, "--success-rate", 0.99, "--advantage", "rloo", "--iterations", 200, "--json")
    arguments = ("run", "gated", *arguments, "--learning-rate", 0.01, "--group-size", 64)
    paths = []
    for seed in (7, 7, 8):
        code, out, _ = call(capsys, *arguments, "--seed", seed)
        assert code == 0
        paths.append(json.loads(out)["success_rate"])
    assert paths[0] == paths[1]
    assert paths[0] != paths[2]
    assert len(paths[0]) == 201
    assert paths[0][0] == pytest.approx(0.99)
    assert paths[0][-1] > 0.99


def test_text_and_json_say_the_same(capsys):
    arguments = ("threshold", "counting", "--length", 16, "--success-rate", 0.2, "--iterations", 100)
    _, text, _ = call(capsys, *arguments)
    _, out, _ = call(capsys, *arguments, "--json")
    found = json.loads(out)
    for key in ("critical", "one_step", "half_kept", "gap_norm", "theta0"):
        assert f"{found[key]:.6g}" in text
    for symbol in ("α*", "η*", "α½", "‖g‖", "θ₀", "tokens"):
        assert symbol in text
    for name in ("Proposition 3, largest length", "Proposition 5, largest length"):
        assert re.search(rf"{name} +does not apply: 1 − J > ½", text)
    assert "unknown" not in text
    assert "None" not in text


def test_a_preset_stands_for_its_advantage_and_aggregation(capsys):
    bandit = ("threshold", "counting", "--length", 16, "--success-rate", 0.2, "--iterations", 100, "--json")
    preset = call(capsys, *bandit, "--rule", "DAPO")
    both = call(capsys, *bandit, "--advantage", "grpo", "--aggregation", "token-mean")
    assert preset == both
    code, _, err = call(capsys, *bandit, "--rule", "DAPO", "--advantage", "grpo")
    assert code == 2
    assert "--rule" in err
    code, _, err = call(capsys, *bandit, "--rule", "PPO")
    assert code == 2
    assert "Dr. GRPO" in err


def test_a_reader_who_has_seen_enough_is_no_error():
    """As with `| head -1`: the reading end is closed before anything is written."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "gradgap", "reference", "config"]
    found = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert found.stderr == ""
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["run", "gated", "--length", 64, "--success-rate", 0.9, "--learning-rate", 1, "--group-size", 1],
            ["--group-size", "1", "at least 2"],
        ),
        (
            [
                *("run", "gated", "--length", 64, "--success-rate", 0.9, "--learning-rate", 1),
                *("--group-size", 8, "--advantage", "unit"),
            ],
            ["unit", "no sampled form", "dr_grpo"],
        ),
        *(
            (["threshold", *COUNTING, *argv], words)
            for argv, words in [
                (("--optimizer", "nadam"), ["nadam", "adamw"]),
                (("--optimizer", "adam", "--optimizer-setting", "beta2"), ["--optimizer-setting", "beta2"]),
                (("--optimizer", "adam", "--optimizer-setting", "beta2=much"), ["beta2", "much"]),
                (
                    ("--optimizer", "adam", "--optimizer-setting", "beta2=1"),
                    ["--optimizer adam", "beta2", "[0, 1)"],
                ),
                (("--optimizer-setting", "beta2=0.9"), ["--optimizer sgd", "beta2", "weight_decay"]),
                (
                    ("--optimizer-setting", "weight_decay=0", "--optimizer-setting", "weight_decay=1"),
                    ["weight_decay", "twice"],
                ),
                (("--clip-norm", "0"), ["--clip-norm", "above 0"]),
                (("--steps-per-batch", "0"), ["--steps-per-batch", "at least 1"]),
                (("--ratio", "word", "--steps-per-batch", "2"), ["word", "gspo, sequence, token"]),
                (("--clip-range", "0.2"), ["--clip-range", "--steps-per-batch"]),
                (("--minibatches", "3", "--group-size", "16"), ["minibatches", "3", "divide 16"]),
                (
                    ("--steps-per-batch", "2", "--clip-range-high", "0.2"),
                    ["--clip-range-high", "--clip-range "],
                ),
                (("--dynamic-sampling",), ["--dynamic-sampling", "--group-size"]),
                (("--group-size", "1"), ["--group-size", "at least 2"]),
                (("--group-size", "8", "--replicates", "1"), ["--replicates", "at least 2"]),
            ]
        ),
        (["threshold", "bandit", "--length", 64, "--success-rate", 0.2], ["bandit", "counting"]),
        (["threshold", "counting", "--length", 63, "--success-rate", 0.2], ["length", "63", "even"]),
        (["threshold", "counting", "--length", 64, "--success-rate", 0.99], ["success_rate", "0.99", "best"]),
        (["threshold", "counting", "--length", 64, "--success-rate", "much"], ["--success-rate", "much"]),
        (
            ["threshold", "counting", "--length", 64, "--success-rate", 0.2, "--advantage", "ppo"],
            ["ppo", "grpo"],
        ),
        (
            ["threshold", "counting", "--length", 64, "--success-rate", 0.2, "--start-failure-rate", 0.5],
            ["--start-failure-rate", "counting"],
        ),
        (
            ["run", "counting", "--length", 64, "--success-rate", 0.2, "--learning-rate", -1],
            ["--learning-rate", "-1"],
        ),
        (
            [
                "run",
                "counting",
                "--length",
                64,
                "--success-rate",
                0.2,
                "--learning-rate",
                1,
                "--iterations",
                0,
            ],
            ["--iterations", "0"],
        ),
        *(
            (
                ["run", "gated", "--length", 64, "--success-rate", 0.9, "--learning-rate", 1, *argv],
                [argv[0], argv[1]],
            )
            for argv in [
                ("--learning-rate", "1e400"),
                ("--learning-rate", "nan"),
                ("--length", "100000000000"),
                ("--length", "63"),
                ("--length", "64.5"),
                ("--success-rate", "1"),
                ("--success-rate", "1e-400"),
                ("--window", "inf"),
                ("--seed", "-1"),
                ("--iterations", "1e30"),
            ]
        ),
        (["threshold", "counting", "--length", 64, "--success-rate", "0.9999999"], ["0.9999999", "best"]),
    ],
)
def test_bad_arguments_are_named_without_a_trace(capsys, argv, words):
    code, out, err = call(capsys, *argv)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


def test_as_a_module_and_help_without_heavy_imports():
    script = "import sys; from gradgap.cli import parser; parser();"
    script += "print('numba' in sys.modules, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
    found = subprocess.run(
        [sys.executable, "-m", "gradgap", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("threshold", "run"):
        assert command in found.stdout
