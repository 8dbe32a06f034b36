"""The configuration: what is wrong is refused before anything starts, in one message that names it."""

import copy
import subprocess
import sys

import pytest
import yaml
from gradgap.errors import ConfigError
from gradgap.measurements import instance_at
from gradgap.sweep import config

GOOD = {
    "studies": {
        "length_scaling": {
            "family": ["counting"],
            "length": [16, 64],
            "advantage": ["grpo"],
            "aggregation": ["token-mean"],
            "success_rate": {"counting": 0.2},
        },
        "phase_diagram": {
            "family": ["gated"],
            "length": [16, 64],
            "success_rate": [0.9, 0.99],
            "rule": ["GRPO"],
            "step_size": {"from": 0.01, "to": 10, "per_decade": 4},
        },
    }
}

#: What is changed, and words that the message must hold.
BAD = {
    "unknown key": (["seeds"], 3, ["seeds", "unknown key", "seed"]),
    "unknown study": (["studies", "length"], {}, ["studies", "'length'", "length_scaling"]),
    "unknown key of a study": (
        ["studies", "phase_diagram", "lenght"],
        [16],
        ["phase_diagram", "lenght", "length"],
    ),
    "odd length": (
        ["studies", "phase_diagram", "length"],
        [16, 17],
        ["phase_diagram.length[1]", "17", "even"],
    ),
    "length that is no number": (
        ["studies", "phase_diagram", "length"],
        ["long"],
        ["length[0]", '"long"', "whole"],
    ),
    "success rate of 1": (
        ["studies", "phase_diagram", "success_rate"],
        [0.9, 1],
        ["success_rate[1]", "below 1"],
    ),
    "success rate of 0": (
        ["studies", "phase_diagram", "success_rate"],
        [0.0],
        ["success_rate[0]", "above 0"],
    ),
    "success rate above the best": (
        ["studies", "length_scaling", "success_rate"],
        {"counting": 0.9},
        ["length_scaling.success_rate", "0.9", "counting", "best reachable"],
    ),
    "success rate out of reach of gated": (
        ["studies", "phase_diagram", "success_rate"],
        [0.1],
        ["phase_diagram.success_rate", "0.1", "0.2 or more"],
    ),
    "step of 0": (["studies", "phase_diagram", "step_size"], [0.1, 0], ["step_size[1]", "above 0"]),
    "negative step in a range": (
        ["studies", "phase_diagram", "step_size"],
        {"from": -1, "to": 1, "per_decade": 4},
        ["step_size.from", "-1", "above 0"],
    ),
    "range without an end": (
        ["studies", "phase_diagram", "step_size"],
        {"from": 0.1, "per_decade": 4},
        ["step_size", "'to'", "missing"],
    ),
    "empty axis": (["studies", "phase_diagram", "length"], [], ["phase_diagram.length", "empty"]),
    "no studies": (["studies"], {}, ["studies", "empty"]),
    "duplicate value": (["studies", "phase_diagram", "length"], [16, 64, 16], ["length", "16", "twice"]),
    "wrong type of an axis": (["studies", "phase_diagram", "length"], 16, ["length", "16", "a list"]),
    "wrong type of a setting": (
        ["studies", "phase_diagram", "iterations"],
        "many",
        ["iterations", "many", "whole"],
    ),
    "setting out of range": (["studies", "phase_diagram", "tolerance"], 2, ["tolerance", "2", "below 1"]),
    "unknown advantage": (
        ["studies", "length_scaling", "advantage"],
        ["ppo"],
        ["advantage", "'ppo'", "grpo"],
    ),
    "unknown aggregation": (
        ["studies", "length_scaling", "aggregation"],
        ["token-median"],
        ["aggregation", "token-median", "token-mean"],
    ),
    "unknown rule": (["studies", "phase_diagram", "rule"], ["PPO"], ["rule", "'PPO'", "DAPO"]),
    "unknown family": (["studies", "phase_diagram", "family"], ["bandit"], ["family", "bandit", "gated"]),
    "both spellings of an axis": (
        ["studies", "phase_diagram", "failure_rate"],
        [0.1],
        ["success_rate", "not both"],
    ),
    "window wider than the response": (["studies", "length_scaling", "window"], 30, ["window", "30"]),
}


