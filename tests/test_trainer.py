"""The callback of a real trainer: what it logs, against weights saved on the way and log-probabilities of its own."""

import os
import re
import runpy
import warnings

import numpy as np
import pytest
from gradgap.errors import ConfigError

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing here is to be asked of anyone
try:
    import gradgap.trainer  # noqa: F401 first, so that `datasets` is the library
except ConfigError as error:
    pytest.skip(str(error), allow_module_level=True)

import torch
from gradgap.probe import HeadroomController
from gradgap.trainer.callback import STEPS, HeadroomCallback
from gradgap.trainer.counts import WORDS, Counts
from gradgap.trainer.runs import GROUP, run, trainer
from transformers import TrainerCallback

pytestmark = pytest.mark.filterwarnings("default")  # of the libraries
SEED = 3


class Saving(TrainerCallback):
    """Keeps the weights before each step, and the batch that it is made from."""

    def __init__(self, made):
        self.made, self.weights, self.batches, self.rates = made, [], [], []

    def on_pre_optimizer_step(self, args, state, control, model=None, **given):
        self.weights.append({name: value.detach().clone() for name, value in model.state_dict().items()})
        self.batches.append([dict(part) for part in self.made._buffered_inputs])

    def on_optimizer_step(self, args, state, control, optimizer=None, **given):
        self.rates.append(optimizer.param_groups[0]["lr"])


def trained(folder, task, control=None, steps=6, **others):
    """A short run with both callbacks, the saving one first."""
    arguments = {"optimizer": "adam", "learning_rate": 0.02} | others
    made = trainer(task, steps=steps, seed=SEED, folder=str(folder), **arguments)
    saving = Saving(made)
    made.add_callback(saving)
    probe = HeadroomCallback(made, control)
    made.train()
    return made, saving, probe


