"""What became of a run: one judge for every path, whichever engine made it (docs/theory.md, M1)."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..numerics.compiler import kernel

#: A rate that moved by less than this share of what there is to gain did not move: roundings are no signal.
_ROUNDING = 1e-12
#: A prompt is lost where its success rate is below this.
LOST = 0.01


class Outcome(enum.IntEnum):
    """What became of a run, judged by the success rate over its last tenth."""

    converged = 0  #: within the tolerance of the best success rate
    slow = 1  #: not there, but still rising and never fell: more iterations are wanted, not a smaller step
    collapsed = 2  #: below the success rate it started from
    stagnated = 3  #: the rest: stuck between the two


class Summary(NamedTuple):
    """What the judge looks at. Rates are means over prompts.

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
        No update of the tail had a response to learn from: nothing can be said about whether it still rises.
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
    """Updates that the final rates are the mean over: a tenth, an even number where there are that many.

    An even number holds whole two-cycles, so that their mean does not depend on where the run ends.
    """
    tail = max(iterations // 10, 1)
    if tail % 2 == 1 and tail < iterations:
        tail += 1
    return tail


@kernel
def judge(summary, best_failure, tolerance):
    """The outcome of a run, as the number of an `Outcome`.

    Parameters
    ----------
    summary : Summary
    best_failure : float
        1 − J_max.
    tolerance : float
        Converged is J_max − J ≤ tolerance · (J_max − J₀), and J fell where it lost more than that.

    Returns
    -------
    int
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
    """The outcome of a run whose rates are known at every update.

    Parameters
    ----------
    success_rate, failure_rate : ndarray, shape (iterations + 1,)
        Along the run, the start included.
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
        None where it was not asked for.
    final_success_rate, final_failure_rate : float
        Means over prompts and over the last tenth of the updates.
    prompt_final_success_rate, prompt_final_failure_rate : ndarray, shape (Q,)
        The same of each prompt.
    prompt_success_rate, prompt_failure_rate : ndarray, shape (recorded, Q)
        J_q and 1 − J_q at the recorded iterations; empty where none was asked for.
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
    """Results of a batch of R runs: the numbers of all as arrays, and each as a `Run` by its position.

    Attributes
    ----------
    outcome : ndarray of int, shape (R,), or None
        Numbers of `Outcome`; None where it was not asked for.
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
