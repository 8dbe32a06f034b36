"""Bandit families: small RLVR problems whose success rate and gradient gap are known exactly.

A family is one module of this package, or one plugin file. It registers a `Family` in `FAMILIES`. A family makes
instances: one `Instance` is one bandit with its start θ₀.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from ..errors import ConfigError
from ..numerics.compiler import function_type, i8, matrix, stream_pointer, structure, types, vector
from ..numerics.elementary import norm
from ..plugins import Registry
from ..settings import Setting

if TYPE_CHECKING:
    from .responses import ResponseModel

#: Types of the kernels of a policy, see `Kernels`.
EVALUATE = function_type(types.none, vector, vector, vector, matrix, matrix)
OUTCOMES = function_type(
    types.UniTuple(i8, 2), stream_pointer, vector, vector, vector, matrix, i8, i8, matrix
)
SCORE = function_type(types.none, stream_pointer, vector, vector, vector, i8, matrix, vector)
EVERY = function_type(i8, vector, vector, vector, vector, matrix)
REVISIT = function_type(types.none, vector, vector, vector, vector, i8, matrix, vector, vector)
DIVERGENCE = function_type(types.none, vector, vector, vector, vector, vector)


class LengthPowers(NamedTuple):
    """A power for each length of an instance: the mean, that of responses with a score, and the largest."""

    mean: float
    scored: float
    largest: float


class Lengths(Protocol):
    """The lengths of an instance, which an aggregation may divide by; see `Instance`."""

    @property
    def length(self) -> float: ...

    @property
    def max_length(self) -> int: ...

    @property
    def score_length(self) -> int: ...


class Rates(NamedTuple):
    """Success and failure rate of the Q prompts at one θ, of shape (Q,), and gradient gaps, of shape (Q, d)."""

    success: np.ndarray
    failure: np.ndarray
    gap: np.ndarray


class Sample(NamedTuple):
    """One sampled group: rewards and lengths in tokens, of shape (n,), and summed scores, of shape (n, d).

    `tokens` is what the policy needs to know of the responses to look at them again, see `TokenPolicy`.
    """

    rewards: np.ndarray
    lengths: np.ndarray
    scores: np.ndarray
    tokens: Any = None


class Policy(Protocol):
    """What training needs to know about a policy of any kind.

    `Instance` is the policy of a bandit. If a policy has no `kernels`, the plain loop of `training.plain` trains it
    by calling its methods.
    """

    @property
    def start(self) -> np.ndarray:
        """Parameters θ₀ before training, of shape (d,)."""

    @property
    def length(self) -> float:
        """Mean response length T, in tokens."""

    @property
    def max_length(self) -> int:
        """Length of the longest response, in tokens."""

    @property
    def score_length(self) -> int:
        """Length of the responses whose score is not zero, in tokens."""

    @property
    def best_failure(self) -> float:
        """1 − J_max, the failure rate of the best parameters."""

    @property
    def kernels(self) -> "Kernels | None":
        """The compiled functions for the engine; None if there are none."""

    def rates(self, theta: np.ndarray) -> Rates:
        """Rates of every prompt at θ."""

    def sample(self, theta: np.ndarray, size: int, state: np.ndarray) -> list[Sample]:
        """One group of `size` responses to every prompt, drawn at θ from a random stream."""


class TokenPolicy(Policy, Protocol):
    """A policy in plain Python that can look at a batch again after its parameters have moved.

    Several steps on one batch, and steps on an old batch, need `tokens_at`, and `every` where updates are expected
    ones. The KL divergence from the start needs `divergence`.
    """

    def tokens_at(self, theta: np.ndarray, group: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Log-probability of each token of a group at θ, of shape (n, L), and its score, of shape (n, L, d).

        L is the length of the longest response. After the end of a shorter one both are 0.
        """

    def every(self, theta: np.ndarray) -> list[tuple[Sample, np.ndarray]]:
        """For each prompt all responses, and their probabilities at θ, of shape (n,)."""

    def divergence(self, theta: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Gradient at θ of the Kullback–Leibler divergence of whole responses, KL(π_θ ‖ π_start), of shape (d,)."""


class Kernels(NamedTuple):
    """The compiled functions of a policy, and the arrays that they work on.

    All arrays are float64 and C-contiguous. Every function gets `constants` and `workspace`. It may write to the
    workspace, and `outcomes` and `score` may read there what `evaluate` has written. `rates` has shape (2, Q), the
    success and failure rates of the Q prompts. `group` describes the sampled batch (see `groups`).

    Attributes
    ----------
    evaluate : compiled function
        ``evaluate(theta, constants, workspace, rates, gaps)`` fills the rates, each computed directly, and the
        gradient gaps, of shape (Q, d). In sampled runs, which need no gaps, `gaps` has shape (0, d).
    outcomes : compiled function or None
        ``outcomes(state, theta, constants, workspace, rates, size, most, group) -> (rows, batches)`` draws batches
        of `size` responses a prompt until one of them holds a response with a score, but at most `most` batches.
        `batches` says how many were drawn; a family may always draw just one. For the last batch it fills reward,
        length, count and prompt of each row, and whatever `score` will need. `rows` may be 0 if no response has a
        score. None if the family cannot be sampled.
    score : compiled function or None
        ``score(state, theta, constants, workspace, rows, group, update)`` adds Σ count · weight · score over the rows
        to `update`, of shape (d,). It may draw scores only now, so that rows of weight 0 cost nothing.
    constants : ndarray
        The numbers that describe the instance to the kernels.
    workspace : int
        How many numbers of workspace the kernels need.
    prompts : int
        Number Q of prompts.
    rows_beside : int
        A batch has at most ``group size + rows_beside`` rows, or at most this many if `grouped` is true.
    grouped : bool
        Whether a row stands for several responses, so that the number of rows does not grow with the group size.
    sample_reads_rates : bool
        Whether `evaluate` must run at the same θ before `outcomes`, which then reads its rates and workspace.
    revisit : compiled function or None
        ``revisit(theta, old, constants, workspace, rows, group, surrogate, update)`` adds to `update` the gradient at
        θ of a surrogate (see `surrogates`) of the rows of a batch that was drawn, by `outcomes` or `every`, at `old`.
        None where a batch serves for one step only, at the parameters it was drawn at.
    every : compiled function or None
        ``every(theta, constants, workspace, surrogate, group) -> rows`` fills the rows with all responses, their
        probability as their count: a batch in expectation. Responses that `revisit` would treat alike under this
        surrogate may share a row, with their mean score. None where they are too many.
    every_rows : int
        Rows that `every` fills at the most.
    divergence : compiled function or None
        ``divergence(theta, start, constants, workspace, slope)`` fills the gradient at θ of the Kullback–Leibler
        divergence of whole responses, KL(π_θ ‖ π_start); None where it is not known.
    """

    evaluate: Callable
    outcomes: Callable | None
    score: Callable | None
    constants: np.ndarray
    workspace: int
    prompts: int = 1
    rows_beside: int = 1
    grouped: bool = False
    sample_reads_rates: bool = False
    revisit: Callable | None = None
    every: Callable | None = None
    every_rows: int = 0
    divergence: Callable | None = None

    def rows(self, size: int) -> int:
        """The largest number of rows that a batch of groups of this size can have."""
        return self.rows_beside if self.grouped else size + self.rows_beside


class Compiled(NamedTuple):
    """The part of `Kernels` that an engine receives."""

    evaluate: Callable
    outcomes: Callable
    score: Callable
    every: Callable
    revisit: Callable
    divergence: Callable
    constants: np.ndarray


COMPILED = structure(Compiled, EVALUATE, OUTCOMES, SCORE, EVERY, REVISIT, DIVERGENCE, vector)


@dataclass(frozen=True)
class Instance:
    """One bandit at its start θ₀.

    Attributes
    ----------
    family : str
        Name of the family.
    kernels : Kernels
    start : ndarray, shape (d,)
        θ₀.
    length : float
        True mean response length T = E|o|, in tokens.
    max_length, score_length : int
        Length of the longest response, and of the responses whose score is not zero, in tokens.
    token_score_bound, token_hessian_bound : float
        G_p and L_p: bounds on the norm of a token's score and of its Hessian.
    best : ndarray, shape (d,), optional
        θ at which the success rate is largest. None if the rate only tends to J_max = 1 as θ grows.
    settings : mapping
        The settings of the family that the instance was made with.
    responses : ResponseModel, optional
        Draws single responses, see `bandits.responses`. None if the family cannot.

    Examples
    --------
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> success, failure, gap = bandit.at(bandit.theta0)
    >>> round(success, 9), round(success + failure, 9), gap > 0
    (0.2, 1.0, True)
    """

    family: str
    kernels: Kernels
    start: np.ndarray
    length: float
    max_length: int
    score_length: int
    token_score_bound: float
    token_hessian_bound: float
    best: np.ndarray | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    responses: "ResponseModel | None" = None

    def _rates(self, theta: np.ndarray, workspace: np.ndarray) -> Rates:
        kernels = self.kernels
        rates, gaps = np.empty((2, kernels.prompts)), np.empty((kernels.prompts, len(self.start)))
        kernels.evaluate(theta, kernels.constants, workspace, rates, gaps)
        return Rates(rates[0], rates[1], gaps)

    def rates(self, theta: np.ndarray) -> Rates:
        """Success rate, failure rate and gradient gap of every prompt at θ, which has shape (d,)."""
        theta = np.ascontiguousarray(theta, dtype=float).reshape(len(self.start))
        return self._rates(theta, np.empty(self.kernels.workspace))

    def at(self, theta: Any) -> tuple[float, float, Any]:
        """Success rate, failure rate and gradient gap of the whole policy at θ.

        Every response is to a random prompt, so J is the mean of the J_q. The gap of the whole policy is
        g = ∇J / (J(1−J)), where ∇J is the mean of J_q (1−J_q) g_q. It is not the mean of the gaps g_q.

        Parameters
        ----------
        theta : float or ndarray, shape (d,)

        Returns
        -------
        success_rate, failure_rate : float
        gap : float where d is 1, else ndarray, shape (d,)
        """
        success, failure, gap = self.rates(np.atleast_1d(theta))
        if len(success) == 1:
            mean, complement, whole = float(success[0]), float(failure[0]), gap[0]
        else:
            mean, complement = float(success.mean()), float(failure.mean())
            whole = ((success * failure)[:, None] * gap).mean(axis=0) / (mean * complement)
        return mean, complement, float(whole[0]) if len(self.start) == 1 else whole

    def sample(self, theta: np.ndarray, size: int, state: np.ndarray) -> list[Sample]:
        """One group of `size` responses to every prompt: the rows of `kernels.outcomes`, one response each.

        The list is empty where `outcomes` gives no rows, because no response of the batch has a score.

        Raises
        ------
        ConfigError
            If the family cannot be sampled, or one of its rows stands for responses with different scores.
        """
        from .groups import COLUMNS, COUNT, LENGTH, PROMPT, REWARD, WEIGHT

        kernels = self.kernels
        if kernels.outcomes is None or kernels.score is None or kernels.grouped:
            raise ConfigError(f"family {self.family!r} cannot be sampled response by response")
        theta = np.ascontiguousarray(theta, dtype=float)
        workspace, group = np.empty(kernels.workspace), np.zeros((COLUMNS, kernels.rows(size)))
        rates = np.ascontiguousarray(np.stack(self._rates(theta, workspace)[:2]))
        rows, _ = kernels.outcomes(state, theta, kernels.constants, workspace, rates, size, 1, group)
        scores = np.zeros((rows, len(theta)))
        for i in range(rows):  # the score of a row is the update in which this row alone counts, once
            alone = group.copy()
            alone[WEIGHT], alone[COUNT, i] = 0.0, 1.0
            alone[WEIGHT, i] = 1.0
            kernels.score(state, theta, kernels.constants, workspace, rows, alone, scores[i])
        found = []
        for prompt in np.unique(group[PROMPT, :rows]):
            mine = np.flatnonzero(group[PROMPT, :rows] == prompt)
            each = np.repeat(mine, group[COUNT, mine].astype(int))
            found.append(Sample(group[REWARD, each], group[LENGTH, each], scores[each]))
        return found

    @property
    def gap_norm(self) -> float:
        """Norm ‖g‖ of the gradient gap of the whole policy at the start."""
        gap = self.at(self.start)[2]
        return abs(gap) if len(self.start) == 1 else norm(gap)

    @property
    def best_failure(self) -> float:
        """1 − J_max."""
        return 0.0 if self.best is None else self.at(self.best)[1]

    @property
    def collapsed_failure(self) -> float:
        """1 − J_∞, the failure rate of a collapsed policy: one whose θ went far away, in no special direction."""
        return self.at(math.inf)[1]

    @property
    def theta0(self) -> float:
        """The start θ₀ as a number, for families of one parameter.

        Raises
        ------
        ConfigError
            If θ is a vector.
        """
        return self._number(self.start)

    @property
    def best_theta(self) -> float:
        """The best θ as a number, for families of one parameter; nan if the rate has no largest value."""
        return self._number(np.full(1, np.nan) if self.best is None else self.best)

    def _number(self, values: np.ndarray) -> float:
        if len(self.start) != 1:
            raise ConfigError(
                f"family: {self.family} is not allowed here; its policies have a vector of parameters, and this "
                f"takes families of one parameter, such as counting or gated"
            )
        return float(values[0])

    def replace(self, **changes: Any) -> "Instance":
        """A copy of the instance with some attributes changed."""
        return dataclasses.replace(self, **changes)


class Family(ABC):
    """Makes instances from a response length and a success rate.

    A family also states what is known about its instances in closed form. By default it states nothing.
    """

    #: Settings beside length and success rate. They are keys of the configuration, and arguments of `instance`.
    settings: ClassVar[Mapping[str, Setting]] = MappingProxyType({})
    #: Values for this family where a study sets a value for each family and leaves this one out.
    usual: ClassVar[Mapping[str, float]] = MappingProxyType({})

    #: Whether J is even in θ and falls on both sides of its best value at θ = 0. For one parameter.
    even_and_unimodal: ClassVar[bool] = False
    #: Whether J falls to 0 as |θ| grows. For one parameter.
    success_vanishes: ClassVar[bool] = False
    #: Powers of 1 − J by which the lengths grow as J → 1 at fixed T. None if α* has no law in 1 − J.
    failure_powers: ClassVar["LengthPowers | None"] = None

    def curvature(self, instance: Instance) -> float:
        """|J″| at the best θ, for one parameter; nan if it is not known in closed form."""
        return math.nan

    def stable_globally(self, instance: Instance) -> bool | None:
        """Whether steps along ∇J that converge from near the best θ converge from every start; None if unknown."""
        return None

    @abstractmethod
    def instance(
        self, length: int, success_rate: float, failure_rate: float | None = None, **settings: float
    ) -> Instance:
        """Make the instance with these coordinates.

        Parameters
        ----------
        length : int
            Mean response length T that is wanted, in tokens.
        success_rate : float
            Success rate J(θ₀) at the start.
        failure_rate : float, optional
            1 − J(θ₀), if it is known more exactly than by subtraction.
        **settings
            Any of `settings`.

        Returns
        -------
        Instance

        Raises
        ------
        ConfigError
            If there is no such instance. The message names the value and what is allowed.
        """


def of_one_parameter(instance: Instance) -> Instance:
    """Return the instance unchanged if its policy has one parameter, else raise an error.

    Raises
    ------
    ConfigError
        If the policy has a vector of parameters.

    Examples
    --------
    >>> of_one_parameter(FAMILIES.find("counting").instance(16, 0.2)).family
    'counting'
    """
    instance._number(instance.start)
    return instance


def _check(family: Any) -> None:
    """Call `check_family`, whose module needs this one to be complete."""
    from .checks import check_family

    check_family(family)


#: All bandit families by name.
FAMILIES: Registry[Family] = Registry("bandit family", __name__, _check)
