"""Update rules: each is an advantage with an aggregation.

The advantage turns the rewards of a group into weights of its responses. The aggregation says what the weighted token
scores are divided by. In expectation over large groups the update is ``u = c(J) g / divisor``, with g the gradient
gap, c(J) a factor of the advantage, and the divisor a length (docs/theory.md, R1–R2). Then ``θ' = θ + α u``.
"""

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from ..bandits import LengthPowers, Lengths
from ..bandits.groups import ADVANTAGE, AGGREGATION, COLUMNS, COUNT, LENGTH, REWARD, WEIGHT, weigh_group
from ..errors import ConfigError
from ..numerics.compiler import engine, f8, function_at, function_type, kernel, matrix, require_kernel
from ..numerics.elementary import log
from ..plugins import Registry

#: Type of `Advantage.coefficient`.
COEFFICIENT = function_type(f8, f8, f8, f8)


class _These(NamedTuple):
    """Example lengths, to find out how a divisor depends on each."""

    length: float
    score_length: int
    max_length: int


_THESE = _These(4096.0, 65536, 262144)


@dataclass(frozen=True)
class Advantage:
    """How the rewards of a group become weights of its responses.

    Attributes
    ----------
    coefficient : compiled function
        ``coefficient(success_rate, failure_rate, gap_norm) -> c``: the factor of the gradient gap in the expected
        update of large groups.
    power : float or None
        The p with c ~ (1−J)^p as J → 1. The exponents of the critical learning rate follow from it. None if c is no
        such power.
    sampled : compiled function or None
        ``sampled(right, size) -> (a, b)``: the advantage of each right and of each wrong response, in a group of
        `size` responses with `right` right ones (all float64). None if it is defined in expectation only.
    vanishes : bool
        Whether the expected update is 0 where the gradient gap is 0, so that the best θ is a fixed point.
    """

    coefficient: Callable
    power: float | None
    sampled: Callable | None = None
    vanishes: bool = True

    @property
    def follows_gradient(self) -> bool:
        """Whether the expected update is ∇J = J(1−J) g itself.

        Examples
        --------
        >>> [name for name in ("rloo", "grpo") if ADVANTAGES[name].follows_gradient]
        ['rloo']
        """
        return all(self.coefficient(j, 1.0 - j, 1.0) == j * (1.0 - j) for j in (0.25, 0.5, 0.875))


@dataclass(frozen=True)
class Aggregation:
    """How the weighted token scores of a group become one update.

    Attributes
    ----------
    divisor : callable
        ``divisor(instance) -> float``: what the summed score of a response is divided by, in tokens.
    sampled : compiled function or None
        ``sampled(length, size, total_length, max_length) -> factor``: the factor of the summed score of a response
        of `length` tokens, in a group of `size` responses with `total_length` tokens in all (all float64).
        `max_length` is the length of the longest possible response. None if it is defined in expectation only.
    """

    divisor: Callable[[Lengths], float]
    sampled: Callable | None = None

    @property
    def powers(self) -> LengthPowers:
        """The power of each length in the divisor, found by evaluating it.

        All are nan if the divisor is not a product of powers; then it predicts no exponent.

        Examples
        --------
        >>> AGGREGATIONS["token-mean"].powers
        LengthPowers(mean=1.0, scored=0.0, largest=0.0)
        """

        def power(name: str) -> float:
            grown = _THESE._replace(**{name: 4 * getattr(_THESE, name)})
            # decimal logarithms are the same everywhere, and those of `elementary` take a third of a second to load
            factor = Decimal(self.divisor(grown) / self.divisor(_THESE))
            return round(float(factor.ln() / Decimal(4).ln()), 9)

        found = LengthPowers(power("length"), power("score_length"), power("max_length"))
        other = _These(256.0, 2048, 524288)
        law = math.prod((there / here) ** p for there, here, p in zip(other, _THESE, found, strict=True))
        if not math.isclose(self.divisor(other), self.divisor(_THESE) * law, rel_tol=1e-6):
            return LengthPowers(math.nan, math.nan, math.nan)
        return found


@kernel
def _gap(success_rate, failure_rate, gap_norm):
    return 1.0


@kernel
def _unit(success_rate, failure_rate, gap_norm):
    return 1.0 / gap_norm if gap_norm > 0.0 else 0.0


@kernel
def _reinforce(success_rate, failure_rate, gap_norm):
    return success_rate * failure_rate


