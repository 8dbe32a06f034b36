"""Runs of TRL's GRPOTrainer on the task of `counts`."""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PrinterCallback
from transformers.utils import logging
from trl import GRPOConfig, GRPOTrainer

from ..probe import HeadroomController, Record
from .callback import HeadroomCallback
from .counts import Counts, prompts, tokenizer

#: What the trainer calls the optimizers of this project.
OPTIMIZERS = {"sgd": "sgd", "adam": "adamw_torch"}
#: Responses of a batch, and of a group of one prompt.
BATCH, GROUP = 64, 8


def trainer(
    task: Counts,
    *,
    optimizer: str,
    learning_rate: float,
    steps: int,
    seed: int,
    folder: str,
    loss_type: str = "grpo",
    **others: Any,
) -> GRPOTrainer:
    """A GRPOTrainer with its own defaults but for the arguments here, at a constant learning rate.

    Parameters
    ----------
    task : Counts
    optimizer : {"sgd", "adam"}
        ``adam`` is AdamW, without weight decay as the trainer has it.
    learning_rate : float
    steps : int
    seed : int
        Of weights, prompts and responses.
    folder : str
        Where the trainer may write; it writes nothing.
    loss_type : str
        ``grpo``, ``dr_grpo`` or ``dapo``: what the sum over tokens is divided by.
    **others
        Further arguments of GRPOConfig.
    """
    args = GRPOConfig(
        **{
            "output_dir": folder,
            "per_device_train_batch_size": BATCH,
            "num_generations": GROUP,
            "max_completion_length": task.length,
            "max_steps": steps,
            "learning_rate": learning_rate,
            "lr_scheduler_type": "constant",
            "optim": OPTIMIZERS[optimizer],
            "loss_type": loss_type,
            "seed": seed,
            "bf16": False,
            "use_cpu": True,
            "gradient_checkpointing": False,
            "dataloader_pin_memory": False,
            "report_to": "none",
            "save_strategy": "no",
            "logging_steps": 1,
            "disable_tqdm": True,
        }
        | others
    )
    made = GRPOTrainer(
        model=task.model(seed),
        reward_funcs=task.reward,
        args=args,
        train_dataset=prompts(),
        processing_class=tokenizer(),
    )
    made.remove_callback(PrinterCallback)
    return made


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes
    ----------
    success : ndarray, shape (steps,)
        Success rate of each batch.
    kept : float
        Its mean over the last tenth of the batches.
    clipped : float
        Share of the steps whose gradient was longer than the trainer's limit, 1, and was cut.
    length : float
        Mean number of tokens of a response, over all batches.
    records : list of Record
        Of all steps but the last, where the probe was there.
    last_rate : float
        Learning rate of the last step.
    """

    success: np.ndarray
    clipped: float
    length: float
    records: list[Record]
    last_rate: float

    @property
    def kept(self) -> float:
        """Mean success rate over the last tenth."""
        return float(np.mean(self.success[-max(len(self.success) // 10, 1) :]))


def run(
    task: Counts,
    learning_rate: float,
    *,
    control: Callable[[float], HeadroomController] | None = None,
    probed: bool = False,
    **others: Any,
) -> Run:
    """Train once, on one thread.

    Parameters
    ----------
    task : Counts
    learning_rate : float
    control : callable, optional
        Makes the controller from the learning rate.
    probed : bool
        Have the callback without a controller.
    **others
        Further arguments of `trainer`.
    """
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = trainer(task, learning_rate=learning_rate, folder=folder, **others)
        callback = None
        if control is not None or probed:
            callback = HeadroomCallback(made, None if control is None else control(learning_rate))
        made.train()
    logged = [row for row in made.state.log_history if "reward" in row]
    return Run(
        success=np.array([row["reward"] for row in logged]),
        clipped=float(np.mean([row["grad_norm"] > made.args.max_grad_norm for row in logged])),
        length=float(np.mean([row["completions/mean_length"] for row in logged])),
        records=[] if callback is None else callback.watch.records,
        last_rate=learning_rate if callback is None else callback.rates[-1],
    )
