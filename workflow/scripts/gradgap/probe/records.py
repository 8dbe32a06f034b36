"""`pool`: the headroom of the steps of a run, without extra rollouts: each step is scored on the next batch."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ConfigError
from . import checks
from .batch import LEAST_EFFECTIVE, LEAST_SHARE, generator_of, mean_weight, parabola
from .result import Headroom, Status
from .weights import contributions, effective, excess, quantiles


@dataclass(frozen=True, eq=False)
class Record:
    """One step of a run, scored on the *next* training batch.

    The next batch is drawn from the new weights θ + u, and had no part in computing u. So trial steps are counted
    from the new weights: −1 is the policy before the step, and 0 the policy after it. All lie along the same u.

    Attributes
    ----------
    rewards, logps, steps, prompts, weights
        As in `probe`, except that steps are counted from the new weights. −1, 0 and at least one other step are
        needed. Good choices are −1, −0.5, 0 and −1, −0.5, 0, 0.5, 1. A batch with one outcome only is allowed, and
        says that nothing changed.
    learning_rate : float
        α of the step. Needed if it is not the same in all records.
    ids, built : iterable of hashable, optional
        Names of the responses of the batch, and of those from which u was computed. If a response is in both, the
        record is refused. Without them it **cannot be seen** that a record was scored on its own batch.

    Raises
    ------
    ConfigError
        For the same reasons as in `probe`.

    Examples
    --------
    Eight right and eight wrong responses. The step has raised the probability of a right one from 0.5 to 0.6:

    >>> logps = np.log([[0.5, 0.6, 0.7], [0.5, 0.4, 0.3]] * 8)
    >>> record = Record([1, 0] * 8, logps, [-1, 0, 1])
    >>> record.success_rate, round(record.gain, 2)
    (0.5, 0.1)
    """

    rewards: Any
    logps: Any
    steps: Any
    prompts: Any = None
    weights: Any = None
    learning_rate: float = 1.0
    ids: Iterable[Hashable] | None = None
    built: Iterable[Hashable] | None = None

    def __post_init__(self) -> None:
        checks.refuse_in_sample(self.ids, self.built)
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"learning_rate: {self.learning_rate} is not allowed; it must be above 0")
        steps = self._batch.steps
        if len(steps) < 3 or not (steps == -1).any():
            shown = ", ".join(f"{t:g}" for t in steps)
            raise ConfigError(
                f"steps: found {shown} in a record; allowed: −1 (before the step), 0 (after it) and at "
                f"least one other"
            )

    @cached_property
    def _batch(self) -> checks.Batch:
        return checks.batch(self.rewards, self.logps, self.steps, self.prompts, self.weights, outcomes=False)

    @cached_property
    def success_rate(self) -> float:
        """J after the step."""
        return float(self._batch.weight @ self._batch.right)

    @cached_property
    def gains(self) -> np.ndarray:
        """Unbiased estimates of J(t) − J(0) at the trial steps, shape (steps,)."""
        data = self._batch
        prompt = data.prompt if data.grouped else None
        return contributions(data.weight, excess(data.change), data.right, prompt).sum(axis=0)

    @property
    def gain(self) -> float:
        """J after the step minus before it."""
        return float(-self.gains[self._batch.steps == -1][0])

    @cached_property
    def derivatives(self) -> tuple[float, float]:
        """J′ and J″ along the step, at its end t = 0, from a parabola that is fitted to the gains."""
        steps = self._batch.steps
        slope, half = parabola(steps[steps != 0], self.gains[steps != 0])
        return float(slope), float(2 * half)

    @cached_property
    def effective(self) -> np.ndarray:
        """Effective sample size of right and of wrong responses at each trial step, shape (2, steps)."""
        data = self._batch
        return np.stack(
            [
                effective(data.change[mask], data.weight[mask]) if mask.any() else np.zeros(len(data.steps))
                for mask in (data.right, ~data.right)
            ]
        )


def totals(records: Sequence[Record]) -> np.ndarray:
    """Slope at the start of the step, and curvature, of each record, converted to a learning rate of 1.

    A record at learning rate α has u = α · direction. So the slope is divided by α, and the curvature by α².

    Parameters
    ----------
    records : sequence of Record

    Returns
    -------
    ndarray, shape (records, 2)

    Examples
    --------
    Along the step the probability of a right response falls by 0.1, then by 0.2. So J′ = −0.15 and J″ = −0.1 at its
    end, and the slope at its start is −0.05, all at a learning rate of 0.5:

    >>> logps = np.log([[0.6, 0.5, 0.3], [0.4, 0.5, 0.7]] * 200)
    >>> record = Record([1, 0] * 200, logps, [-1, 0, 1], learning_rate=0.5)
    >>> totals([record]).round(2) + 0
    array([[-0.1, -0.4]])
    """
    rows = []
    for record in records:
        slope, curvature = record.derivatives
        rows.append(((slope - curvature) / record.learning_rate, curvature / record.learning_rate**2))
    return np.array(rows)


def edge_of(total: np.ndarray) -> np.ndarray:
    """Edge 2 ΣJ′/(−ΣJ″): the learning rate at which a step would just do harm.

    Parameters
    ----------
    total : ndarray, shape (..., 2)
        Sums of slope and curvature over records, see `totals`.

    Returns
    -------
    ndarray, shape (...)
        Infinite if J does not curve downwards.

    Examples
    --------
    >>> edge_of(np.array([[3.0, -2.0], [3.0, 1.0]]))
    array([ 3., inf])
    """
    slope, curvature = total[..., 0], total[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(curvature < 0, np.maximum(2 * slope, 0.0) / -curvature, np.inf)


def pool(
    records: Sequence[Record],
    *,
    seed: int | np.random.Generator,
    level: float = 0.9,
    resamples: int = 400,
    least_share: float = LEAST_SHARE,
) -> Headroom:
    """Headroom of a run's steps, pooled over records (docs/probe.md).

    In each record, J along the step is taken as a parabola with J′ and J″ at its end t = 0. At its start, t = −1, the
    slope is then J′ − J″, and J falls below its start after 2(J′ − J″)/(−J″) steps. In a single record numerator and
    denominator are mostly noise. So each is summed over the records first, and then they are divided. They are summed
    with their signs: Σ|J″| would add up noise, and make the headroom too small.

    Parameters
    ----------
    records : sequence of Record
        About 10 or more, in the order of the run, from a window in which the policy does not change much.
    seed : int or Generator
        Random numbers of the bootstrap, whose blocks are neighbouring steps.
    level, resamples, least_share
        As in `probe`.

    Returns
    -------
    Headroom
        In units of the step of the last record, so `headroom` × its learning rate is the forecast of the edge. `gain`
        is the mean change of J by the steps. `reach` is the distance from the start of a step up to which the
        responses can tell, in the median record. The parabola is extrapolated beyond it. So `measured` means here
        that the curvature differs from zero by more than noise. If it does not, the status is `beyond reach`, and the
        headroom is a lower bound.

    Raises
    ------
    ConfigError
        If there is no record.

    Notes
    -----
    A run that fluctuates around its optimum has a headroom of 1 at any learning rate: about half of its steps do
    harm. So a headroom of 1 is no alarm by itself.

    Examples
    --------
    Twelve records of the same small step on a bandit whose edge is known:

    >>> from gradgap.bandits import FAMILIES, responses
    >>> bandit, generator = FAMILIES.find("counting").instance(64, 0.5), np.random.default_rng(0)
    >>> step = np.array([0.05])  # from θ to θ + step, along the gap
    >>> steps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    >>> records = []
    >>> for k in range(12):
    ...     theta = bandit.start + step
    ...     drawn = responses.draw(bandit, theta, 512, generator)
    ...     logps = np.stack([responses.log_probability(bandit, drawn, theta + t * step) for t in steps], axis=1)
    ...     records.append(Record(drawn.rewards, logps, steps))
    >>> found = pool(records, seed=1)
    >>> truth = 2 * abs(bandit.theta0) / 0.05  # the edge lies at 2|θ₀|
    >>> bool(0.5 < found.headroom / truth < 2)
    True
    """
    if not records:
        raise ConfigError("records: found none; allowed: one or more")
    generator = generator_of(seed)
    rows = totals(records)
    last = records[-1].learning_rate
    count = len(rows)
    edge = float(edge_of(rows.sum(axis=0))) / last
    length = max(round(count ** (1 / 3)), 1)
    starts = generator.integers(count, size=(resamples, -(-count // length)))
    picked = ((starts[..., None] + np.arange(length)) % count).reshape(resamples, -1)[:, :count]
    low, high = quantiles(edge_of(rows[picked].sum(axis=1)) / last, level)
    # effective responses of each record at its smallest trial step, which is the farthest from its origin
    kept = np.stack([record.effective[:, 0] for record in records])
    right, wrong = kept.sum(axis=0)
    if min(right, wrong) < LEAST_EFFECTIVE or count < 2:
        status, edge, low, high = Status.void, np.nan, np.nan, np.nan
    elif np.isinf(high):
        status, edge = Status.beyond_reach, low
    else:
        status = Status.measured
    means, errors = np.array(
        [mean_weight(record._batch.weight, record._batch.change[:, 0]) for record in records]
    ).T
    return Headroom(
        gain=float(np.mean([record.gain for record in records])),
        headroom=edge,
        headroom_interval=(low, high),
        reach=float(np.median([_reach(record, least_share) for record in records])),
        effective_right=float(right),
        effective_wrong=float(wrong),
        status=status,
        quadratic=edge,
        mean_weight=float(np.mean(means)),
        mean_weight_error=float(np.sqrt(np.mean(errors**2) / len(errors))),
        responses=sum(len(record._batch.right) for record in records),
    )


def _reach(record: Record, least_share: float) -> float:
    """Distance from the start of the step up to which the responses of a record can tell."""
    data = record._batch
    number = record.effective[:, [data.origin]]
    held = np.all(record.effective >= least_share * number, axis=0)
    if not held[: data.origin].all():
        return 0.0
    ahead = data.steps[data.origin :]
    lost = np.nonzero(~held[data.origin :])[0]
    return float(1 + (ahead[lost[0] - 1] if lost.size else ahead[-1]))
