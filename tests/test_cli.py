"""The command line: the keys it promises, the numbers of the library, errors without a trace."""

import json
import subprocess
import sys

import pytest
from gradgap import cli
from gradgap.bandits import FAMILIES
from gradgap.theory import closed_forms
from gradgap.thresholds import exact


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
    assert "reach: local" in text
    assert found["closed_form"]["safe"] < found["critical"]


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
    assert f"critical: {json.loads(out)['critical']:.9g}" in text
    assert "prop3: unknown" in text  # 1 − J > ½


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
