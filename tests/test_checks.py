"""The checks for authors: every registered component passes its own, and each mistake gets its sentence."""

import dataclasses
import math
import subprocess
import sys
import time

import pytest
from gradgap import plugins
from gradgap.bandits import FAMILIES, LengthPowers
from gradgap.bandits.checks import check_family
from gradgap.errors import ConfigError
from gradgap.theory.closed_forms import critical_closed_form
from gradgap.theory.exponents import failure_exponent, length_exponent
from gradgap.training import optimizers, rules, schedules
from gradgap.training.rules import ADVANTAGES, AGGREGATIONS, Advantage, Aggregation, check_rule
from gradgap.training.schedules import SCHEDULES, check_schedule

# ---- what is registered ----


@pytest.mark.parametrize("name", sorted(FAMILIES.discover()))
def test_every_family(name):
    check_family(FAMILIES[name], thorough=True)


@pytest.mark.parametrize("name", sorted(ADVANTAGES.discover()))
def test_every_advantage(name):
    check_rule(ADVANTAGES[name])


@pytest.mark.parametrize("name", sorted(AGGREGATIONS.discover()))
def test_every_aggregation(name):
    check_rule(AGGREGATIONS[name])


@pytest.mark.parametrize("name", sorted(SCHEDULES.discover()))
def test_every_schedule(name):
    check_schedule(SCHEDULES[name])


# ---- plugins, from a folder of their own ----

