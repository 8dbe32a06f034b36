"""gradgap transfer: the factors of the laws, against runs; refusals; and what stands behind a number."""

import json
import math

import pytest
from _optimizer_experiments import ADAM, sampled_half_kept
from gradgap import cli
from gradgap.bandits import FAMILIES
from gradgap.errors import ConfigError
from gradgap.theory.transfer import Training, agree, laws
from gradgap.thresholds import sampled

FROM = "length=512,success_rate=0.5,group_size=8,learning_rate=1e-6"


def call(capsys, *argv):
    code = cli.main(["transfer", *map(str, argv)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Training(64, 0.05, 4), Training(256, 0.05, 4)),
        (Training(64, 0.05, 4), Training(64, 0.05, 32)),
        (Training(64, 0.05, 4), Training(64, 0.0125, 4)),
        (Training(64, 0.05, 4), Training(256, 0.02, 16)),
    ],
)
def test_first_law_of_adam_against_runs(before, after):
    """Half-kept learning rates of sampled groups, from code that knows nothing of the law; within a factor 1.4."""
    measured = []
    for of in (before, after):
        n = of.length * 0.8 / of.failure_rate
        low = 0.04 * 2 / math.sqrt(n)
        measured.append(sampled_half_kept(ADAM, int(of.length), of.failure_rate, of.group_size, low)[0])
    predicted = laws("adamw", before, after)[0].factor
    assert 1 / 1.4 < measured[1] / measured[0] / predicted < 1.4


def test_plain_ascent_follows_its_own_exponents():
    before, after = Training(512, 0.1, 8), Training(2048, 0.025, 8)
    found = laws("sgd", before, after, advantage="grpo", aggregation="seq-mean-token-sum")
    by_formula = {law.formula: law.factor for law in found}
    assert by_formula["T^−1 (1−J)^½"] == pytest.approx(1 / 4 * 1 / 2)
    assert by_formula["T^−1"] == pytest.approx(1 / 4)
    assert found[0].formula == "1/(noise + drift)"
    # groups of 8 at 1−J = 0.1 and less are ruled by noise: nearly the full (1−J)/T
    assert found[0].factor == pytest.approx(1 / 16, rel=0.1)
    normalised = laws("sgd", before, after, advantage="dr_grpo", aggregation="token-mean")
    assert [law.factor for law in normalised] == [1.0, 1.0]


def test_momentum_changes_by_its_stability():
    of = Training(512, 0.1, 8)
    found = laws("momentum", of, of, settings={"momentum": 0.5}, settings_after={"momentum": 0.9})
    assert [law.factor for law in found] == pytest.approx([1.9 / 1.5] * len(found))


def test_steps_a_batch_of_plain_ascent_by_their_closed_form():
    """Token ratios 1/μ; GSPO's on gated as docs/theory_optimizers.md has it from runs, at T = 64 and 1−J = 0.1."""
    for ratio, wanted in (("token", (1 / 2, 1 / 4, 1 / 16)), ("gspo", (0.408, 0.185, 0.0431))):
        one = Training(64, 0.1, 8, 1, ratio)
        for steps, factor in zip((2, 4, 16), wanted, strict=True):
            found = laws("sgd", one, Training(64, 0.1, 8, steps, ratio))
            gated = [law.factor for law in found if law.family == "gated"]
            assert gated == pytest.approx([factor] * len(gated), rel=2e-3)
            back = laws("sgd", Training(64, 0.1, 8, steps, ratio), one)
            assert back[0].factor == pytest.approx(1 / factor, rel=2e-3)