@kernel
def _grpo(success_rate, failure_rate, gap_norm):
    return math.sqrt(success_rate * failure_rate)


@kernel
def _max_rl(success_rate, failure_rate, gap_norm):
    return failure_rate


@kernel
def _over_mean(right, size):
    if right == 0.0:
        return 0.0, 0.0
    return (size - right) / right, -1.0


@kernel
def _reward(right, size):
    return 1.0, 0.0


@kernel
def _minus_others(right, size):
    return (size - right) / (size - 1.0), -right / (size - 1.0)


@kernel
def _minus_mean(right, size):
    return (size - right) / size, -right / size


@kernel
def _z_score(right, size):
    deviation = math.sqrt(right * (size - right) / (size * (size - 1.0)))
    if deviation == 0.0:
        return 0.0, 0.0
    return (size - right) / size / (deviation + 1e-4), -right / size / (deviation + 1e-4)


def check_rule(component: Any, kind: type | None = None) -> None:
    """Check that an advantage or an aggregation does what the engine and the theory rely on.

    What it declares is compared with what its functions return: the power with the coefficient near J = 1, and the
    sampled form in a large group with the expected form. It runs on the components of plugins when they are loaded.

    Parameters
    ----------
    component : Advantage or Aggregation
    kind : type, optional
        Which of the two it must be.

    Raises
    ------
    ConfigError
        In one sentence that says what to mend.

    Examples
    --------
    >>> check_rule(ADVANTAGES.find("grpo"))
    >>> check_rule(Advantage(ADVANTAGES.find("grpo").coefficient, power=1.0))
    Traceback (most recent call last):
    gradgap.errors.ConfigError: power is declared as 1, but coefficient goes as (1−J)^0.5 near J = 1; mend one of them
    """
    kinds = (Advantage, Aggregation) if kind is None else (kind,)
    if not isinstance(component, kinds):
        raise ConfigError(
            f"register an {' or an '.join(f'{known.__name__}(...)' for known in kinds)}; "
            f"found {type(component).__name__}"
        )
    if isinstance(component, Advantage):
        _check_advantage(component)
    elif isinstance(component, Aggregation):
        _check_aggregation(component)


def _check_advantage(advantage: Advantage) -> None:
    require_kernel("coefficient", advantage.coefficient, COEFFICIENT, "success_rate, failure_rate, gap_norm")
    for failure in (1 - 1e-6, 0.8, 0.5, 0.2, 1e-3, 1e-9):
        for gap_norm in (0.0, 1e-3, 1.0, 1e3):
            found = advantage.coefficient(1.0 - failure, failure, gap_norm)
            if not 0.0 <= found < math.inf or (found == 0.0 and gap_norm > 0.0):
                raise ConfigError(
                    f"coefficient is {found} at success rate {1.0 - failure:g} and gap norm {gap_norm:g}; it must be "
                    f"finite, and above 0 where the gap is, so that updates go uphill"
                )
    if not isinstance(advantage.vanishes, bool):
        raise ConfigError(f"vanishes must be True or False; found {advantage.vanishes!r}")
    near, far = 1e-12, 1.0
    update = advantage.coefficient(0.5, 0.5, near) * near / (advantage.coefficient(0.5, 0.5, far) * far)
    if (update < 1e-3) != advantage.vanishes:
        raise ConfigError(
            f"vanishes is declared as {advantage.vanishes}, but the update at a gap of {near:g} is {update:.3g} of "
            f"that at a gap of {far:g}; mend one of them"
        )
    if advantage.power is not None:
        if not isinstance(advantage.power, int | float) or not math.isfinite(advantage.power):
            raise ConfigError(
                f"power must be a number, or None where there is no law; found {advantage.power!r}"
            )
        first, second = (advantage.coefficient(1.0 - q, q, 1.0) for q in (1e-8, 1e-12))
        power = log(first / second) / log(1e4)
        if abs(power - advantage.power) > 0.01:
            raise ConfigError(
                f"power is declared as {advantage.power:g}, but coefficient goes as (1−J)^{power:.3g} near J = 1; "
                f"mend one of them"
            )
    if advantage.sampled is None:
        return
    require_kernel("sampled", advantage.sampled, ADVANTAGE, "right, size")
    for size in (2, 5, 16):
        for right in range(size + 1):
            pair = advantage.sampled(float(right), float(size))
            if not all(map(math.isfinite, pair)):
                raise ConfigError(f"sampled is {pair} with {right} right of {size}; both must be finite")
    # E[score | right] = (1−J) g and E[score | wrong] = −J g, so that a large group moves by J(1−J)(a − b) g
    large = 2.0**40
    for success in (0.25, 0.5, 0.75):
        of_right, of_wrong = advantage.sampled(success * large, large)
        moved = success * (1.0 - success) * (of_right - of_wrong)
        expected = advantage.coefficient(success, 1.0 - success, 1.0)
        if not math.isclose(moved, expected, rel_tol=2e-3):
            raise ConfigError(
                f"in a large group at success rate {success:g} sampled moves θ by {moved:.6g} of the gradient gap, "
                f"and coefficient says {expected:.6g}; mend one of them"
            )


