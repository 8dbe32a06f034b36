"""Carry a learning rate over from one training to another.

The laws are those of docs/theory_optimizers.md, docs/theory.md and docs/theory_groups.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..bandits import FAMILIES
from ..errors import ConfigError
from ..training.optimizers import OPTIMIZERS
from ..training.ratios import RATIOS
from ..training.rules import ADVANTAGES, AGGREGATIONS
from ..training.run import check_minibatches
from . import closed_forms, exponents, optimizers, sampled_groups

#: If the laws differ by more than this factor, no single learning rate is given.
AGREEMENT = 3.0
#: The regime of expected updates.
LARGE = "large groups"


@dataclass(frozen=True)
class Training:
    """What the laws need to know about a training.

    Attributes
    ----------
    length : float
        Mean response length T, in tokens.
    failure_rate : float
        1 − J.
    group_size : int
        Responses a group.
    steps : int
        Steps μ on each batch, or on each of its minibatches.
    ratio : str
        Name in `training.ratios.RATIOS`: how tokens are weighed after the first step.
    minibatches : int
        Parts m of different responses that a group is dealt to.
    """

    length: float
    failure_rate: float
    group_size: int
    steps: int = 1
    ratio: str = "token"
    minibatches: int = 1

    @property
    def updates(self) -> int:
        """Steps that a batch serves for, μm."""
        return int(self.steps * self.minibatches)

    def __post_init__(self):
        if not self.length >= 1 or not math.isfinite(self.length):
            raise ConfigError(f"length: {self.length!r} is not allowed; it must be 1 token or more")
        if not 0 < self.failure_rate < 1:
            raise ConfigError(
                f"success_rate: {1 - self.failure_rate!r} is not allowed; it lies strictly between 0 and 1"
            )
        if not (self.group_size == int(self.group_size) and self.group_size >= 2):
            raise ConfigError(
                f"group_size: {self.group_size!r} is not allowed; it must be a whole number, 2 or more"
            )
        for name, value in (("steps", self.steps), ("minibatches", self.minibatches)):
            if not (math.isfinite(value) and value == int(value) and value >= 1):
                raise ConfigError(f"{name}: {value!r} is not allowed; it must be a whole number, 1 or more")
        check_minibatches(int(self.minibatches), int(self.group_size))
        RATIOS.find(self.ratio)


@dataclass(frozen=True)
class Law:
    """One law, and the factor that it gives.

    Attributes
    ----------
    family : str
        The bandit family on which it was derived and measured.
    formula : str
        What the learning rate is proportional to.
    factor : float
        Learning rate of the new training over that of the old one.
    regime : str
        Where it applies.
    source : str
        Section of the documentation.
    """

    family: str
    formula: str
    factor: float
    regime: str
    source: str


def _scale_free(before: Training, after: Training, beta2: tuple[float, float], dynamic: bool) -> list[Law]:
    regimes = [
        optimizers.regime(of.group_size / of.minibatches, of.failure_rate, beta, dynamic)
        for of, beta in zip((before, after), beta2, strict=True)
    ]
    ratio = math.sqrt(before.length / after.length)
    scaled = [
        optimizers.sampled_adam_scaled(of.group_size * of.failure_rate, beta, dynamic, of.minibatches)
        for of, beta in zip((before, after), beta2, strict=True)
    ]
    where = " to ".join(dict.fromkeys(regimes))
    of_noise = "C(n(1−J), β2)" if before.minibatches == after.minibatches == 1 else "C(n(1−J)/m, β2)"
    rare = math.sqrt(after.failure_rate / before.failure_rate)
    return [
        Law(
            "gated",
            f"{of_noise} √((1−J)/T)",
            ratio * rare * scaled[1] / scaled[0],
            where,
            "theory_optimizers.md O9",
        ),
        Law("counting", f"{of_noise} / √T", ratio * scaled[1] / scaled[0], where, "theory_optimizers.md O9"),
        Law("gated", "√((1−J)/T)", ratio * rare, LARGE, "theory_optimizers.md O1"),
        Law("counting", "1/√T", ratio, LARGE, "theory_optimizers.md O1"),
    ]


def _power(exponent: float) -> str:
    return {0.0: "", 1.0: "", -1.0: "^−1", 0.5: "^½", -0.5: "^−½"}.get(exponent, f"^{exponent:g}")


def _linear(before: Training, after: Training, advantage: str, aggregation: str) -> list[Law]:
    rule = (advantage, aggregation)
    length = exponents.length_exponent("counting", *rule)
    laws = []
    failing = exponents.failure_exponent("gated", *rule)
    lengths = after.length / before.length
    failures = after.failure_rate / before.failure_rate
    if ADVANTAGES.find(advantage).sampled is not None:
        predicted = []
        for of in (before, after):
            instance = FAMILIES.find("gated").instance(int(of.length), 1 - of.failure_rate, of.failure_rate)
            limit = closed_forms.critical_closed_form(instance, *rule)
            predicted.append(sampled_groups.half_kept(instance, *rule, int(of.group_size), limit))
        if all(map(math.isfinite, predicted)):
            laws.append(
                Law(
                    "gated",
                    "1/(noise + drift)",
                    predicted[1] / predicted[0],
                    "sampled groups",
                    "theory_groups.md G4",
                )
            )
    if math.isfinite(failing):
        text = [f"T{_power(length)}" if length else "", f"(1−J){_power(failing)}" if failing else ""]
        factor = lengths**length * failures**failing
        laws.append(Law("gated", " ".join(filter(None, text)) or "1", factor, LARGE, "theory.md E1, E2"))
    formula = f"T{_power(length)}" if length else "1"
    laws.append(Law("counting", formula, lengths**length, LARGE, "theory.md E1"))
    return laws


def _epochs(of: Training, family: str) -> float:
    """α* at the steps a batch of a training over that at one, for plain ascent (O10)."""
    if family == "counting":
        return optimizers.epochs_factor(of.updates, of.ratio, of.length)
    known = FAMILIES.find(family)
    instance = known.instance(int(of.length), 1 - of.failure_rate, of.failure_rate)
    share = of.failure_rate / known.settings["start_failure_rate"].default  # of long responses
    long = instance.max_length
    excess = instance.best_failure * (1 - share) * long / (4 * known.curvature(instance))
    return optimizers.epochs_factor(of.updates, of.ratio, long, excess)


def _with_steps(found: list[Law], optimizer: str, before: Training, after: Training) -> list[Law]:
    """The same laws where the steps a batch, its minibatches, or their ratio change.

    Plain ascent takes μm steps on the same responses or on different ones alike. Under Adam m minibatches are noisier
    steps: the laws in sampled groups have them already.
    """
    same = (before.steps, before.minibatches, before.ratio) == (after.steps, after.minibatches, after.ratio)
    if same or before.updates == after.updates == 1:
        return found
    for of in (before, after):
        if of.updates > 1 and RATIOS.find(of.ratio).curvature(math.inf) > 0:
            raise ConfigError(
                f"ratio: no law is known for several steps a batch with the ratio {of.ratio!r} in groups; "
                f"large groups can keep their learning rate, small ones cannot (theory_optimizers.md O10)"
            )
    component = OPTIMIZERS.find(optimizer)
    if component.plain:
        return [
            Law(
                law.family,
                f"{law.formula} × α*({'μm' if before.minibatches * after.minibatches > 1 else 'μ'})/α*(1)",
                law.factor * _epochs(after, law.family) / _epochs(before, law.family),
                law.regime,
                f"{law.source}, O10",
            )
            for law in found
        ]
    if component.steps_powers is None:
        able = sorted(name for name, known in OPTIMIZERS.items() if known.plain or known.steps_powers)
        raise ConfigError(
            f"steps: no law for several steps a batch is known for {optimizer!r}; allowed: {', '.join(able)}"
        )
    changed = []
    for law in found:
        power = component.steps_powers[law.regime == LARGE]
        count, steps = "μ", after.steps / before.steps
        if law.regime == LARGE and before.minibatches * after.minibatches > 1:
            count, steps = "(μm)", after.updates / before.updates
        if steps == 1.0:
            changed.append(law)
            continue
        formula = f"{law.formula} × {count}^{power:g} (seen)".replace("^-", "^−")
        changed.append(Law(law.family, formula, law.factor * steps**power, law.regime, f"{law.source}, O10"))
    return changed


def laws(
    optimizer: str,
    before: Training,
    after: Training,
    *,
    settings: Mapping[str, float] | None = None,
    settings_after: Mapping[str, float] | None = None,
    advantage: str = "grpo",
    aggregation: str = "seq-mean-token-sum",
    dynamic_sampling: bool = False,
) -> list[Law]:
    """All laws that apply to a change of training. The one that fits sampled groups comes first.

    Parameters
    ----------
    optimizer : str
        Name in `training.optimizers`, the same before and after.
    before, after : Training
    settings, settings_after : mapping, optional
        Settings of the optimizer before and after. By default they do not change.
    advantage, aggregation : str
        The rule. Under scale-free optimizers it does not matter.
    dynamic_sampling : bool
        Whether groups all right or all wrong are dropped.

    Raises
    ------
    ConfigError
        If a name is unknown, or no law is known for the optimizer, or for its steps a batch.

    Examples
    --------
    >>> found = laws("adamw", Training(512, 0.5, 8), Training(2048, 0.5, 8))
    >>> [round(law.factor, 3) for law in found]
    [0.5, 0.5, 0.5, 0.5]
    """
    component = OPTIMIZERS.find(optimizer)
    ADVANTAGES.find(advantage)
    AGGREGATIONS.find(aggregation)
    first = component.complete(settings)
    second = component.complete(settings if settings_after is None else settings_after)
    if component.scale_free:
        memory = component.squares
        if memory is None:
            able = sorted(name for name, known in OPTIMIZERS.items() if known.squares or known.stability)
            raise ConfigError(
                f"optimizer: no law in sampled groups has been measured for {optimizer!r}; allowed: {', '.join(able)}"
            )
        found = _scale_free(before, after, (first[memory], second[memory]), dynamic_sampling)
        return _with_steps(found, optimizer, before, after)
    if component.stability is None:
        raise ConfigError(
            f"optimizer: {optimizer!r} claims neither scale freedom nor a stability limit: no law"
        )
    found = _with_steps(_linear(before, after, advantage, aggregation), optimizer, before, after)
    changed = component.stability(second) / component.stability(first)
    if changed == 1.0:
        return found
    return [
        Law(law.family, f"{law.formula} × stability", law.factor * changed, law.regime, f"{law.source}, O4")
        for law in found
    ]


def agree(found: list[Law]) -> bool:
    """Whether all laws agree to within a factor `AGREEMENT`.

    Examples
    --------
    >>> agree(laws("adamw", Training(512, 0.5, 8), Training(2048, 0.5, 8)))
    True
    """
    factors = [law.factor for law in found]
    return max(factors) <= AGREEMENT * min(factors)
