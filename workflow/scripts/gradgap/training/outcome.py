"""How a run ended: one judge for every run, exact or sampled, compiled or not (docs/theory.md, M1)."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..numerics.compiler import kernel

#: A rate that changed by less than this share of the possible gain did not change: it may be rounding.
_ROUNDING = 1e-12
#: A prompt is lost if its success rate is below this.
LOST = 0.01


class Outcome(enum.IntEnum):
    """How a run ended, judged by the success rate over its last tenth."""

    converged = 0  #: within the tolerance of the best success rate
    slow = (
        1  #: not there yet, but still rising, and it never fell: it needs more iterations, not a smaller step
    )
    collapsed = 2  #: below the success rate it started from
    stagnated = 3  #: the rest: stuck between the two


class Summary(NamedTuple):
    """The facts about a run that the judge needs. Rates are means over prompts.

    Attributes
    ----------
    start_success, start_failure : float
        At the start.
    final_success, final_failure : float
        Means over the tail, the last tenth of the updates (see `tail_length`).
    tail_failure, end_failure : float
        Failure rate before the first update of the tail, and after its last.
    fall : float
        Largest rise of the failure rate above its least so far.
    idle : bool
        Whether no update of the tail had a response to learn from. Then nobody can tell whether it still rises.
    """

    start_success: float
    start_failure: float
    final_success: float
    final_failure: float
    tail_failure: float
    end_failure: float
    fall: float
    idle: bool


@kernel
def tail_length(iterations):
    """How many updates the final rates are averaged over: a tenth of the run, rounded up to an even number.

    A run often ends in a cycle of two states. With an even number the mean does not depend on which of the two comes
    last. A run of a single update has a tail of one.

    Examples
    --------
    >>> tail_length(2000), tail_length(150), tail_length(1)
    (200, 16, 1)
    """
    tail = max(iterations // 10, 1)
    if tail % 2 == 1 and tail < iterations:
        tail += 1
    return tail


@kernel
def judge(summary, best_failure, tolerance):
    """Judge a run by its summary.

    Parameters
    ----------
    summary : Summary
    best_failure : float
        1 − J_max.
    tolerance : float
        A run converged if J_max − J ≤ tolerance · (J_max − J₀). A fall of J by no more than that does not count.

    Returns
    -------
    int
        The number of an `Outcome`.

    Examples
    --------
    >>> seen = Summary(0.5, 0.5, 0.9, 0.1, 0.1, 0.1, 0.0, False)  # from 0.5 to 0.9, and no longer rising
    >>> Outcome(judge(seen, best_failure=0.0, tolerance=0.01)).name
    'stagnated'
    """
    to_gain = summary.start_failure - best_failure
    margin = tolerance * to_gain
    if summary.final_failure - best_failure <= margin:
        return 0
    rising = summary.idle or summary.tail_failure - summary.end_failure > _ROUNDING * to_gain
    if rising and summary.fall <= margin:
        return 1
    if summary.final_failure > summary.start_failure or summary.final_success < summary.start_success:
        return 2
    return 3


def judge_path(
    success_rate: np.ndarray, failure_rate: np.ndarray, best_failure: float, tolerance: float
) -> Outcome:
    """Judge a run whose rates are known at every update.

    Parameters
    ----------
    success_rate, failure_rate : ndarray, shape (iterations + 1,)
        Along the run, including the start.
    best_failure, tolerance
        As for `judge`.

    Examples
    --------
    >>> failure = np.array([0.5, 0.6, 0.7, 0.8])
    >>> judge_path(1 - failure, failure, best_failure=0.0, tolerance=0.01).name
    'collapsed'
    """
    tail = tail_length(len(failure_rate) - 1)
    summary = Summary(
        float(success_rate[0]),
        float(failure_rate[0]),
        float(success_rate[-tail:].mean()),
        float(failure_rate[-tail:].mean()),
        float(failure_rate[-tail - 1]),
        float(failure_rate[-1]),
        float((failure_rate - np.minimum.accumulate(failure_rate)).max()),
        False,
    )
    return Outcome(judge(summary, best_failure, tolerance))


@dataclass(frozen=True)
class Run:
    """Result of one run.

    Attributes
    ----------
    outcome : Outcome or None
        None if the run was not judged.
    final_success_rate, final_failure_rate : float
        Means over prompts and over the last tenth of the updates.
    prompt_final_success_rate, prompt_final_failure_rate : ndarray, shape (Q,)
        The same of each prompt.
    prompt_success_rate, prompt_failure_rate : ndarray, shape (recorded, Q)
        J_q and 1 − J_q at the recorded iterations; empty if none were recorded.
    theta : ndarray, shape (d,)
        Where the run ended.
    """

    outcome: Outcome | None
    final_success_rate: float
    final_failure_rate: float
    prompt_final_success_rate: np.ndarray
    prompt_final_failure_rate: np.ndarray
    prompt_success_rate: np.ndarray
    prompt_failure_rate: np.ndarray
    theta: np.ndarray

    @property
    def success_rate(self) -> np.ndarray:
        """J at the recorded iterations, the mean over prompts."""
        return self.prompt_success_rate.mean(axis=1)

    @property
    def failure_rate(self) -> np.ndarray:
        """1 − J at the recorded iterations, the mean over prompts."""
        return self.prompt_failure_rate.mean(axis=1)

    @property
    def lost_share(self) -> float:
        """Share of prompts whose success rate, over the last tenth of the updates, is below `LOST`."""
        return float((self.prompt_final_success_rate < LOST).mean())


@dataclass(frozen=True)
class Runs(Sequence[Run]):
    """Results of a batch of R runs: as arrays over all runs, and each run as a `Run` by its index.

    Attributes
    ----------
    outcome : ndarray of int, shape (R,), or None
        Numbers of `Outcome`; None if the runs were not judged.
    final : ndarray, shape (R, 2, Q)
        Success and failure rate of each prompt, means over the last tenth of the updates.
    path : ndarray, shape (R, 2 · recorded, Q)
        Success rates, then failure rates, at the recorded iterations.
    theta : ndarray, shape (R, d)
        Where each run ended.
    """

    outcome: np.ndarray | None
    final: np.ndarray
    path: np.ndarray
    theta: np.ndarray

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Runs":
        """A batch of runs that were made one by one."""
        return cls(
            np.array([run.outcome for run in runs]),
            np.array([[run.prompt_final_success_rate, run.prompt_final_failure_rate] for run in runs]),
            np.array([np.concatenate([run.prompt_success_rate, run.prompt_failure_rate]) for run in runs]),
            np.array([run.theta for run in runs]),
        )

    @property
    def final_success_rate(self) -> np.ndarray:
        """Means over prompts and over the last tenth of the updates, of shape (R,)."""
        return self.final[:, 0].mean(axis=1)

    @property
    def final_failure_rate(self) -> np.ndarray:
        """The same of failure rates, of shape (R,)."""
        return self.final[:, 1].mean(axis=1)

    def __len__(self) -> int:
        return len(self.final)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        recorded = self.path.shape[1] // 2
        return Run(
            None if self.outcome is None else Outcome(self.outcome[i]),
            float(self.final[i, 0].mean()),
            float(self.final[i, 1].mean()),
            self.final[i, 0],
            self.final[i, 1],
            self.path[i, :recorded],
            self.path[i, recorded:],
            self.theta[i],
        )