def _check_aggregation(aggregation: Aggregation) -> None:
    if not callable(aggregation.divisor):
        raise ConfigError(f"divisor must be a function divisor(instance); found {aggregation.divisor!r}")
    same = _These(1024.0, 1024, 1024)
    for these in (same, _THESE):
        try:
            divisor = aggregation.divisor(these)
        except Exception as error:
            raise ConfigError(
                f"divisor(instance) fails with {type(error).__name__}: {error}; it may read length, score_length and "
                f"max_length of the instance"
            ) from None
        if not isinstance(divisor, int | float | np.number) or not 0.0 < divisor < math.inf:
            raise ConfigError(f"divisor(instance) is {divisor!r}; it must be a number of tokens above 0")
    if aggregation.sampled is None:
        return
    require_kernel("sampled", aggregation.sampled, AGGREGATION, "length, size, total_length, max_length")
    # at several sizes: where all responses have the same length, rules that differ in the divisor alone share runs
    for size, these in itertools.product((8.0, 2.0, 1024.0), (same, _THESE)):
        factor = aggregation.sampled(
            float(these.score_length), size, size * these.length, float(these.max_length)
        )
        expected = 1.0 / (size * aggregation.divisor(these))
        if not math.isclose(factor, expected, rel_tol=1e-9):
            raise ConfigError(
                f"sampled is {factor:.6g} for a response of {these.score_length} tokens in a group of {size:g} of "
                f"mean length {these.length:g}, and 1/({size:g} · divisor) is {expected:.6g}; mend one of them"
            )


ADVANTAGES: Registry[Advantage] = Registry("advantage", check=functools.partial(check_rule, kind=Advantage))
ADVANTAGES.add("gap")(Advantage(_gap, 0.0))
ADVANTAGES.add("unit")(Advantage(_unit, None, vanishes=False))
ADVANTAGES.add("grpo")(Advantage(_grpo, 0.5, _z_score))
# J(1−J)g/J as n → ∞; ((1−J) − (1−J)ⁿ) g at n, because a group without a right response does not move (R1)
ADVANTAGES.add("max_rl")(Advantage(_max_rl, 1.0, _over_mean))
# a baseline changes the noise of the update, not its mean
ADVANTAGES.add("reinforce")(Advantage(_reinforce, 1.0, _reward))
ADVANTAGES.add("rloo")(Advantage(_reinforce, 1.0, _minus_others))
ADVANTAGES.add("dr_grpo")(Advantage(_reinforce, 1.0, _minus_mean))


@kernel
def _sum(length, size, total_length, max_length):
    return 1.0 / size


@kernel
def _own_length(length, size, total_length, max_length):
    return 1.0 / (size * length)


@kernel
def _all_tokens(length, size, total_length, max_length):
    return 1.0 / total_length


@kernel
def _largest_length(length, size, total_length, max_length):
    return 1.0 / (size * max_length)


AGGREGATIONS: Registry[Aggregation] = Registry(
    "aggregation", check=functools.partial(check_rule, kind=Aggregation)
)
AGGREGATIONS.add("seq-mean-token-sum")(Aggregation(lambda instance: 1.0, _sum))
AGGREGATIONS.add("seq-mean-token-mean")(
    Aggregation(lambda instance: float(instance.score_length), _own_length)
)
AGGREGATIONS.add("token-mean")(Aggregation(lambda instance: instance.length, _all_tokens))
AGGREGATIONS.add("seq-mean-token-sum-norm")(
    Aggregation(lambda instance: float(instance.max_length), _largest_length)
)


