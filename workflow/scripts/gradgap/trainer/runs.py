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

#: Name in the trainer of each optimizer.
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
    """A GRPOTrainer with a constant learning rate and the defaults of TRL for everything that is not set here.

    Parameters
    ----------
    task : Counts
    optimizer : {"sgd", "adam"}
        ``adam`` is AdamW with the trainer's default of no weight decay.
    learning_rate : float
    steps : int
        Number of steps of the run.
    seed : int
        Seed of weights, prompts and responses.
    folder : str
        A folder for the trainer, which must have one. It writes nothing there.
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
    """The results of a run.

    Attributes
    ----------
    success : ndarray, shape (steps,)
        Success rate of each batch.
    kept : float
        Mean success rate over the last tenth of the batches.
    clipped : float
        Share of steps whose gradient was longer than 1, the limit of the trainer, and was shortened.
    length : float
        Mean number of tokens in a response, over all batches.
    records : list of Record
        Records of all steps but the last; empty without the callback.
    last_rate : float
        Learning rate of the last step.

    Examples
    --------
    >>> found = Run(np.linspace(0.1, 1.0, 20), clipped=0.0, length=8.0, records=[], last_rate=0.1)
    >>> round(found.kept, 3)
    0.976
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
        ``control(learning_rate)`` makes a controller. Without it the learning rate stays as it is.
    probed : bool
        Whether to use the callback even without a controller, to get its records.
    **others
        Further arguments of `trainer`.

    Returns
    -------
    Run
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
