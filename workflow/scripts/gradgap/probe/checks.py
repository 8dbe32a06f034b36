"""Checks of the input arrays, the same for every call of the instrument."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError


@dataclass(frozen=True)
class Batch:
    """Responses, their rewards, and their log-probabilities under trial policies.

    Attributes
    ----------
    right : ndarray of bool, shape (n,)
    logp : ndarray, shape (n, steps)
        Log-probability of each whole response under each trial policy.
    steps : ndarray, shape (steps,)
        Trial steps t, rising; one of them is 0.
    prompt : ndarray of int, shape (n,)
        Index of the prompt of each response. Without prompts, each response has its own index.
    weight : ndarray, shape (n,)
        Weight of each response in the success rate; they sum to 1.
    grouped : bool
        Whether prompts were given.
    """

    right: np.ndarray
    logp: np.ndarray
    steps: np.ndarray
    prompt: np.ndarray
    weight: np.ndarray
    grouped: bool

    @property
    def origin(self) -> int:
        """Index of t = 0."""
        return int(np.searchsorted(self.steps, 0.0))

    @property
    def change(self) -> np.ndarray:
        """λ_i(t) = log π_t(o_i) − log π_0(o_i), of shape (n, steps)."""
        return self.logp - self.logp[:, self.origin, None]


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: not an array of numbers of equal lengths") from None


def batch(
    rewards: Any, logps: Any, steps: Any, prompts: Any = None, weights: Any = None, *, outcomes: bool = True
) -> Batch:
    """Check the arrays of a batch, sort them by trial step, and normalise the weights.

    Parameters
    ----------
    rewards, logps, steps, prompts, weights
        As in `probe`.
    outcomes : bool
        Whether there must be both right and wrong responses.

    Returns
    -------
    Batch

    Raises
    ------
    ConfigError
        With one sentence that says what is wrong, and what is allowed.

    Examples
    --------
    >>> batch([1, 2], [[-1.0, -1.0]] * 2, [0, 1])
    Traceback (most recent call last):
    ...
    gradgap.errors.ConfigError: reward: found 2 in row 2; allowed: 0 (wrong) and 1 (right)
    """
    reward = _numbers(rewards, "reward")
    if reward.ndim != 1 or not reward.size:
        raise ConfigError(
            f"reward: found an array of shape {reward.shape}; allowed: one number for each response"
        )
    step = _numbers(steps, "steps")
    if step.ndim != 1:
        raise ConfigError(
            f"steps: found an array of shape {step.shape}; allowed: one number for each trial step"
        )
    logp = _numbers(logps, "logp")
    if logp.shape != (reward.size, step.size):
        raise ConfigError(
            f"logp: found shape {logp.shape} for {reward.size} rewards and {step.size} trial steps; allowed: "
            f"{(reward.size, step.size)}, one row for each response and one column for each trial step"
        )
    if not np.isfinite(step).all() or len(np.unique(step)) != step.size:
        raise ConfigError("steps: found a trial step that is not finite or stands twice; allowed: each once")
    if not (step == 0).any() or step.size < 2:
        shown = ", ".join(f"{t:g}" for t in step)
        raise ConfigError(
            f"steps: found {shown or 'none'}; allowed: 0, the policy that drew the responses, and at least one other"
        )
    bad = np.isnan(reward) | ((reward != 0) & (reward != 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise ConfigError(f"reward: found {reward[row]:g} in row {row + 1}; allowed: 0 (wrong) and 1 (right)")
    order = np.argsort(step)
    step, logp = step[order], logp[:, order]
    for column, t in enumerate(step):
        values = logp[:, column]
        for wrong, what in (
            (np.isnan(values), "nan"),
            (values == -np.inf, "-inf"),
            (values > 0, "a positive value"),
        ):
            if wrong.any():
                raise ConfigError(
                    f"logp@{t:g}: found {what} in row {int(np.argmax(wrong)) + 1}; allowed: finite "
                    f"log-probabilities of whole responses, 0 or below"
                )
    right = reward == 1
    if outcomes and (right.all() or not right.any()):
        raise ConfigError(
            f"reward: found only {'right' if right.any() else 'wrong'} responses; allowed: some of each outcome, as "
            f"the log-odds of success compare the two"
        )
    if prompts is None:
        prompt, grouped = np.arange(reward.size), False
    else:
        labels = np.asarray(prompts)
        if labels.shape != reward.shape:
            raise ConfigError(
                f"prompt: found shape {labels.shape} for {reward.size} rewards; allowed: one each"
            )
        prompt, grouped = np.unique(labels, return_inverse=True)[1].reshape(-1), True
    if weights is None:
        weight = np.ones(reward.size)
    else:
        weight = _numbers(weights, "weight")
        if weight.shape != reward.shape:
            raise ConfigError(
                f"weight: found shape {weight.shape} for {reward.size} rewards; allowed: one each"
            )
        if not np.isfinite(weight).all() or (weight < 0).any() or not weight.sum() > 0:
            raise ConfigError(
                "weight: found a negative or non-finite value; allowed: 0 or above, not all of them 0"
            )
    if grouped:
        # the weight of a prompt is the mean over its responses, so it does not depend on how many there are
        size = np.bincount(prompt)
        weight = weight / size[prompt]
    return Batch(right, logp, step, prompt, weight / weight.sum(), grouped)


def refuse_in_sample(ids: Iterable | None, built: Iterable | None) -> None:
    """Refuse responses from which the update was computed.

    Parameters
    ----------
    ids, built : iterable of hashable, optional
        Names of the responses of this batch, and of those from which the update was computed: numbers, or hashes of
        the tokens. If either is missing, nothing is checked.

    Raises
    ------
    ConfigError
        If a response is in both.

    Examples
    --------
    >>> refuse_in_sample(ids=[7, 8, 9], built=[1, 2, 3])
    """
    if ids is None or built is None:
        return
    known = set(built)
    named = list(ids)
    seen = sum(name in known for name in named)
    if seen:
        raise ConfigError(
            f"ids: {seen} of {len(named)} responses built the update, and would make its gain look too large; "
            f"allowed: responses that the update has not seen, such as those of the next batch"
        )
