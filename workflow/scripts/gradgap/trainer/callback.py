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
    """Log how much larger each step of the trainer could be, and optionally set the learning rate.

    The callback scores the last step just before the next one. At that time the batch of the next step has been drawn
    from the present weights, and had no part in the last step. The callback computes log-probabilities of this batch
    at trial points along the last step, by the trainer's own call, and restores the weights. Gain, headroom and reach
    of a step are therefore logged with the next step, under ``headroom/``. `gradgap.probe.Watch` explains them.

    This takes four forward passes over each batch, without gradients, and two copies of the trainable weights.

    Parameters
    ----------
    trainer : GRPOTrainer
        The callback adds itself to this trainer. Its rewards must be 0 or 1.
    controller : HeadroomController, optional
        Sets the learning rate before each step. The trainer's own schedule is then ignored.
    reward : int
        Index of the reward function of the trainer that says what is right.
    window, seed
        As for `gradgap.probe.Watch`.

    Attributes
    ----------
    watch : Watch
        ``watch.records`` has all records so far.
    rates : list of float
        Learning rate of each step.
    passes, seconds : int, float
        How many forward passes over a batch, and how much processor time, the callback has taken so far.

    Raises
    ------
    ConfigError
        If the trainer takes several steps from one batch, because then no batch is fresh when a step is scored.
        During training, if a reward is neither 0 nor 1, or if prompts have images.

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
        """Add rewards and prompts to the batch, because the trainer shuffles and splits its rows later."""
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
        """Score the batch along the line through the weights before and after a step."""
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
        """Log-probabilities of whole responses, by the trainer's own call."""
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