def test_steps_a_batch_under_adam_against_runs():
    bandit = FAMILIES.find("counting").instance(64, 0.2)
    size = {"group_size": 16, "iterations": 60, "replicates": 8, "seed": 5, "coordinates": {}}
    rule = ("dr_grpo", "seq-mean-token-sum")
    one, four = (
        sampled.half_kept(bandit, *rule, optimizer="adam", steps_per_batch=steps, **size).learning_rate
        for steps in (1, 4)
    )
    found = laws("adamw", Training(64, 0.8, 16), Training(64, 0.8, 16, 4))
    assert 1 / 1.4 < four / one / found[0].factor < 1.4
    assert agree(found)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_minibatches_against_runs(optimizer):
    """Of different responses: under plain ascent as many steps, under Adam noisier ones, √m and not m."""
    bandit, parts = FAMILIES.find("gated").instance(64, 0.99), 16
    size = {"group_size": 64, "iterations": 100, "replicates": 24, "seed": 5, "coordinates": {}}
    rule = ("dr_grpo", "seq-mean-token-sum")
    one, many = (
        sampled.half_kept(bandit, *rule, optimizer=optimizer, minibatches=m, **size).learning_rate
        for m in (1, parts)
    )
    before, after = Training(64, 0.01, 64), Training(64, 0.01, 64, minibatches=parts)
    found = laws(optimizer, before, after, advantage=rule[0], aggregation=rule[1])
    assert found[0].factor == pytest.approx(1 / parts if optimizer == "sgd" else 0.26, rel=0.01)
    assert 1 / 1.4 < many / one / found[0].factor < 1.4
    # in expected updates they are steps on the whole batch
    steps = laws(optimizer, before, Training(64, 0.01, 64, parts), advantage=rule[0], aggregation=rule[1])
    large = [[law.factor for law in each if law.regime == "large groups"] for each in (found, steps)]
    assert large[0] == large[1]


def test_answer_law_range_and_standing(capsys, tmp_path):
    to = "length=4096,success_rate=0.8,group_size=16"
    code, out, _ = call(capsys, "--from", FROM, "--to", to, "--scaling", tmp_path / "none.csv", "--json")
    found = json.loads(out)
    assert code == 0
    rates = [law["learning_rate"] for law in found["laws"]]
    assert found["learning_rate"] == rates[0] == pytest.approx(1e-6 * found["factor"])
    assert found["range"] == {"low": min(rates), "high": max(rates)}
    assert max(rates) <= 3 * min(rates)
    # large groups: √(1/8) with and without √(0.2/0.5)
    assert rates[2:] == pytest.approx([1e-6 * math.sqrt(0.4 / 8), 1e-6 * math.sqrt(1 / 8)])
    assert found["verdicts"] == []
    assert any("no row of a verdict table" in note for note in found["notes"])
    assert any("below 0.9" in note for note in found["notes"])