def test_make_refuses_a_configuration_that_is_not_there(root, tmp_path):
    command = [
        "make",
        "--directory",
        root,
        "study",
        f"CONFIG={tmp_path}/missing.yaml",
        "--assume-old=.venv/installed",
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "missing.yaml: no such file" in found.stderr


def changed(path, value):
    raw = copy.deepcopy(GOOD)
    place = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return raw


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_value_is_refused_by_name(case):
    path, value, words = BAD[case]
    with pytest.raises(ConfigError) as error:
        config.parse(changed(path, value), "my.yaml")
    message = str(error.value)
    assert message.startswith("my.yaml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_family_without_a_success_rate_is_refused():
    with pytest.raises(ConfigError, match="success_rate: no value for family 'gated'"):
        instance_at({"family": "gated", "length": "16"}, {"success_rate": {"counting": 0.2}})
    raw = changed(["studies", "length_scaling", "success_rate"], {"gated": 0.9})
    rates = config.parse(raw).studies["length_scaling"].settings["success_rate"]
    assert rates == {"counting": 0.2, "gated": 0.9}  # what is left out has its default


def test_a_missing_axis_is_refused():
    raw = copy.deepcopy(GOOD)
    del raw["studies"]["phase_diagram"]["length"]
    with pytest.raises(ConfigError, match="phase_diagram: the key 'length' is missing"):
        config.parse(raw)
    del raw["studies"]["length_scaling"]["advantage"], raw["studies"]["phase_diagram"]
    with pytest.raises(ConfigError, match="'advantage' is missing"):
        config.parse(raw)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml: no such file"):
        config.load(tmp_path / "missing.yaml")
    (tmp_path / "bad.yaml").write_text("studies: [unclosed")
    with pytest.raises(ConfigError, match=r"bad\.yaml: not YAML"):
        config.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(ConfigError, match="expected a mapping"):
        config.load(tmp_path / "list.yaml")


def test_defaults_are_filled_in_and_axes_expanded():
    parsed = config.parse(GOOD)
    study = parsed.studies["phase_diagram"]
    assert parsed.seed == 20251008
    assert parsed.figures["page_width"] == 183
    assert study.axes["success_rate"] == ("0.9", "0.99")
    assert study.axes["step_size"][:3] == ("0.01", "0.01778", "0.03162")
    assert len(study.axes["step_size"]) == 13
    assert study.settings["iterations"] == 2000
    assert study.settings["start_failure_rate"] == 0.8
    assert "success_rate" not in study.settings


def test_every_key_of_the_schema_has_a_description_a_type_and_where_optional_a_default():
    def visit(node, path):
        for name, part in node.get("properties", {}).items():
            here = f"{path}.{name}"
            assert part.get("description"), here
            assert "type" in part, here
            if name not in node.get("required", []) and "oneOf" not in node and path.count(".") < 3:
                assert "default" in part or part["type"] == "object" or path.endswith("studies"), here
            if name not in ("family", "advantage"):
                visit(part, here)

    visit(config.schema(), "config")


def test_the_default_configuration_holds_what_is_asked_of_it(root):
    study = config.load(root / "config.yaml").studies["phase_diagram"]
    lengths = [int(value) for value in study.axes["length"]]
    assert len(lengths) >= 8
    assert (min(lengths), max(lengths)) == (16, 4096)
    assert len(study.axes["success_rate"]) >= 8
    assert len(study.axes["step_size"]) >= 60
    assert len(study.axes["rule"]) == 4


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (yaml.safe_dump(changed(*BAD["odd length"][:2])), ["phase_diagram.length[1]", "17", "even"]),
        (yaml.safe_dump(changed(*BAD["unknown key"][:2])), ["seeds", "unknown key"]),
        ("studies: [unclosed", ["YAML"]),
        (None, ["config.yaml", "not present"]),
    ],
)
def test_the_workflow_refuses_it_before_any_job(text, words, root, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", tmp_path]
    if text is not None:
        (tmp_path / "wrong.yaml").write_text(text)
        command += ["--configfile", tmp_path / "wrong.yaml"]
    found = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    said = found.stdout + found.stderr
    assert found.returncode != 0
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert not (tmp_path / "results").exists()