def log_probabilities(task, weights, batch):
    """Of whole responses, from logits: a loop over responses and tokens, no mask and no padding."""
    model = task.model(0).double()
    model.load_state_dict({name: value.double() for name, value in weights.items()})
    found = []
    for part in batch:
        for prompt, prompt_mask, response, mask in zip(
            *(part[name] for name in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")),
            strict=True,
        ):
            start, tokens = prompt[prompt_mask.bool()], response[mask.bool()]
            with torch.no_grad():
                logits = model(torch.cat([start, tokens])[None]).logits[0]
            scores = logits.log_softmax(-1)
            found.append(sum(scores[len(start) - 1 + k, token].item() for k, token in enumerate(tokens)))
    return np.array(found)


def between(before, after, t):
    return {name: after[name].double() + t * (after[name].double() - before[name].double()) for name in after}


def rewards(task, batch):
    """1 where the number of odd words before the end is in the window."""
    rows = [
        row[mask.bool()]
        for part in batch
        for row, mask in zip(part["completion_ids"], part["completion_mask"], strict=True)
    ]
    counts = [int(((row % 2 == 1) & (row < WORDS)).sum()) for row in rows]
    return np.array([float(count in task.window) for count in counts])


def groups(batch):
    """A number for each prompt's group; prompts of a batch differ."""
    prompts = [
        tuple(row[mask.bool()].tolist())
        for part in batch
        for row, mask in zip(part["prompt_ids"], part["prompt_mask"], strict=True)
    ]
    return [sorted(set(prompts)).index(prompt) for prompt in prompts]


def gain(reward, change, group):
    """J(t) − J(0) by one sum after the other: each reward less a mean of the others, times w − 1."""
    n, total = len(reward), 0.0
    moved = np.expm1(change)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        square = sum(moved[j] ** 2 for j in others)
        right = sum(reward[j] * moved[j] ** 2 for j in others)
        mine = [j for j in others if group[j] == group[i]]
        one = square / (n - 1)
        baseline = (sum(reward[j] * moved[j] ** 2 for j in mine) + one * right / square) / (
            sum(moved[j] ** 2 for j in mine) + one
        )
        total += (reward[i] - baseline) * moved[i] / n
    return total


@pytest.fixture(scope="module", params=["fixed length", "own length", "two parts"])
def case(request, tmp_path_factory):
    """A run at one length, one whose responses end where the policy ends them, and one with accumulated gradients."""
    task = Counts(8, stops=request.param != "fixed length")
    parts = 2 if request.param == "two parts" else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, saving, probe = trained(
            tmp_path_factory.mktemp("run"),
            task,
            per_device_train_batch_size=64 // parts,
            gradient_accumulation_steps=parts,
        )
    return task, made, saving, probe, parts


def test_log_probabilities_and_rewards_are_those_of_the_saved_weights(case):
    task, _, saving, probe, _ = case
    largest = 0.0
    for k, record in enumerate(probe.watch.records):
        before, after, batch = saving.weights[k], saving.weights[k + 1], saving.batches[k + 1]
        expected = np.stack(
            [log_probabilities(task, between(before, after, t), batch) for t in STEPS], axis=1
        )
        largest = max(largest, np.abs(record.logps - expected).max())
        np.testing.assert_array_equal(record.rewards, rewards(task, batch))
        same = np.asarray(record.prompts)[:, None] == np.asarray(record.prompts)
        np.testing.assert_array_equal(same, np.equal.outer(groups(batch), groups(batch)))
    print(f"log-probabilities differ by at most {largest:.1e}")
    assert len(probe.watch.records) == 5
    assert largest < 2e-5  # single precision, over some ten tokens


def test_logged_numbers_are_those_of_the_saved_weights(case):
    """Gain and edge of every step, from the saved weights to the trainer's log."""
    task, made, saving, _, _ = case
    logged = [row for row in made.state.log_history if "headroom/gain" in row]
    totals, largest = np.zeros(2), 0.0
    for k, row in enumerate(logged):
        before, after, batch = saving.weights[k], saving.weights[k + 1], saving.batches[k + 1]
        origin = log_probabilities(task, after, batch)
        reward, group = rewards(task, batch), groups(batch)
        gains = [
            gain(reward, log_probabilities(task, between(before, after, t), batch) - origin, group)
            for t in (-1, -0.5, 0.5)
        ]
        # a parabola s t + c t² by its normal equations
        t = np.array([-1, -0.5, 0.5])
        slope, half = np.linalg.solve([[t @ t, t @ t**2], [t @ t**2, t**2 @ t**2]], [t @ gains, t**2 @ gains])
        rate = saving.rates[k]
        totals += (slope - 2 * half) / rate, 2 * half / rate**2
        largest = max(largest, abs(row["headroom/gain"] + gains[0]))
        np.testing.assert_allclose(row["headroom/gain"], -gains[0], atol=2e-6)
        if "headroom/edge" in row and np.isfinite(row.get("headroom/headroom_high", np.inf)):
            edge = 2 * max(totals[0], 0) / -totals[1]
            np.testing.assert_allclose(row["headroom/edge"], edge, rtol=1e-3)
            np.testing.assert_allclose(row["headroom/headroom"] * rate, edge, rtol=1e-3)
    print(f"gains differ by at most {largest:.1e}")
    assert len(logged) == 5


def test_it_leaves_the_run_as_it_was_and_counts_its_passes(case, tmp_path):
    """The same weights, bit by bit, as without it."""
    task, made, _, probe, parts = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = trainer(
            task,
            optimizer="adam",
            learning_rate=0.02,
            steps=6,
            seed=SEED,
            folder=str(tmp_path),
            per_device_train_batch_size=64 // parts,
            gradient_accumulation_steps=parts,
        )
        plain.train()
    for one, other in zip(plain.model.parameters(), made.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert probe.passes == 5 * len(STEPS)
    assert probe.seconds > 0


def test_the_controller_sets_the_rate_that_the_optimizer_takes(tmp_path):
    control = HeadroomController(0.02, warm_up=1)
    made, saving, probe = trained(tmp_path, Counts(8), control)
    assert saving.rates == probe.rates
    again = HeadroomController(0.02, warm_up=1)
    expected = [0.02, *(again.update(record) for record in probe.watch.records)]
    np.testing.assert_allclose(probe.rates, expected, rtol=1e-12)
    assert len(set(probe.rates)) > 2
    logged = [
        row["headroom/learning_rate"] for row in made.state.log_history if "headroom/learning_rate" in row
    ]
    np.testing.assert_allclose(logged, expected[1:], rtol=1e-12)


def test_loss_types_are_one_where_all_responses_have_one_length():
    """So the study varies them where responses end by themselves: there they differ."""

    def curve(loss_type, stops):
        found = run(
            Counts(8, stops), 0.5, optimizer="sgd", loss_type=loss_type, steps=4, seed=SEED, probed=True
        )
        return [np.asarray(record.logps) for record in found.records]

    for stops in (False, True):
        first, *others = (curve(name, stops) for name in ("grpo", "dr_grpo", "dapo"))
        for other in others:
            if stops:
                assert np.abs(first[0] - other[0]).max() > 1e-3
            else:
                np.testing.assert_allclose(other, first, atol=1e-5)


def test_a_run_is_the_same_twice_and_its_task_has_room_to_learn():
    one, two = (run(Counts(12), 0.01, optimizer="adam", steps=12, seed=SEED) for _ in range(2))
    np.testing.assert_array_equal(one.success, two.success)
    assert one.success[0] < 0.4 < one.success[-3:].mean()
    assert one.length == 12
    assert sum(each.numel() for each in Counts(12).model(0).parameters()) in range(2500, 3500)


def test_where_no_batch_is_fresh_it_refuses(tmp_path):
    made = trainer(
        Counts(8), optimizer="sgd", learning_rate=0.1, steps=2, seed=1, folder=str(tmp_path), num_iterations=2
    )
    with pytest.raises(ConfigError, match="found num_iterations 2"):
        HeadroomCallback(made)


def test_rewards_that_are_not_0_or_1_are_refused(tmp_path):
    made = trainer(Counts(8), optimizer="sgd", learning_rate=0.1, steps=3, seed=1, folder=str(tmp_path))
    made.reward_funcs[0] = lambda completion_ids, **others: [0.5 * (ids[0] % 3) for ids in completion_ids]
    HeadroomCallback(made)
    with pytest.raises(ConfigError, match="reward"):
        made.train()


def test_the_window_begins_a_deviation_above_the_mean_and_is_two_wide():
    """Against drawn responses."""
    generator = np.random.default_rng(0)
    for task in (Counts(12), Counts(16, stops=True)):
        words = generator.integers(0, WORDS + task.stops, (20000, task.length))
        ended = np.cumsum(words == WORDS, axis=1) > 0
        counts = ((words % 2 == 1) & ~ended).sum(axis=1)
        np.testing.assert_allclose(task.start, (counts.mean(), counts.std()), rtol=0.02)
        assert task.window[0] == np.ceil(task.start[0] + task.start[1])


def test_groups_are_as_large_as_the_trainer_makes_them():
    found = run(Counts(4), 0.01, optimizer="sgd", steps=2, seed=1, probed=True)
    (record,) = found.records
    assert np.bincount(record.prompts).tolist() == [GROUP] * 8


@pytest.mark.parametrize("control", [[], ["--control"]])
def test_the_example_prints_what_it_logs(root, capsys, control):
    example = runpy.run_path(str(root / "examples/trl_headroom.py"))
    example["main"](["--length", "6", "--steps", "6", "--learning-rate", "0.02", *control])
    *_, head, first, second, third, fourth, fifth, sixth, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["step", "rate", "reward", "gain", "headroom", "reach", "edge"]
    assert first.split()[3:] == ["–"] * 4
    rates = {row.split()[1] for row in (first, second, third, fourth, fifth, sixth)}
    assert (len(rates) > 1) == bool(control)
    assert re.fullmatch(r"3\.3 forward passes a step for the probe, \d+% of the time of training", last)
