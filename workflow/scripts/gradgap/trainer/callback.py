"""A callback for TRL's GRPOTrainer that measures how much larger its steps could be."""

import time
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback

from ..errors import ConfigError
from ..probe import HeadroomController, Record, Watch

#: Trial points of each step, counted from the weights after it: −1 is the policy before.
STEPS = (-1.0, -0.5, 0.0, 0.5)


class HeadroomCallback(TrainerCallback):
    """Logs gain, headroom and reach beside the trainer's own metrics, and can set the learning rate.

    Before each step of the optimizer it has the weights, the weights before the last step, and a batch of responses
    that was drawn from the former and has not built the latter. It scores that batch at the trial points by the
    trainer's own log-probability call, and puts the weights back. The numbers of a step are so logged with the next
    one, under ``headroom/``; their meaning is that of `gradgap.probe.Watch`.

    It costs four forward passes over each batch, without gradients, and two copies of the trainable weights.

    Parameters
    ----------
    trainer : GRPOTrainer
        It is given the callback here; nothing else is to be done. Rewards must be 0 or 1.
    controller : HeadroomController, optional
        Sets the learning rate before each step; the trainer's own schedule then has no say.
    reward : int
        Which of the trainer's reward functions says what is right.
    window, seed
        Of `gradgap.probe.Watch`.

    Attributes
    ----------
    watch : Watch
        All records so far in ``watch.records``.
    rates : list of float
        Learning rate of each step.
    passes, seconds : int, float
        Forward passes over a batch, and processor time of this process, that it has taken so far.

    Raises
    ------
    ConfigError
        If the trainer makes several steps from one batch, so that no batch is fresh when the last step is scored;
        where training begins, or at the first batch, if rewards are other than 0 and 1 or prompts have images.

    Examples
    --------
    ``HeadroomCallback(trainer)`` and then ``trainer.train()``; examples/trl_headroom.py does so.
    """

    def __init__(
        self,
        trainer: Any,
        controller: HeadroomController | None = None,
        *,
        reward: int = 0,
        window: int = 20,
        seed: int = 0,
    ) -> None:
        args = trainer.args
        if trainer.num_iterations != 1 or args.steps_per_generation != args.gradient_accumulation_steps:
            raise ConfigError(
                f"trainer: found num_iterations {trainer.num_iterations}, steps_per_generation "
                f"{args.steps_per_generation} and gradient_accumulation_steps {args.gradient_accumulation_steps}; "
                f"allowed: one step from each batch of responses (1, and two equal numbers), as each step is scored "
                f"on responses that have not built it"
            )
        self.trainer, self.reward = trainer, reward
        self.watch = Watch(controller, window=window, seed=seed)
        self.rates: list[float] = []
        self.passes, self.seconds = 0, 0.0
        self._before: list[torch.Tensor] | None = None
        self._keep_rewards()
        trainer.add_callback(self)

    def _keep_rewards(self) -> None:
        """Have rewards and prompts travel with the rows of the batch, which the trainer shuffles and splits."""
        trainer = self.trainer
        generate, calculate = trainer._generate_and_score_completions, trainer._calculate_rewards
        kept = {}

        def calculating(*given: Any, **named: Any) -> torch.Tensor:
            kept["rewards"] = calculate(*given, **named)  # of all processes
            return kept["rewards"]

        def generating(inputs: Any) -> dict[str, Any]:
            batch = generate(inputs)
            count = len(batch["completion_ids"])
            row = trainer.accelerator.process_index * count + torch.arange(count)
            own = kept["rewards"][row[0] : row[0] + count, self.reward]
            return batch | {"probe_reward": own.cpu(), "probe_prompt": row // trainer.num_generations}

        trainer._calculate_rewards, trainer._generate_and_score_completions = calculating, generating

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Score the last step on the batch of the coming one."""
        started = time.process_time()
        weights = [each for each in self.trainer.model.parameters() if each.requires_grad]
        after = [each.detach().clone() for each in weights]
        groups = given["optimizer"].param_groups
        if self._before is not None:
            record = self._record(weights, self._before, after)
            numbers = self.watch.update(record)
            if self.watch.controller is not None:
                for group in groups:
                    group["lr"] = numbers["learning_rate"]
            for name, value in numbers.items():
                self.trainer._metrics["train"][f"headroom/{name}"].append(value)
        self._before = after
        self.rates.append(groups[0]["lr"])
        self.seconds += time.process_time() - started

    @torch.no_grad()
    def _record(
        self, weights: list[torch.Tensor], before: list[torch.Tensor], after: list[torch.Tensor]
    ) -> Record:
        """Scores of the batch along the line through both weights."""
        model = self.trainer.model
        parts = self.trainer._buffered_inputs
        training = model.training
        model.eval()
        columns = []
        try:
            for t in STEPS:
                for each, old, new in zip(weights, before, after, strict=True):
                    each.copy_(new if t == 0 else new + t * (new - old))
                columns.append(np.concatenate([self._log_probability(part) for part in parts]))
                self.passes += 1
        finally:
            for each, new in zip(weights, after, strict=True):
                each.copy_(new)
            model.train(training)
        rewards = np.concatenate([part["probe_reward"].double().numpy() for part in parts])
        prompts = np.concatenate([part["probe_prompt"].numpy() for part in parts])
        rows = gather_object(
            list(zip(rewards.tolist(), prompts.tolist(), *np.array(columns).tolist(), strict=True))
        )
        reward, prompt, *logps = np.array(rows).T
        return Record(
            reward, np.stack(logps, axis=1), STEPS, prompt.astype(int), learning_rate=self.rates[-1]
        )

    def _log_probability(self, part: dict[str, Any]) -> np.ndarray:
        """Of whole responses, by the trainer's own call."""
        if "pixel_values" in part:
            raise ConfigError("trainer: found prompts with images; allowed: text")
        completion, mask = part["completion_ids"], part["completion_mask"]
        tokens, _, _ = self.trainer._get_per_token_logps_and_entropies(
            self.trainer.model,
            torch.cat([part["prompt_ids"], completion], dim=1),
            torch.cat([part["prompt_mask"], mask], dim=1),
            completion.size(1),
            batch_size=self.trainer.args.per_device_train_batch_size,
        )
        own = (
            mask * part["tool_mask"] if "tool_mask" in part else mask
        )  # what tools wrote is no choice of the policy
        return (tokens.double() * own).sum(dim=1).cpu().numpy()