#: A registry that plugins of one kind are registered in, with the module that they import it from.
REGISTRIES = {
    "advantage": ("ADVANTAGES", rules),
    "aggregation": ("AGGREGATIONS", rules),
    "schedule": ("SCHEDULES", schedules),
    "optimizer": ("OPTIMIZERS", optimizers),
    "bandit family": ("FAMILIES", sys.modules["gradgap.bandits"]),
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A function that loads plugins, files by name, and gives the components of one kind that they register."""
    folder = tmp_path / plugins.PLUGIN_PACKAGE
    folder.mkdir()
    monkeypatch.chdir(tmp_path)

    def loaded(kind, **files):
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        for each, (registry, module) in REGISTRIES.items():
            fresh = plugins.Registry(each, None, getattr(module, registry)._check)
            monkeypatch.setattr(module, registry, fresh)
        monkeypatch.setattr("gradgap.bandits.checks.FAMILIES", REGISTRIES["bandit family"][1].FAMILIES)
        return getattr(REGISTRIES[kind][1], REGISTRIES[kind][0]).discover()

    yield loaded
    for name in [name for name in sys.modules if name.startswith(f"{plugins.PLUGIN_PACKAGE}.")]:
        del sys.modules[name]


@pytest.fixture
def example(root):
    """A function that gives the text of an example plugin."""
    return lambda name: (root / f"examples/gradgap_plugins/{name}.py").read_text(encoding="utf-8")


EXAMPLES = {
    "advantage": ("advantage", "squared"),
    "aggregation": ("aggregation", "root-mean"),
    "schedule": ("schedule", "half-way"),
    "controller": ("schedule", "halve-on-falls"),
    "family": ("bandit family", "pair"),
}


@pytest.mark.parametrize(("file", "kind", "name"), [(f, *of) for f, of in EXAMPLES.items()])
def test_each_example_is_one_file_that_passes(load, example, file, kind, name):
    assert list(load(kind, **{file: example(file)})) == [name]


def test_a_loaded_check_takes_less_than_a_second(load, example):
    family = load("bandit family", family=example("family"))["pair"]
    start = time.process_time()
    check_family(family)
    assert time.process_time() - start < 1.0


# name of the mistake: (example, what stands there, what is written instead, words of the sentence)
MISTAKES = {
    "advantage without @kernel": (
        "advantage",
        "@kernel\n",
        "",
        "coefficient is a plain Python function; put @kernel",
    ),
    "advantage with too few arguments": (
        "advantage",
        "failure_rate, gap_norm):",
        "failure_rate):",
        "coefficient is called as coefficient(success_rate, failure_rate, gap_norm): too many positional arguments; "
        "give it these arguments",
    ),
    "advantage with an undefined name": (
        "advantage",
        "failure_rate**2",
        "failure_rates**2",
        "coefficient uses the name 'failure_rates', which nothing defines; define or import it",
    ),
    "advantage that does not compile": (
        "advantage",
        "return success_rate * failure_rate**2",
        'return "text"',
        "coefficient cannot be compiled as coefficient(success_rate, failure_rate, gap_norm) -> float64",
    ),
    "advantage without a power": (
        "advantage",
        ", power=2.0",
        "",
        "missing 1 required positional argument: 'power'; mend it there",
    ),
    "advantage with a wrong power": (
        "advantage",
        "power=2.0",
        "power=1.0",
        "power is declared as 1, but coefficient goes as (1−J)^2 near J = 1; mend one of them",
    ),
    "advantage with a text for a power": ("advantage", "power=2.0", 'power="2"', "power must be a number"),
    "advantage that goes downhill": (
        "advantage",
        "return success_rate",
        "return -success_rate",
        "it must be finite, and above 0",
    ),
    "advantage that does not vanish": (
        "advantage",
        "failure_rate**2",
        "failure_rate**2 / gap_norm",
        "it must be finite, and above 0",
    ),
    "advantage that says it does not vanish": (
        "advantage",
        "power=2.0",
        "power=2.0, vanishes=False",
        "vanishes is declared as False",
    ),
    "advantage sampled otherwise": (
        "advantage",
        "power=2.0",
        "power=2.0, sampled=other",
        "sampled moves θ by 0.1875 of the gradient gap, and coefficient says 0.140625; mend one of them",
    ),
    "an aggregation for an advantage": (
        "advantage",
        "Advantage(coefficient, power=2.0)",
        "Aggregation(lambda instance: 1.0)",
        "register an Advantage(...); found Aggregation",
    ),
    "aggregation without @kernel": (
        "aggregation",
        "@kernel\n",
        "",
        "sampled is a plain Python function; put @kernel",
    ),
    "aggregation with an undefined name": (
        "aggregation",
        "math.sqrt(instance.length)",
        "square_root(instance.length)",
        "divisor(instance) fails with NameError: name 'square_root' is not defined",
    ),
    "aggregation of a field that is not there": (
        "aggregation",
        "instance.length",
        "instance.mean_length",
        "it may read length, score_length and max_length of the instance",
    ),
    "aggregation that gives no number": (
        "aggregation",
        "math.sqrt(instance.length)",
        "None",
        "number of tokens above 0",
    ),
    "aggregation sampled otherwise": (
        "aggregation",
        "total_length / size)",
        "total_length)",
        "1/(8 · divisor) is",
    ),
    "aggregation sampled otherwise but in groups of 8": (
        "aggregation",
        "total_length / size)",
        "total_length / size) * 8.0 / size",
        "in a group of 2 of mean length",
    ),
    "schedule without @kernel": (
        "schedule",
        "@kernel\n",
        "",
        "schedule is a plain Python function; put @kernel",
    ),
    "schedule with other arguments": (
        "schedule",
        "iteration, iterations, failure_rate, start_failure_rate",
        "iteration, iterations",
        "give it these arguments",
    ),
    "schedule with an undefined name": ("schedule", "else 0.1", "else least", "uses the name 'least'"),
    "schedule below 0": ("schedule", "else 0.1", "else -0.1", "the factor is -0.1 at iteration"),
    "schedule of zeros": (
        "schedule",
        "1.0 if",
        "0.0 if",
        "the factor is 0 all through a run of 1 iterations",
    ),
    "controller without @kernel": (
        "controller",
        "@kernel\n",
        "",
        "control is a plain Python function; put @kernel",
    ),
    "controller with other arguments": (
        "controller",
        "half_gain, gain, ",
        "gain, ",
        "give it these arguments",
    ),
    "controller with too few slots": ("controller", "memory[0]", "memory[1]", "it needs more than 1 slots"),
    "controller that stops": ("controller", "0.5 * factor", "0.0 * factor", "the factor is 0.0 after a move"),
    "controller with a word for a constant": (
        "controller",
        "(1.01,)",
        '("1.01",)',
        "they are finite numbers",
    ),
    "controller with half a slot": ("controller", "slots=1", "slots=0.5", "slots: 0.5 is not allowed"),
    "controller that changes its constants": (
        "controller",
        "memory[0] += 1.0",
        "constants[0] += 1.0",
        "control must leave its constants as they are",
    ),
    "schedule that is no function": ("schedule", "(schedule)\n", "(0.1)\n", "schedule must be a kernel"),
    "family without @kernel": ("family", "@kernel\n", "", "evaluate is a plain Python function; put @kernel"),
    "family with an undefined name": (
        "family",
        "math.exp(-theta[0])",
        "expo(-theta[0])",
        "uses the name 'expo'",
    ),
    "family with an undefined name outside kernels": (
        "family",
        "max_length=length",
        "max_length=lenght",
        "instance(64, 0.01) fails with NameError: name 'lenght' is not defined; mend it",
    ),
    "family with too few fields": (
        "family",
        "            token_score_bound=1.0,\n",
        "",
        "missing 1 required positional argument: 'token_score_bound'; mend it",
    ),
    "family that is a class": (
        "family",
        "(Pair())\n",
        "(Pair)\n",
        "register an instance, Pair(), not the class",
    ),
    "family without instance": ("family", "def instance", "def instances", "TypeError in line"),
    "family whose setting is no argument": (
        "family",
        ", *, pairs=1)",
        ")",
        "instance is called as instance(length, success_rate, failure_rate, pairs=…)",
    ),
    "family whose setting is no Setting": (
        "family",
        "    usual:",
        '    settings: ClassVar = {"pairs": 1}\n    usual:',
        "the setting 'pairs' must be a gradgap.settings.Setting(...); found int",
    ),
    "family with a default out of range": (
        "family",
        "default=1",
        "default=0",
        "the default of the setting 'pairs' is 0, but it must be a whole number, at least 1, at most 8",
    ),
    "family with a wrong gap": (
        "family",
        "(1.0 - 2.0 * p) / failure",
        "(1.0 - p) / failure",
        "but log(J/(1−J)) has the slope",
    ),
    "family whose rates do not add up": (
        "family",
        "1.0 - success  #",
        "1.1 - success  #",
        "the failure rate at the start is 1.09, and 0.99 was asked for",
    ),
    "family that starts elsewhere": (
        "family",
        "math.log(p / (1 - p))",
        "0.9 * math.log(p / (1 - p))",
        "mend start",
    ),
    "family with a wrong curvature": (
        "family",
        "(pairs - 1) / 8",
        "(pairs - 1) / 4",
        "but |J''| at the best θ is 0.125",
    ),
    "family with a wrong best": ("family", "best=np.zeros(1)", "best=np.ones(1)", "says that best is 0"),
    "family whose start is no vector": (
        "family",
        "np.array([math.log(p / (1 - p))])",
        "math.log(p / (1 - p))",
        "start must be a finite float64 vector",
    ),
    "family with a longest response too short": (
        "family",
        "max_length=length",
        "max_length=length // 2",
        "must be above 0 and at most max_length 32",
    ),
    "family with another name": ("family", 'family="pair"', 'family="pairs"', "it must be 'pair'"),
    "family with wrong powers": (
        "family",
        "    even_and",
        "    failure_powers: ClassVar = 1.0\n    even_and",
        "failure_powers must be a LengthPowers(...) or None; found 1.0",
    ),
    "family that has outcomes alone": (
        "family",
        "outcomes=None",
        "outcomes=evaluate",
        "outcomes and score of the kernels",
    ),
}
OTHER = "from gradgap.training.rules import Aggregation\n\n\n@kernel\ndef other(right, size):\n    return 1.0, 0.0\n"


@pytest.mark.parametrize(("file", "right", "wrong", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_one_sentence(load, example, tmp_path, file, right, wrong, words):
    text = example(file)
    if file == "advantage":
        head = "from gradgap.training.rules import ADVANTAGES, Advantage\n"
        text = text.replace(head, head + OTHER if "other" in wrong or "Aggregation" in wrong else head)
    assert text.count(right) >= 1
    kind, name = EXAMPLES[file]
    with pytest.raises(ConfigError) as error:
        load(kind, **{file: text.replace(right, wrong, 1)})
    told = str(error.value)
    assert words in told
    assert "\n" not in told
    assert told.startswith(f"plugin {tmp_path / plugins.PLUGIN_PACKAGE / file}.py: ")
    if "TypeError in line" not in told:  # there the component was never made
        assert f"{kind} {name!r}: " in told


def test_the_command_line_shows_the_sentence_and_no_traceback(root, tmp_path, example, monkeypatch):
    folder = tmp_path / plugins.PLUGIN_PACKAGE
    folder.mkdir()
    (folder / "advantage.py").write_text(example("advantage").replace("@kernel\n", ""), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(root / "workflow/scripts"))
    ask = ["threshold", "counting", "--length", "64", "--success-rate", "0.2", "--advantage", "squared"]
    done = subprocess.run(
        [sys.executable, "-m", "gradgap", *ask], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"plugin {folder / 'advantage.py'}: advantage 'squared': coefficient is a plain" in done.stderr


# ---- what a check sees that a plugin alone does not show ----


def test_exponents_of_square_roots_of_a_length():
    """−½ in the length; in 1 − J with grpo (1 − ½) and the power of the length: 0 of the mean, −1 of the scored."""
    with pytest.MonkeyPatch.context() as patch:
        for name, length in (("root-mean", "length"), ("root-scored", "score_length")):
            divided = Aggregation(lambda instance, of=length: math.sqrt(getattr(instance, of)))
            check_rule(divided)
            patch.setitem(AGGREGATIONS, name, divided)
            assert length_exponent("counting", "grpo", name) == -0.5
        assert failure_exponent("gated", "grpo", "root-mean") == 0.5
        assert failure_exponent("gated", "grpo", "root-scored") == 0.0


def test_a_divisor_that_is_no_product_of_powers_has_no_exponent():
    assert all(math.isnan(power) for power in Aggregation(lambda instance: 100.0 + instance.length).powers)


def _changed(family, **claims):
    """A family that claims something else."""
    return type("Changed", (type(family),), claims)()


@pytest.mark.parametrize(
    ("name", "claims", "words"),
    [
        (
            "gated",
            {"failure_powers": LengthPowers(0.0, -0.5, -1.0)},
            "failure_powers.scored is declared as -0.5",
        ),
        (
            "gated",
            {"failure_powers": LengthPowers(-1.0, -1.0, -1.0)},
            "failure_powers.mean is declared as -1",
        ),
        (
            "counting",
            {"failure_powers": LengthPowers(0.0, 0.0, 0.0)},
            "no instance of length 64 with failure rate",
        ),
        ("counting", {"curvature": lambda self, instance: 1.0}, "curvature is 1, but"),
        ("counting", {"even_and_unimodal": None}, "even_and_unimodal must be True or False"),
    ],
)
def test_a_wrong_claim_of_a_family(name, claims, words):
    with pytest.raises(ConfigError) as error:
        check_family(_changed(FAMILIES[name], **claims))
    assert words in str(error.value)


def _sampling(family, change):
    """The family, with the kernels of its instances changed."""

    def instance(self, *arguments, **settings):
        made = family.instance(*arguments, **settings)
        return made.replace(kernels=change(made.kernels))

    return _changed(family, instance=instance, settings={}, failure_powers=None)


@pytest.mark.parametrize("name", ["counting", "gated"])
def test_a_thorough_check_sees_a_sampler_that_draws_from_elsewhere(name):
    """Scores a little too large, and rewards that a wider window gives."""
    from gradgap.numerics.compiler import kernel

    kernels = FAMILIES[name].instance(64, 0.9 if name == "gated" else 0.2).kernels
    drawn, scored = kernels.outcomes, kernels.score

    @kernel
    def wider(state, theta, constants, workspace, rates, size, most, group):
        changed = constants.copy()
        changed[1] += 1.0
        return drawn(state, theta, changed, workspace, rates, size, most, group)

    @kernel
    def larger(state, theta, constants, workspace, rows, group, update):
        scored(state, theta, constants, workspace, rows, group, update)
        update[0] *= 1.2

    for change, words in (({"outcomes": wider}, "mean reward"), ({"score": larger}, "reward times score")):
        family = _sampling(FAMILIES[name], lambda kernels, change=change: kernels._replace(**change))
        check_family(family)  # the quick check draws nothing
        with pytest.raises(ConfigError, match=words):
            check_family(family, thorough=True)


def test_a_failure_rate_by_subtraction_is_seen():
    from gradgap.numerics.compiler import kernel

    family = FAMILIES["gated"]
    evaluate = family.instance(64, 0.9).kernels.evaluate

    @kernel
    def subtracting(theta, constants, workspace, rates, gaps):
        evaluate(theta, constants, workspace, rates, gaps)
        rates[1, 0] = 1.0 - rates[0, 0]

    with pytest.raises(ConfigError, match="the failure rate as 1 minus the other"):
        check_family(_sampling(family, lambda kernels: kernels._replace(evaluate=subtracting)))


def test_an_advantage_with_a_power_of_its_own_can_say_none():
    grpo = ADVANTAGES["grpo"]
    check_rule(dataclasses.replace(grpo, power=None))
    with pytest.raises(ConfigError, match=r"declared as 0.25, but coefficient goes as \(1−J\)\^0.5"):
        check_rule(dataclasses.replace(grpo, power=0.25))
    with pytest.raises(ConfigError, match=r"register an Advantage.*or an Aggregation"):
        check_rule(grpo.coefficient)
    assert isinstance(grpo, Advantage)


def test_the_closed_form_of_the_example_is_where_its_fixed_point_loses_stability(load, example):
    """α* = 2/(c g') at θ = 0; with m = 2, J = 1/16 and J'' = 2·¼/8, both worked out by hand."""
    family = load("bandit family", family=example("family"))["pair"]
    instance = family.instance(64, 0.05, pairs=2)
    success, second = 1 / 16, 1 / 16
    slope = second / (success * (1 - success))
    wanted = 2 / (math.sqrt(success * (1 - success)) * slope)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "pair", family)
        found = critical_closed_form(instance, "grpo", "seq-mean-token-sum")
    assert found == pytest.approx(wanted, rel=1e-12)
