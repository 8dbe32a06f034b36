"""`climb`: the headroom of a step whose edge is too far for one batch, from rollouts at trial steps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ConfigError
from . import checks
from .batch import LEAST_EFFECTIVE, LEAST_SHARE, Responses, answer, generator_of
from .result import Headroom, Status
from .weights import blend, grid


@dataclass
class _Rungs:
    """Responses drawn at each rung, and their log-probabilities at all rungs.

    Attributes
    ----------
    steps : list of float
        Trial steps at which responses are scored.
    batches : list
        What each rollout returned as its responses.
    drawn_at : list of int
        Index into `steps` of each batch.
    rewards : list of ndarray
    logps : list of list of ndarray
        A row of log-probabilities for each batch, one array for each step.
    """

    score: Callable[[Any, float], Any]
    steps: list[float] = field(default_factory=list)
    batches: list[Any] = field(default_factory=list)
    drawn_at: list[int] = field(default_factory=list)
    rewards: list[np.ndarray] = field(default_factory=list)
    prompts: list[Any] = field(default_factory=list)
    logps: list[list[np.ndarray]] = field(default_factory=list)

    def add_step(self, step: float) -> int:
        """Score every response at a new trial step, and return its index."""
        for index, known in enumerate(self.steps):
            if abs(known - step) <= 1e-9 * max(1.0, abs(step)):
                return index
        self.steps.append(step)
        for batch, row in zip(self.batches, self.logps, strict=True):
            row.append(self._scored(batch, step))
        return len(self.steps) - 1

    def _scored(self, batch: Any, step: float) -> np.ndarray:
        return np.asarray(self.score(batch, step), dtype=float)

    def add_batch(self, step: float, rollout: Callable[[float, int], Any], size: int) -> None:
        """Roll out at a trial step."""
        index = self.add_step(step)
        rolled = rollout(step, size)
        rewards, batch = rolled[0], rolled[1]
        row = [self._scored(batch, known) for known in self.steps]
        prompts = rolled[2] if len(rolled) > 2 else None
        checks.batch(rewards, np.stack([row[index], row[index]], axis=1), [0.0, 1.0], prompts, outcomes=False)
        self.batches.append(batch)
        self.drawn_at.append(index)
        self.rewards.append(np.asarray(rewards, dtype=float))
        self.prompts.append(prompts)
        self.logps.append(row)

    @property
    def responses(self) -> int:
        """Drawn so far."""
        return sum(len(rewards) for rewards in self.rewards)

    @property
    def rarer(self) -> int:
        """Responses of the rarer outcome so far."""
        right = sum(int(rewards.sum()) for rewards in self.rewards)
        return min(right, self.responses - right)

    def spread(self) -> float:
        """Variance of λ within an outcome, per unit of t², in the batch drawn farthest out; the larger of the two."""
        batch = int(np.argmax([self.steps[index] for index in self.drawn_at]))
        here = self.drawn_at[batch]
        far = np.array([abs(step - self.steps[here]) for step in self.steps])
        nearest = int(np.argmin(np.where(far > 0, far, np.inf)))
        change = (self.logps[batch][nearest] - self.logps[batch][here]) / far[nearest]
        right = self.rewards[batch] == 1
        return max((float(np.var(change[mask])) for mask in (right, ~right) if mask.sum() > 1), default=0.0)

    def answer(
        self, last: float, generator: np.random.Generator, resamples: int, **settings: Any
    ) -> Headroom:
        """Pool everything drawn, by the balance heuristic."""
        order = np.argsort(self.steps)
        steps = np.array(self.steps)[order]
        logp = np.concatenate([np.stack(row, axis=1) for row in self.logps])[:, order]
        sizes = np.array([len(rewards) for rewards in self.rewards])
        right = np.concatenate(self.rewards) == 1
        share = np.zeros(len(steps))
        np.add.at(share, np.argsort(order)[self.drawn_at], sizes / sizes.sum())
        drawn = share > 0
        top = logp[:, drawn].max(axis=1, keepdims=True)
        mixture = top + np.log(np.exp(logp[:, drawn] - top) @ share[drawn])[:, None]
        places = grid(steps[steps <= last])
        change = logp @ blend(steps, places).T - mixture
        rung = np.repeat(np.arange(len(sizes)), sizes)
        weight = np.full(len(right), 1 / len(right))
        if self.prompts[0] is None:
            prompt, block, strata = None, np.arange(len(right)), rung
        else:
            labels = np.unique(np.concatenate([np.asarray(p) for p in self.prompts]), return_inverse=True)[1]
            prompt = labels.reshape(-1)
            block = np.unique(np.stack([rung, prompt]), axis=1, return_inverse=True)[1].reshape(-1)
            strata = np.zeros(block.max() + 1, int)
            strata[block] = rung
        start = logp[:, [int(np.argmin(np.abs(steps)))]] - mixture
        return answer(
            places,
            change,
            start,
            Responses(right, weight, prompt, block, strata),
            generator,
            resamples=resamples,
            near=(steps, logp - mixture),
            **settings,
        )


def climb(
    rollout: Callable[[float, int], Any],
    score: Callable[[Any, float], Any],
    *,
    seed: int | np.random.Generator,
    first: float = 1.0,
    batch: int = 128,
    most: int = 1024,
    farthest: float = 1e3,
    precision: float = 0.05,
    level: float = 0.9,
    resamples: int = 400,
    least_share: float = LEAST_SHARE,
) -> Headroom:
    """Headroom of a step whose edge is far, from rollouts at trial steps (docs/probe.md).

    First, responses are drawn at the start until there are 16 of the rarer outcome, or half of `most` is used. Then
    the search goes up in rungs: each trial step is as far from the last one as the effective sample size of its
    responses allows. When the success rate has fallen below that of the start, the remaining responses are drawn at
    the start or at the estimated edge, always where fewer were drawn. All responses are pooled by the balance
    heuristic: the weight of a response at t is its probability there, divided by its probability under the mixture of
    all rungs.

    Parameters
    ----------
    rollout : callable
        ``rollout(t, size)`` draws `size` responses from the policy θ + t u. It returns ``rewards, responses`` or
        ``rewards, responses, prompts``, where `responses` can be anything that `score` understands.
    score : callable
        ``score(responses, t)`` returns the log-probability of each response under θ + t u.
    seed : int or Generator
        Random numbers of the bootstrap. `rollout` has its own.
    first : float
        A short trial step, at which the first batch is scored to see how much its weights vary.
    batch : int
        Responses for each rung.
    most : int
        Largest number of responses in all.
    farthest : float
        Largest trial step.
    precision : float
        The search stops early if the interval lies within ± this share of the headroom.
    level, resamples
        As in `probe`.
    least_share : float
        The next rung is where the effective share of the responses of each outcome has fallen to this.

    Returns
    -------
    Headroom
        `reach` is the farthest rung, or less if an outcome has too few effective responses on the way. The status is
        `beyond reach` if no edge was found up to there.

    Raises
    ------
    ConfigError
        If a setting is not allowed, or if `rollout` or `score` returns something that is not.

    Examples
    --------
    A bandit whose edge is known, with a step that is many times too short:

    >>> from gradgap.bandits import FAMILIES, responses
    >>> bandit, generator = FAMILIES.find("counting").instance(64, 0.5), np.random.default_rng(0)
    >>> at = lambda t: bandit.start + t * np.array([0.02])  # a small step along the gap
    >>> def rollout(t, size):
    ...     drawn = responses.draw(bandit, at(t), size, generator)
    ...     return drawn.rewards, drawn
    >>> def score(drawn, t):
    ...     return responses.log_probability(bandit, drawn, at(t))
    >>> found = climb(rollout, score, seed=1)
    >>> truth = 2 * abs(bandit.theta0) / 0.02
    >>> found.status.value, bool(0.8 < found.headroom / truth < 1.2)
    ('measured', True)
    """
    for name, value, allowed, why in (
        ("first", first, 0 < first < np.inf, "above 0"),
        ("batch", batch, batch >= 8, "8 or more"),
        ("most", most, most >= 2 * batch, "two batches or more"),
        ("farthest", farthest, farthest > first, "above the first trial step"),
        ("precision", precision, 0 < precision < 1, "between 0 and 1"),
    ):
        if not allowed:
            raise ConfigError(f"{name}: {value} is not allowed; it must be {why}")
    generator = generator_of(seed)
    rungs = _Rungs(score)
    rungs.add_step(0.0)
    rungs.add_step(first)
    rungs.add_batch(0.0, rollout, batch)
    while rungs.rarer < 2 * LEAST_EFFECTIVE and 2 * (rungs.responses + batch) <= most:
        rungs.add_batch(0.0, rollout, batch)
    # each of many rungs sees a part of the way, so the number of effective responses counts, and not their share
    settings: dict[str, Any] = {"level": level, "least_share": 0.0}
    here = 0.0
    found: Headroom | None = None
    while rungs.responses + 8 <= most:
        size = min(batch, most - rungs.responses)
        if found is None or found.status is not Status.measured:
            if here >= farthest:
                break
            spread = rungs.spread()
            stride = np.sqrt(-np.log(least_share) / spread) if spread > 0 else np.inf
            here = min(here + stride, max(4 * here, first), farthest)
            rungs.add_batch(here, rollout, size)
        else:
            rungs.add_batch(_worse_known(rungs, found.headroom), rollout, size)
        found = rungs.answer(here, generator, resamples, **settings)
        if found.status is Status.measured:
            low, high = found.headroom_interval
            if max(high - found.headroom, found.headroom - low) <= precision * found.headroom:
                break
    assert found is not None  # `most` has room for two batches
    return found


def _worse_known(rungs: _Rungs, edge: float) -> float:
    """The start or the edge: the one with fewer responses drawn near it."""
    sizes = np.array([len(rewards) for rewards in rungs.rewards])
    at = np.array([rungs.steps[index] for index in rungs.drawn_at])
    near_edge = sizes[np.abs(at - edge) <= 0.2 * edge].sum()
    return edge if near_edge <= sizes[at == 0].sum() else 0.0
