"""Training runs: one policy and one rule, at one learning rate or at many in one call (docs/theory.md, M1)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..bandits import Compiled, Instance, Policy
from ..bandits.groups import COLUMNS
from ..errors import ConfigError
from . import engine, plain, rules
from .optimizers import OPTIMIZERS
from .outcome import Run, Runs
from .ratios import RATIOS
from .rules import ADVANTAGES, AGGREGATIONS
from .schedules import constant, kernels

#: A run must be long enough for so many failing responses. Where failures are rare it takes more updates.
FAILURES = 200


def iterations_to_judge(instance: Instance, group_size: int, least: int) -> int:
    """How long a sampled run must be to be judged: K·n·(1−J) ≥ 200 at the start, and K ≥ `least`.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("gated").instance(64, 0.99)
    >>> iterations_to_judge(bandit, 16, 200), iterations_to_judge(bandit, 1024, 200)
    (1250, 200)
    """
    return max(least, math.ceil(FAILURES / (group_size * instance.at(instance.start)[1])))


def _compiled(instance: Instance, sampled: bool) -> Compiled:
    kernels = instance.kernels
    if sampled and (kernels.outcomes is None or kernels.score is None):
        raise ConfigError(f"family {instance.family!r} has no sampler; only its exact dynamics can be run")
    return Compiled(
        kernels.evaluate,
        _no_outcomes if kernels.outcomes is None else kernels.outcomes,
        _no_score if kernels.score is None else kernels.score,
        _no_every if kernels.every is None else kernels.every,
        _no_revisit if kernels.revisit is None else kernels.revisit,
        _no_divergence if kernels.divergence is None else kernels.divergence,
        kernels.constants,
    )


def _no_outcomes(state, theta, constants, workspace, rates, size, most, group):
    return 0, most


def _no_score(state, theta, constants, workspace, rows, group, update):
    pass


def _no_every(theta, constants, workspace, surrogate, group):
    return 0


def _no_revisit(theta, old, constants, workspace, rows, group, surrogate, update):
    pass


def _no_divergence(theta, start, constants, workspace, slope):
    pass


def check_minibatches(minibatches: int, group_size: int | None) -> None:
    """Check that the responses of a group can be dealt to so many minibatches of equal size.

    Raises
    ------
    ConfigError
        If not.

    Examples
    --------
    >>> check_minibatches(4, 16)
    >>> check_minibatches(3, 16)
    Traceback (most recent call last):
    gradgap.errors.ConfigError: minibatches: 3 is not allowed for groups of 16 responses; it must divide 16
    """
    if group_size is not None and group_size % minibatches:
        raise ConfigError(
            f"minibatches: {minibatches} is not allowed for groups of {group_size} responses; "
            f"it must divide {group_size}"
        )


def _check_reuse(
    policy: Policy, group_size: int | None, steps: int, minibatches: int, delay: int, kl_coef: float
) -> None:
    """Check what was asked of the steps after the first, and that the policy can do it."""
    for name, value, least in (
        ("steps_per_batch", steps, 1),
        ("minibatches", minibatches, 1),
        ("delay", delay, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ConfigError(f"{name}: {value!r} is not allowed; it is a whole number, {least} or more")
    if not 0.0 <= kl_coef < math.inf:
        raise ConfigError(f"kl_coef: {kl_coef!r} is not allowed; it must be 0 or more, and finite")
    check_minibatches(minibatches, group_size)
    kernels = policy.kernels
    having: object = kernels
    again, kind = ["revisit"], "a family with the kernels"
    if kernels is None:
        having, again, kind = policy, ["tokens_at"], "a policy with the methods"
    if group_size is None:
        again.append("every")
    for name, asked, needed in (
        ("steps_per_batch", steps > 1, again),
        ("minibatches", minibatches > 1, again),
        ("delay", delay > 0, again),
        ("kl_coef", kl_coef > 0.0, ["divergence"]),
    ):
        if asked and any(getattr(having, one, None) is None for one in needed):
            raise ConfigError(
                f"{name}: not allowed for {getattr(policy, 'family', 'this policy')}; "
                f"it needs {kind} {' and '.join(needed)}"
            )
    if kernels is not None and minibatches > 1 and kernels.prompts > 1:
        raise ConfigError("minibatches: not allowed for a family of several prompts")
    if delay > 0 and kernels is not None and kernels.sample_reads_rates:
        raise ConfigError("delay: not allowed for a family whose sampler reads the rates")


def _rule(instance: Instance, advantage: str, aggregation: str, sampled: bool) -> engine.RuleKernels:
    # an expected update never calls the sampled forms, and a rule may have none
    forms = rules.sampled(*((advantage, aggregation) if sampled else ("reinforce", "seq-mean-token-sum")))
    return engine.RuleKernels(
        ADVANTAGES.find(advantage).coefficient,
        *forms,
        float(AGGREGATIONS.find(aggregation).divisor(instance)),
        float(instance.max_length),
    )


def _workspace(
    instance: Instance,
    group_size: int,
    slots: int,
    every: bool = False,
    delay: int = 0,
    minibatches: int = 1,
) -> engine.Workspace:
    prompts, dimension = instance.kernels.prompts, len(instance.start)
    rows = instance.kernels.every_rows if every else instance.kernels.rows(group_size)
    return engine.Workspace(
        np.empty(instance.kernels.workspace),
        np.empty((2, prompts)),
        np.empty((2, prompts)),
        np.empty((0 if group_size else prompts, dimension)),  # sampled runs need no gap
        np.empty((COLUMNS, rows)),
        np.empty((7 + delay, dimension)),
        np.zeros((slots, dimension)),
        np.empty((minibatches, rows + 1)),
    )


def _check_group(group_size: int | None, states: object) -> None:
    if group_size is not None:
        if group_size < 2:
            raise ConfigError(f"group_size: {group_size} is not allowed; a group has 2 responses or more")
        if states is None:
            raise ConfigError("state: a sampled run needs a random stream")


def updates(
    instance: Instance,
    advantage: str,
    aggregation: str,
    theta: float | np.ndarray,
    *,
    group_size: int,
    state: np.ndarray,
    count: int,
) -> np.ndarray:
    """Draw the update u many times at one θ, each time from new groups.

    Parameters
    ----------
    instance : Instance
    advantage, aggregation : str
        Names in `rules`.
    theta : float or ndarray, shape (d,)
    group_size : int
        Responses n to each prompt.
    state : ndarray, shape (4,), uint64
        Of the stream (see `streams.state`), changed in place.
    count : int
        Number of draws.

    Returns
    -------
    ndarray, shape (count, d)

    Raises
    ------
    ConfigError
        If the family, advantage or aggregation cannot be sampled.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> from gradgap.numerics import streams
    >>> bandit = FAMILIES.find("counting").instance(64, 0.5)
    >>> rule = {"group_size": 16, "state": streams.state(1, {}), "count": 4000}
    >>> drawn = updates(bandit, "reinforce", "seq-mean-token-sum", bandit.theta0, **rule)
    >>> expected = 0.25 * bandit.at(bandit.theta0)[2]  # J(1−J) g
    >>> bool(abs(drawn.mean() / expected - 1) < 0.1)
    True
    """
    _check_group(group_size, state)
    theta = np.ascontiguousarray(np.atleast_1d(theta), dtype=float)
    out = np.empty((count, len(theta)))
    engine.draw_updates(
        _compiled(instance, True),
        _rule(instance, advantage, aggregation, True),
        engine.Protocol(1, group_size, False, True, True, 0.0, math.nan, 0.0),
        state,
        theta,
        _workspace(instance, group_size, 0),
        out,
    )
    return out


def train(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rates: Sequence[float] | np.ndarray,
    *,
    iterations: int,
    group_size: int | None = None,
    states: Sequence[np.ndarray] | np.ndarray | None = None,
    tolerance: float | None = None,
    schedule: str = "constant",
    optimizer: str = "sgd",
    optimizer_settings: Mapping[str, float] | None = None,
    clip_norm: float = math.inf,
    dynamic_sampling: bool = False,
    steps_per_batch: int = 1,
    minibatches: int = 1,
    ratio: str = "token",
    clip_range: float = math.inf,
    clip_range_high: float | None = None,
    delay: int = 0,
    kl_coef: float = 0.0,
    record: Sequence[int] | np.ndarray = (),
    starts: np.ndarray | None = None,
    outcome: bool = True,
) -> Runs:
    """Train one instance once for each of many learning rates, in one call of the compiled loop.

    Parameters
    ----------
    instance : Instance
        Or another `Policy`. One without kernels is trained by the plain loop.
    advantage, aggregation : str
        Names in `rules`.
    learning_rates : array_like, shape (R,)
        α of each run. For the `unit` advantage with token sums it is the step size η itself.
    iterations : int
        Number of updates K ≥ 1.
    group_size : int, optional
        Sampled responses n to each prompt in an update; by default the expected update of large groups.
    states : array_like, shape (R, 4), uint64
        Random stream of each run (see `streams.state`); needed with a group size, and copied.
    tolerance : float, optional
        Converged is J_max − J ≤ tolerance · (J_max − J₀); by default 1e-4, and 1e-2 for sampled groups.
    schedule, optimizer : str
        Names in `schedules.SCHEDULES` and `optimizers.OPTIMIZERS`. A schedule receives exact rates, in sampled runs
        too.
    optimizer_settings : mapping, optional
        Settings of the optimizer that differ from its defaults.
    clip_norm : float
        Largest norm of an update. A longer one is shortened before the optimizer gets it.
    dynamic_sampling : bool
        Drop groups that are all right or all wrong. With one prompt a new group is drawn instead, and this costs no
        iteration.
    steps_per_batch : int
        Times μ that training goes through each batch; an iteration is one batch. The first step is on-policy.
    minibatches : int
        Steps m each time, on minibatches of different responses: a group is dealt to m equal parts at random, once
        for all μ times. Advantages are those of the whole group. In expected updates a minibatch is the whole batch,
        so that m minibatches are m steps on it.
    ratio : str
        Name in `ratios.RATIOS`: how tokens are weighed after the first step, and with a delay.
    clip_range, clip_range_high : float
        Ratios are clipped to [1 − clip_range, 1 + clip_range_high], by default not at all and symmetrically.
    delay : int
        Iterations τ by which a batch is older than the parameters that it updates, as in asynchronous training.
    kl_coef : float
        Factor of the KL divergence from the start, of whole responses and aggregated like the update, whose exact
        gradient every step descends.
    record : array_like of int
        Iterations, in ascending order, whose rates are returned; 0 is the start.
    starts : ndarray, shape (R, d), optional
        Where each run starts; by default at the instance's start.
    outcome : bool
        Whether to judge each run. If not, a run with a constant learning rate needs no rates before its last tenth,
        which saves time.

    Returns
    -------
    Runs
        A sequence of `Run`. The numbers of all runs are also there as arrays.

    Raises
    ------
    ConfigError
        If a name is unknown, or the family or rule cannot be sampled.

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> runs = train(bandit, "reinforce", "seq-mean-token-sum", [1e-4, 0.1, 100.0], iterations=2000)
    >>> [run.outcome.name for run in runs]
    ['slow', 'converged', 'collapsed']
    """
    _check_group(group_size, states)
    if tolerance is None:
        tolerance = 1e-4 if group_size is None else 1e-2
    chosen, (factor, controller) = OPTIMIZERS.find(optimizer), kernels(schedule)
    undecayed = chosen.complete(optimizer_settings).get("weight_decay", 0.0) == 0.0
    surrogate = RATIOS.find(ratio).surrogate(clip_range, clip_range_high)
    _check_reuse(instance, group_size, steps_per_batch, minibatches, delay, kl_coef)
    rates = np.ascontiguousarray(learning_rates, dtype=float)
    count, dimension = len(rates), len(instance.start)
    kept = np.ascontiguousarray(record, dtype=np.int64)
    theta = np.tile(instance.start, (count, 1)) if starts is None else np.array(starts, dtype=float)
    size = group_size or 0
    bits = np.zeros((count, 4), np.uint64) if states is None else np.array(states, dtype=np.uint64)
    if instance.kernels is None:
        made = [
            plain.train(
                instance,
                advantage,
                aggregation,
                float(rates[i]),
                iterations=iterations,
                group_size=size,
                state=bits[i],
                tolerance=tolerance,
                schedule=schedule,
                optimizer=optimizer,
                optimizer_settings=optimizer_settings,
                clip_norm=clip_norm,
                dynamic_sampling=dynamic_sampling,
                steps_per_batch=steps_per_batch,
                minibatches=minibatches,
                ratio=ratio,
                clip_range=clip_range,
                clip_range_high=clip_range_high,
                delay=delay,
                kl_coef=kl_coef,
                record=kept,
                start=theta[i],
            )
            for i in range(count)
        ]
        return Runs.of(made)
    prompts = instance.kernels.prompts
    results = engine.Results(
        theta,
        np.empty(count, np.int64),
        np.empty((count, 2, prompts)),
        np.empty((count, 2 * len(kept), prompts)),
    )
    steps, parts = steps_per_batch * minibatches, minibatches if size else 1
    revisits = steps > 1 or delay > 0
    engine.train(
        _compiled(instance, size > 0),
        _rule(instance, advantage, aggregation, size > 0 or revisits),
        engine.MoveKernels(
            chosen.move,
            factor,
            chosen.vector(optimizer_settings),
            undecayed and chosen.plain,
            undecayed and chosen.memoryless,
            factor is constant,
            float(clip_norm),
        ),
        controller,
        engine.Reuse(int(steps), int(parts), int(delay), surrogate, float(kl_coef)),
        engine.Protocol(
            iterations,
            size,
            dynamic_sampling,
            instance.kernels.sample_reads_rates,
            outcome or len(kept) > 0 or factor is not constant,
            instance.best_failure,
            math.nan if instance.best is None or dimension > 1 or kl_coef > 0 else float(instance.best[0]),
            float(tolerance),
        ),
        rates,
        bits,
        kept,
        _workspace(instance, size, chosen.slots, revisits and not size, delay, parts),
        results,
    )
    return Runs(results.outcome if outcome else None, results.final, results.path, theta)


def run(
    instance: Instance,
    advantage: str,
    aggregation: str,
    learning_rate: float,
    *,
    iterations: int,
    state: np.ndarray | None = None,
    path: bool = False,
    **options,
) -> Run:
    """Train one instance once, at one learning rate; see `train`.

    Parameters
    ----------
    instance, advantage, aggregation, iterations
        As for `train`.
    learning_rate : float
        α.
    state : ndarray, shape (4,), uint64
        Random stream of the run. It is needed with a group size, and is copied.
    path : bool
        Whether to return the rates at every iteration.
    **options
        Other arguments of `train`.

    Returns
    -------
    Run

    Examples
    --------
    >>> from gradgap.bandits import FAMILIES
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> found = run(bandit, "reinforce", "seq-mean-token-sum", 0.1, iterations=100, path=True)
    >>> round(float(found.success_rate[0]), 9), found.success_rate.shape
    (0.2, (101,))
    """
    if path:
        options["record"] = np.arange(iterations + 1)
    states = None if state is None else [state]
    return train(
        instance, advantage, aggregation, [learning_rate], iterations=iterations, states=states, **options
    )[0]
