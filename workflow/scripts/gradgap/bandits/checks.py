"""The check of a bandit family: what it computes and what it claims, against finite differences and draws."""

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..numerics import streams
from ..numerics.compiler import require_kernel
from ..numerics.elementary import log
from ..settings import Setting
from ..values import canonical
from . import (
    DIVERGENCE,
    EVALUATE,
    EVERY,
    FAMILIES,
    OUTCOMES,
    REVISIT,
    SCORE,
    Family,
    Instance,
    Kernels,
    LengthPowers,
)
from .groups import COLUMNS, COUNT, PROMPT, REWARD, WEIGHT

#: Coordinates at which instances are tried; a family may refuse most of them.
_LENGTHS = (64, 256)
_RATES = (0.01, 0.05, 0.2, 0.5, 0.9, 0.999)
#: Draws of a thorough check, and standard errors by which their means may be off: by chance one in a million is.
_BATCHES, _SIZE, _ERRORS = 4000, 8, 5.0


def check_family(family: Any, *, thorough: bool = False) -> None:
    """Hold a family to what the engine and the theory rely on.

    Instances are made at a few coordinates. Their gradient gaps are compared with finite differences of the log-odds
    log(J/(1−J)), and what the family claims in closed form with what its rates say. This is run on the families of
    plugins when they are loaded.

    Parameters
    ----------
    family : Family
    thorough : bool
        Try more instances, and the sampler: its mean reward must be J, its mean score 0, and the mean of reward times
        score ∇J. For the tests of an author; it takes seconds, the rest a fraction of one.

    Raises
    ------
    ConfigError
        In one sentence that says what to mend.

    Examples
    --------
    >>> check_family(FAMILIES.find("counting"))
    """
    if isinstance(family, type) and issubclass(family, Family):
        raise ConfigError(f"register an instance, {family.__name__}(), not the class")
    if not isinstance(family, Family):
        raise ConfigError(f"register an instance of a subclass of Family; found {type(family).__name__}")
    _check_settings(family)
    for fact in ("even_and_unimodal", "success_vanishes"):
        if not isinstance(getattr(family, fact), bool):
            raise ConfigError(f"{fact} must be True or False; found {getattr(family, fact)!r}")
    if family.failure_powers is not None and not isinstance(family.failure_powers, LengthPowers):
        raise ConfigError(
            f"failure_powers must be a LengthPowers(...) or None; found {family.failure_powers!r}"
        )
    found = list(_instances(family))
    _check_kernels(found[0][1])
    tried = found if thorough else [found[0], found[-1]]
    for (length, rate), instance in tried:
        try:
            _check_instance(family, instance, length, rate)
        except ConfigError as error:
            raise ConfigError(f"at length {length} and success rate {rate:g}: {error}") from None
    if family.failure_powers is not None:
        _check_powers(family, tried[0][0][0])
    if thorough:
        for k, ((length, rate), instance) in enumerate(found[:: max(1, len(found) // 3)]):
            try:
                _check_sampler(instance, k)
            except ConfigError as error:
                raise ConfigError(f"at length {length} and success rate {rate:g}: {error}") from None


def _check_settings(family: Family) -> None:
    if not isinstance(family.settings, Mapping):
        raise ConfigError(f"settings must map names to Setting(...); found {family.settings!r}")
    for name, setting in family.settings.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"the setting {name!r} must be named with letters, digits and _")
        if not isinstance(setting, Setting):
            raise ConfigError(
                f"the setting {name!r} must be a gradgap.settings.Setting(...); found {type(setting).__name__}"
            )
        if not isinstance(setting.description, str) or not setting.description:
            raise ConfigError(f"the setting {name!r} needs a text for description")
        if setting.default is not None and not setting.accepts(setting.default):
            raise ConfigError(
                f"the default of the setting {name!r} is {setting.default!r}, but it must be {setting}"
            )
    if not isinstance(family.usual, Mapping):
        raise ConfigError(f"usual must map names to values; found {family.usual!r}")
    asked = ["length", "success_rate", "failure_rate"]
    call = f"instance({', '.join([*asked, *(f'{name}=…' for name in family.settings)])})"
    try:
        inspect.signature(family.instance).bind(*asked, **dict.fromkeys(family.settings, 0))
    except TypeError as error:
        raise ConfigError(f"instance is called as {call}: {error}; give it these arguments") from None


def _made(family: Family, length: int, success: float, failure: float) -> Any:
    """An instance at the defaults of all settings; None where the family refuses the coordinates."""
    settings = {name: of.default for name, of in family.settings.items() if of.default is not None}
    try:
        return family.instance(length, success, failure, **settings)
    except ConfigError:
        return None
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"instance({length}, {canonical(success)}) fails with {type(error).__name__}: {reason}; mend it, or "
            f"raise ConfigError where there is no such instance"
        ) from error


def _instances(family: Family) -> Iterator[tuple[tuple[int, float], Instance]]:
    usual = family.usual.get("success_rate")
    rates = sorted({*_RATES, *([] if usual is None else [usual])})
    some = False
    for length in _LENGTHS:
        for rate in rates:
            instance = _made(family, length, rate, 1 - rate)
            if instance is not None:
                if not isinstance(instance, Instance):
                    raise ConfigError(
                        f"instance must return an Instance(...); found {type(instance).__name__}"
                    )
                some = True
                yield (length, rate), instance
    if not some:
        raise ConfigError(
            f"instance refuses all lengths {', '.join(map(str, _LENGTHS))} with all success rates "
            f"{', '.join(map(str, rates))}; let it make one of them, or give a success_rate in usual"
        )


def _check_kernels(instance: Instance) -> None:
    kernels = instance.kernels
    if not isinstance(kernels, Kernels):
        raise ConfigError(f"kernels of the instance must be Kernels(...); found {type(kernels).__name__}")
    require_kernel("evaluate", kernels.evaluate, EVALUATE, "theta, constants, workspace, rates, gaps")
    if (kernels.outcomes is None) != (kernels.score is None):
        raise ConfigError("outcomes and score of the kernels go together; give both, or None for both")
    if kernels.outcomes is not None:
        arguments = "state, theta, constants, workspace, rates, size, most, group"
        require_kernel("outcomes", kernels.outcomes, OUTCOMES, arguments)
        require_kernel(
            "score", kernels.score, SCORE, "state, theta, constants, workspace, rows, group, update"
        )
    for name, kernel, kind, arguments in (
        ("every", kernels.every, EVERY, "theta, constants, workspace, surrogate, group"),
        (
            "revisit",
            kernels.revisit,
            REVISIT,
            "theta, old, constants, workspace, rows, group, surrogate, update",
        ),
        ("divergence", kernels.divergence, DIVERGENCE, "theta, start, constants, workspace, slope"),
    ):
        if kernel is not None:
            require_kernel(name, kernel, kind, arguments)
    if kernels.revisit is not None and kernels.prompts > 1:
        raise ConfigError("revisit is for families of one prompt; leave it out")
    if kernels.every is not None and kernels.revisit is None:
        raise ConfigError("every is of use with revisit only; give both, or leave it out")


def _vector(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.float64
        and value.ndim == 1
        and value.flags.c_contiguous
        and bool(np.isfinite(value).all())
    )


def _check_instance(family: Family, instance: Instance, length: int, rate: float) -> None:
    names = [name for name, known in FAMILIES.items() if known is family]
    if names and instance.family not in names:
        raise ConfigError(f"family of the instance is {instance.family!r}; it must be {names[0]!r}")
    for name, value in (("start", instance.start), ("constants", instance.kernels.constants)):
        if not _vector(value):
            raise ConfigError(
                f"{name} must be a finite float64 vector, such as np.array([0.5]); found {value!r}"
            )
    if instance.best is not None and not (
        _vector(instance.best) and instance.best.shape == instance.start.shape
    ):
        raise ConfigError(f"best must have the shape of start, or be None; found {instance.best!r}")
    if not 0 < instance.length <= instance.max_length or not 0 < instance.score_length <= instance.max_length:
        raise ConfigError(
            f"length {instance.length} and score_length {instance.score_length} must be above 0 and at most "
            f"max_length {instance.max_length}"
        )
    for name in ("token_score_bound", "token_hessian_bound"):
        if not 0 < getattr(instance, name) < math.inf:
            raise ConfigError(f"{name} must be above 0 and finite; found {getattr(instance, name)}")
    success, failure, _ = instance.at(instance.start)
    for name, found, asked in (("success", success, rate), ("failure", failure, 1 - rate)):
        if not math.isclose(found, asked, rel_tol=1e-6):
            raise ConfigError(
                f"the {name} rate at the start is {found:.9g}, and {asked:.9g} was asked for; mend start"
            )
    _check_rates(instance)
    if instance.kernels.every is not None:
        _check_every(instance)
    if len(instance.start) == 1:
        _check_claims(family, instance)


def _points(instance: Instance) -> list[np.ndarray]:
    """The start, and some more along the way to the best θ and away from it."""
    start = instance.start
    if instance.best is None:
        return [start, 0.8 * start, 1.2 * start]
    way = instance.best - start
    return [start, start + 0.3 * way, start + 0.9 * way, start - 0.1 * way]


def _log_odds(instance: Instance, theta: np.ndarray) -> np.ndarray:
    success, failure, _ = instance.rates(theta)
    return np.array([log(float(j)) - log(float(n)) for j, n in zip(success, failure, strict=True)])


def _check_rates(instance: Instance) -> None:
    reach = 1e-3 / (instance.token_score_bound * math.sqrt(instance.max_length))
    scale = float(np.abs(instance.rates(instance.start).gap).max())
    subtracted: dict[str, list[bool]] = {"success": [], "failure": []}
    for theta in _points(instance):
        success, failure, gap = instance.rates(theta)
        for name, rates in (("success", success), ("failure", failure)):
            if not ((rates > 0) & (rates < 1)).all():
                raise ConfigError(
                    f"evaluate gives the {name} rate {rates} at θ = {theta}; it lies between 0 and 1"
                )
        if not np.abs(success + failure - 1).max() <= 1e-12:
            raise ConfigError(
                f"success and failure rate at θ = {theta} add up to {success + failure}; mend evaluate, it must be 1"
            )
        for name, small, other in (("success", success, failure), ("failure", failure, success)):
            subtracted[name] += [bool(a == 1.0 - b) for a, b in zip(small, other, strict=True) if a < 2e-3]
        for j in range(len(theta)):
            step = np.zeros(len(theta))
            step[j] = reach
            # central, of fourth order
            far, near = (
                _log_odds(instance, theta + k * step) - _log_odds(instance, theta - k * step) for k in (2, 1)
            )
            slope = (8 * near - far) / (12 * reach)
            if not np.abs(slope - gap[:, j]).max() <= 1e-6 * scale:
                raise ConfigError(
                    f"the gradient gap at θ = {theta} is {gap[:, j]}, but log(J/(1−J)) has the slope {slope}; "
                    f"mend evaluate"
                )
    for name, found in subtracted.items():
        if len(found) >= 3 and all(found):
            raise ConfigError(
                f"evaluate takes the {name} rate as 1 minus the other, which leaves no digits where it is small; "
                f"compute it directly"
            )


def _check_every(instance: Instance) -> None:
    """All responses: their rewards must come to J, and on the batch's own parameters reward times score to ∇J."""
    kernels, theta = instance.kernels, instance.start
    space, group = np.zeros(kernels.workspace), np.zeros((COLUMNS, kernels.every_rows))
    success, failure, gap = instance._rates(theta, space)
    assert kernels.every is not None
    assert kernels.revisit is not None
    surrogate = np.array([1.0, 0.0, 0.0, math.inf, math.inf])  # token ratios without a clip
    rows = kernels.every(theta, kernels.constants, space, surrogate, group)
    if not 0 < rows <= kernels.every_rows:
        raise ConfigError(f"every returned {rows} rows, and every_rows is {kernels.every_rows}")
    here, slope = group[:, :rows], np.zeros(len(theta))
    here[WEIGHT] = here[REWARD]
    kernels.revisit(theta, theta, kernels.constants, space, rows, group, surrogate, slope)
    for name, found, expected in (
        ("probabilities", here[COUNT].sum(), 1.0),
        ("rewards", (here[COUNT] * here[REWARD]).sum(), success[0]),
        ("rewards times scores", slope, success[0] * failure[0] * gap[0]),
    ):
        if not np.allclose(found, expected, rtol=1e-9, atol=1e-12):
            raise ConfigError(
                f"the {name} of all responses come to {found}, and evaluate says {expected}; mend every or revisit"
            )


def _check_claims(family: Family, instance: Instance) -> None:
    """What a family of one parameter says in closed form, against its rates."""
    start = abs(float(instance.start[0]))
    if family.even_and_unimodal:
        if instance.best is None or instance.best[0] != 0.0:
            raise ConfigError(f"even_and_unimodal says that best is 0; found {instance.best}")
        rates = [
            [instance.at(sign * share * start)[0] for sign in (1, -1)] for share in (0.0, 0.3, 0.7, 1.0, 1.1)
        ]
        if not all(math.isclose(*pair, rel_tol=1e-9) for pair in rates):
            raise ConfigError("even_and_unimodal is declared, but J(−θ) is not J(θ); mend one of them")
        if not all(later[0] < earlier[0] for earlier, later in itertools.pairwise(rates)):
            raise ConfigError(
                "even_and_unimodal is declared, but J does not fall away from 0; mend one of them"
            )
    if instance.best is None:
        return
    success, failure, gap = instance.at(instance.best)
    if not abs(gap) <= 1e-6 * abs(instance.at(instance.start)[2]) or failure > instance.at(instance.start)[1]:
        raise ConfigError(
            f"best is {instance.best}, but J = {success:.6g} is not the largest there; mend best"
        )
    curvature = family.curvature(instance)
    if not math.isnan(curvature):
        # J' = J(1−J) g, and g is 0 at the best θ
        reach = 1e-3 / (instance.token_score_bound * math.sqrt(instance.max_length))
        best = float(instance.best[0])
        near, far = (instance.at(best + k * reach)[2] - instance.at(best - k * reach)[2] for k in (1, 2))
        found = success * failure * abs(8 * near - far) / (12 * reach)
        if not math.isclose(curvature, found, rel_tol=1e-5):
            raise ConfigError(
                f"curvature is {curvature:.6g}, but |J''| at the best θ is {found:.6g}; mend one of them"
            )


def _check_powers(family: Family, length: int) -> None:
    """`failure_powers`, from two instances whose failure rates differ tenfold."""
    claimed = family.failure_powers
    assert claimed is not None
    pair = [_made(family, length, 1 - failure, failure) for failure in (1e-3, 1e-4)]
    if None in pair:
        raise ConfigError(
            f"failure_powers is declared, but there is no instance of length {length} with failure rate 0.001 or "
            f"0.0001; mend one of them"
        )
    for field, name in (("mean", "length"), ("scored", "score_length"), ("largest", "max_length")):
        found = log(getattr(pair[0], name) / getattr(pair[1], name)) / log(10.0)
        if not abs(found - getattr(claimed, field)) <= 0.02:
            raise ConfigError(
                f"failure_powers.{field} is declared as {getattr(claimed, field):g}, but {name} goes as "
                f"(1−J)^{found:.3g}; mend one of them"
            )


def _check_sampler(instance: Instance, stream: int) -> None:
    """Mean reward, mean score, and mean reward times score, each within its error of what the rates say."""
    kernels = instance.kernels
    if kernels.outcomes is None or kernels.score is None:
        return
    theta, space = instance.start, np.zeros(kernels.workspace)
    success, failure, gap = instance._rates(theta, space)
    rates = np.ascontiguousarray(np.stack([success, failure]))
    state = streams.state(0, {"check": canonical(stream)})
    prompts, rows = kernels.prompts, kernels.rows(_SIZE)
    rewards: list[float] = []
    moved: dict[str, list[np.ndarray]] = {"score": [], "reward times score": []}
    for batch in range(2 * _BATCHES):
        group = np.zeros((COLUMNS, rows))
        count, batches = kernels.outcomes(state, theta, kernels.constants, space, rates, _SIZE, 1, group)
        if not 0 <= count <= rows or batches != 1:
            raise ConfigError(
                f"outcomes returned {count} rows of {rows} and {batches} batches, and one batch was asked for"
            )
        here = group[:, :count]
        if count and [here[COUNT, here[PROMPT] == q].sum() for q in range(prompts)] != [_SIZE] * prompts:
            raise ConfigError(
                f"the counts that outcomes fills must add up to the group size {_SIZE} for each prompt"
            )
        if count:
            rewards.append(float((here[COUNT] * here[REWARD]).sum()) / (_SIZE * prompts))
        name = "score" if batch % 2 else "reward times score"
        here[WEIGHT] = (1.0 if batch % 2 else here[REWARD]) / (_SIZE * prompts)
        update = np.zeros(len(theta))
        if count:
            kernels.score(state, theta, kernels.constants, space, count, group, update)
        moved[name].append(update)
    if len(rewards) == 2 * _BATCHES:  # batches without a score tell no rewards
        _compare("reward", np.array(rewards)[:, None], np.array([success.mean()]))
    _compare("score", np.array(moved["score"]), np.zeros(len(theta)))
    slope = ((success * failure)[:, None] * gap).mean(axis=0)
    _compare("reward times score", np.array(moved["reward times score"]), slope)


def _compare(name: str, drawn: np.ndarray, expected: np.ndarray) -> None:
    mean, error = drawn.mean(axis=0), drawn.std(axis=0) / math.sqrt(len(drawn))
    if not (np.abs(mean - expected) <= _ERRORS * error + 1e-12).all():
        raise ConfigError(
            f"the mean {name} of what is drawn is {mean} ± {error}, and the rates say {expected}; mend outcomes or "
            f"score"
        )