def test_refuses_where_laws_disagree(capsys):
    code, out, _ = call(capsys, "--from", FROM, "--to", "success_rate=0.99", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["learning_rate"] is None
    assert found["range"]["high"] > 3 * found["range"]["low"]
    assert any("disagree by a factor" in note for note in found["notes"])
    code, out, _ = call(capsys, "--from", FROM, "--to", "success_rate=0.99")
    assert out.startswith("learning rate: no single number; between")


def test_nothing_changed_changes_nothing(capsys):
    for optimizer in ("adamw", "rmsprop", "sgd", "momentum", "nesterov"):
        code, out, _ = call(capsys, "--optimizer", optimizer, "--from", FROM, "--to", "", "--json")
        assert code == 0
        assert json.loads(out)["learning_rate"] == pytest.approx(1e-6)


def test_verdicts_of_the_table(capsys, tmp_path):
    table = tmp_path / "scaling.csv"
    head = "study,family,optimizer,advantage,aggregation,axis,predicted,measured,ci_low,ci_high,n,verdict\n"
    table.write_text(
        head
        + "optimizers,gated,adamw,grpo,token-mean,length,-0.5,-0.49,-0.52,-0.46,8,confirmed\n"
        + "optimizers,gated,sign,grpo,token-mean,length,-0.5,-0.51,-0.52,-0.46,8,confirmed\n"
        + "length_scaling,counting,,grpo,token-mean,length,0,0.01,-0.52,-0.46,8,confirmed\n",
        encoding="utf-8",
    )
    _, out, _ = call(capsys, "--from", FROM, "--to", "length=1024", "--scaling", table, "--json")
    wanted = "optimizers, grpo: exponent in length predicted -0.5, measured -0.49, confirmed"
    assert json.loads(out)["verdicts"] == [wanted]
    _, out, _ = call(capsys, "--from", FROM, "--to", "length=1024", "--scaling", table)
    assert wanted in out
    assert "no row" not in out


def test_verdicts_on_steps_a_batch_are_shown_where_these_change(capsys, tmp_path):
    table = tmp_path / "scaling.csv"
    table.write_text(
        "study,family,optimizer,advantage,aggregation,axis,predicted,measured,verdict\n"
        'trust_region,counting,sgd,"dr_grpo, token ratio, exact",sum,steps_per_batch,-1,-0.99,confirmed\n'
        'trust_region,counting,sgd,"dr_grpo, gspo ratio, exact",sum,steps_per_batch,-1,-0.97,undecided\n',
        encoding="utf-8",
    )

    def told(optimizer, to):
        options = ("--optimizer", optimizer, "--from", FROM, "--scaling", table, "--json")
        found = json.loads(call(capsys, *options, "--to", to)[1])
        return found["verdicts"], any("steps a batch" in note for note in found["notes"])

    [line], alone = told("sgd", "steps=4")
    assert "token ratio" in line
    assert not alone
    [line], alone = told("sgd", "steps=4,ratio=gspo")
    assert "gspo ratio" in line
    assert not alone
    assert told("sgd", "length=1024") == ([], False)
    assert told("adamw", "steps=4") == ([], True)


def test_adamw_stands_on_what_was_measured_of_adam(tmp_path):
    from gradgap.cli import transfer
    from gradgap.inference import power_laws

    found = power_laws.fit([1, 2, 4, 8], [8, 4, 2, 1])
    labels = {"study": "optimizers", "family": "gated", "advantage": "dr_grpo", "aggregation": "token-mean"}
    rows = [
        power_laws.row(labels | {"optimizer": name}, "length", -1.0, found, search=name)
        for name in ("adam", "sign")
    ]
    rows.append(power_laws.row(labels, "length", -1.0, found, search="plain"))
    table = tmp_path / "scaling.csv"
    power_laws.table(rows).to_csv(table, index=False)
    one = transfer.verdicts(table, "gated", "adamw")
    assert len(one) == 1
    assert one == transfer.verdicts(table, "gated", "adam")
    assert len(transfer.verdicts(table, "gated", "sgd")) == 1
    assert transfer.verdicts(table, "gated", "rmsprop") == []


@pytest.mark.parametrize(
    ("before", "after", "optimizer", "words"),
    [
        (FROM, "length", "adamw", "--to: 'length' is not of the form key=value"),
        (FROM, "length=1,length=2", "adamw", "--to: length is given twice"),
        (FROM, "length=long", "adamw", "--to: length=long is not a number"),
        (FROM, "learning_rate=1", "adamw", "--to: learning_rate is what is asked for"),
        (
            FROM,
            "size=3",
            "adamw",
            "--to: unknown key 'size'; known: length, success_rate, group_size, learning_rate, ",
        ),
        (FROM, "beta2=0.9", "sgd", "--to: unknown key 'beta2'"),
        (FROM, "steps=0", "adamw", "steps: 0.0 is not allowed"),
        (FROM, "steps=inf", "adamw", "steps: inf is not allowed"),
        (FROM, "minibatches=3", "adamw", "minibatches: 3 is not allowed for groups of 8 responses"),
        (FROM, "minibatches=2.5", "adamw", "minibatches: 2.5 is not allowed"),
        (FROM, "ratio=word", "adamw", "unknown ratio 'word'"),
        (
            FROM,
            "steps=4,ratio=sequence",
            "sgd",
            "no law is known for several steps a batch with the ratio 'sequence'",
        ),
        (
            FROM,
            "steps=4",
            "momentum",
            "no law for several steps a batch is known for 'momentum'; allowed: adam, ",
        ),
        (FROM, "success_rate=1", "adamw", "success_rate: 1.0 is not allowed"),
        (FROM, "success_rate=much", "adamw", "success_rate=much is not a number"),
        (FROM, "group_size=1", "adamw", "group_size: 1.0 is not allowed"),
        (FROM, "length=0", "adamw", "length: 0.0 is not allowed"),
        (FROM, "length=64", "lion", "no law in sampled groups has been measured for 'lion'"),
        (FROM, "length=64", "nadam", "unknown optimizer 'nadam'"),
        (
            "length=512,success_rate=0.5,group_size=8",
            "length=64",
            "adamw",
            "--from: learning_rate is missing",
        ),
        (FROM.replace("1e-6", "-1"), "length=64", "adamw", "learning_rate=-1 is not allowed"),
    ],
)
def test_bad_input_is_named(capsys, before, after, optimizer, words):
    code, out, err = call(capsys, "--optimizer", optimizer, "--from", before, "--to", after)
    assert code == 2
    assert words in err
    assert out == ""


def test_laws_need_a_known_rule():
    of = Training(512, 0.1, 8)
    with pytest.raises(ConfigError, match="unknown advantage"):
        laws("sgd", of, of, advantage="none")
    assert agree(laws("adamw", of, of))