#: Update rules by the names that people know them by.
PRESETS: dict[str, tuple[str, str]] = {
    "REINFORCE": ("reinforce", "seq-mean-token-sum"),
    "RLOO": ("rloo", "seq-mean-token-sum"),
    "GRPO": ("grpo", "seq-mean-token-mean"),
    "Dr. GRPO": ("dr_grpo", "seq-mean-token-sum-norm"),
    "DAPO": ("grpo", "token-mean"),
}


def label(advantage: str) -> str:
    """Name of an advantage in figures: that of the first preset that uses it, else its own name.

    >>> [label(name) for name in ("dr_grpo", "grpo", "gap")]
    ['Dr. GRPO', 'GRPO', 'gap']
    """
    return next((preset for preset, (own, _) in PRESETS.items() if own == advantage), advantage)


def rule(name: str) -> tuple[str, str]:
    """Advantage and aggregation of a rule.

    Parameters
    ----------
    name : str
        A preset, or ``advantage/aggregation``.

    Raises
    ------
    ConfigError
        If the name is neither.

    Examples
    --------
    >>> rule("GRPO"), rule("gap/seq-mean-token-sum")
    (('grpo', 'seq-mean-token-mean'), ('gap', 'seq-mean-token-sum'))
    """
    if name in PRESETS:
        return PRESETS[name]
    advantage, slash, aggregation = name.partition("/")
    if not slash:
        raise ConfigError(
            f"unknown rule {name!r}; known: {', '.join(PRESETS)}, or advantage/aggregation such as "
            f"gap/seq-mean-token-sum"
        )
    ADVANTAGES.find(advantage)
    AGGREGATIONS.find(aggregation)
    return advantage, aggregation


def sampled(advantage: str, aggregation: str) -> tuple[Callable, Callable]:
    """The sampled forms of an advantage and an aggregation.

    Raises
    ------
    ConfigError
        If a name is unknown, or is defined in expectation only. The message lists those that can be sampled.

    Examples
    --------
    >>> advantage, aggregation = sampled("rloo", "token-mean")
    >>> advantage(1.0, 4.0)  # of the right response and of each wrong one, one right in four
    (1.0, -0.3333333333333333)
    """
    forms = []
    for name, registry in ((advantage, ADVANTAGES), (aggregation, AGGREGATIONS)):
        form = registry.find(name).sampled
        if form is None:
            able = ", ".join(sorted(known for known, component in registry.items() if component.sampled))
            raise ConfigError(
                f"{registry.kind} {name!r} has no sampled form; allowed for sampled groups: {able}"
            )
        forms.append(form)
    return forms[0], forms[1]


def of_point(point: Mapping[str, str]) -> tuple[str, str]:
    """Advantage and aggregation at a point with the axis ``rule``, or the axes ``advantage`` and ``aggregation``.

    Examples
    --------
    >>> of_point({"rule": "DAPO"})
    ('grpo', 'token-mean')
    """
    if "rule" in point:
        return rule(point["rule"])
    return point["advantage"], point["aggregation"]


_advantage, _aggregation = function_at(ADVANTAGE), function_at(AGGREGATION)


@engine(ADVANTAGE, AGGREGATION, matrix, f8)
def _weigh(advantage, aggregation, group, max_length):
    weigh_group(_advantage(advantage), _aggregation(aggregation), 0, group.shape[1], group, max_length)


def weights(advantage: str, aggregation: str, rewards, lengths, max_length: float) -> np.ndarray:
    """Weight of each response of one group: the factor of its summed score in the update.

    Parameters
    ----------
    advantage, aggregation : str
        Names in `rules`.
    rewards, lengths : array_like, shape (n,)
        Reward (0 or 1) and length in tokens of every response.
    max_length : float
        Length of the longest possible response, in tokens.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ConfigError
        If a name is unknown or has no sampled form.

    Examples
    --------
    One right response in four, each of five tokens:

    >>> weights("dr_grpo", "token-mean", [1, 0, 0, 0], [5, 5, 5, 5], 5).round(4).tolist()
    [0.0375, -0.0125, -0.0125, -0.0125]
    """
    group = np.zeros((COLUMNS, len(rewards)))
    group[REWARD] = rewards
    group[LENGTH] = lengths
    group[COUNT] = 1.0
    _weigh(*sampled(advantage, aggregation), group, float(max_length))
    return group[WEIGHT].copy()
