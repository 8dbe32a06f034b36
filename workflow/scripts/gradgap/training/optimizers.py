"""Optimizers: what turns the update of a rule into a move of the parameters.

Every optimizer is one compiled kernel with one signature,

``move(theta, update, memory, settings, step)``,

so that an engine can take any of them as an argument. All arrays are float64 and C-contiguous: `theta`, `update`
and `step` have shape (d,), `memory` has shape (slots, d) and is zero before the first move, `settings` has the
order of `Optimizer.settings`. The kernel changes `memory` and fills `step`; it allocates nothing, and each
coordinate is treated for itself. The engine then sets ``theta += learning_rate * factor * step``, `factor` being
the value of the schedule.

The update points uphill: it is minus the gradient that torch.optim is given. `theta` is an argument for weight
decay alone. Coupled decay subtracts ``weight_decay * theta`` from the update; decoupled decay (adamw, lion)
subtracts it from the step, so that the learning rate and the schedule multiply it, as in torch.optim.AdamW.

An idle iteration, one whose update is zero, must still call `move`: momentum goes on and averages decay. Where
such iterations are skipped, as dynamic sampling does, `move` is not called.

The formulas are those of torch.optim; the references of tests/data/optimizers.json hold them to it. Kernels use
basic operations and square roots alone, which give the same bits on every machine.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..numerics.compiler import (
    engine,
    function_at,
    function_type,
    kernel,
    matrix,
    require_kernel,
    types,
    vector,
)
from ..plugins import Registry

#: Type of every `move`, for an engine that takes one as an argument.
MOVE = function_type(types.none, vector, vector, matrix, vector, vector)


class Setting(NamedTuple):
    """One setting of an optimizer: its default, and what it must stay below; none may be negative."""

    default: float
    below: float = math.inf


@dataclass(frozen=True)
class Optimizer:
    """What turns the update of a rule into a move, and what is known about it.

    Attributes
    ----------
    move : compiled function
        ``move(theta, update, memory, settings, step)``, as the module says.
    slots : int
        Numbers of memory a coordinate.
    settings : mapping of str to Setting
        In the order in which `move` takes them.
    memoryless : bool
        The step depends on the present update (and θ) alone.
    scale_free : bool
        With ``eps`` and ``weight_decay`` zero, updates that are all multiplied by one positive factor give the
        same steps.
    plain : bool
        Without weight decay the step is the update itself.
    largest_step : callable or None
        ``largest_step(settings)``: bound on a coordinate of the step whatever the updates, weight decay left out;
        None where there is none.
    stability : callable or None
        ``stability(settings)``: the largest α·λ at which ``u = −λθ`` is stable at θ = 0, weight decay left out; None
        where the step is not linear in the updates.
    squares : str or None
        Name of the setting that is the decay of an average of squared updates; None where there is no such average.
    measured_as : str or None
        Name of the optimizer whose measurements hold for this one too; None where it has its own.
    steps_powers : tuple of float, or None
        Powers of the steps a batch in the half-kept learning rate, in groups of 16 and in large groups, as seen with
        token ratios and GSPO's (docs/theory_optimizers.md, O10); None where none was measured.
    """

    move: Callable
    slots: int
    settings: Mapping[str, Setting]
    memoryless: bool
    scale_free: bool
    plain: bool = False
    largest_step: Callable[[Mapping[str, float]], float] | None = None
    stability: Callable[[Mapping[str, float]], float] | None = None
    squares: str | None = None
    measured_as: str | None = None
    steps_powers: tuple[float, float] | None = None

    def __post_init__(self):
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def complete(self, given: Mapping[str, float] | None = None) -> dict[str, float]:
        """All settings by name: those given, and the defaults of the others.

        Raises
        ------
        ConfigError
            If a setting is unknown or out of its range.

        Examples
        --------
        >>> OPTIMIZERS.find("momentum").complete({"momentum": 0.5})
        {'momentum': 0.5, 'weight_decay': 0.0}
        """
        given = dict(given or {})
        for name in given:
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                raise ConfigError(f"unknown optimizer setting {name!r}; allowed here: {known}")
        values = {}
        for name, setting in self.settings.items():
            value = given.get(name, setting.default)
            if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                raise ConfigError(f"optimizer setting {name}: {value!r} is not a number")
            if not 0.0 <= value < setting.below:
                allowed = "0 or more, and finite" if setting.below == math.inf else f"[0, {setting.below:g})"
                raise ConfigError(f"optimizer setting {name}: {value!r} is out of range; allowed: {allowed}")
            values[name] = float(value)
        return values

    def vector(self, given: Mapping[str, float] | None = None) -> np.ndarray:
        """The settings as `move` takes them, shape (number of settings,); see `complete`."""
        return np.array(list(self.complete(given).values()), dtype=np.float64)

    def memory(self, dimension: int) -> np.ndarray:
        """Memory before the first move: zeros of shape (slots, dimension)."""
        return np.zeros((self.slots, dimension))


_DECAY = {"weight_decay": Setting(0.0)}


@kernel
def _sgd(theta, update, memory, settings, step):
    decay = settings[0]
    for i in range(update.size):
        step[i] = update[i] - decay * theta[i]


@kernel
def _momentum(theta, update, memory, settings, step):
    momentum, decay = settings[0], settings[1]
    for i in range(update.size):
        memory[0, i] = momentum * memory[0, i] + (update[i] - decay * theta[i])
        step[i] = memory[0, i]


@kernel
def _nesterov(theta, update, memory, settings, step):
    momentum, decay = settings[0], settings[1]
    for i in range(update.size):
        u = update[i] - decay * theta[i]
        memory[0, i] = momentum * memory[0, i] + u
        step[i] = u + momentum * memory[0, i]


@kernel
def _sign_of(x):
    if x > 0.0:
        return 1.0
    if x < 0.0:
        return -1.0
    return x  # 0, and what is not a number stays visible


@kernel
def _sign(theta, update, memory, settings, step):
    decay = settings[0]
    for i in range(update.size):
        step[i] = _sign_of(update[i] - decay * theta[i])


@kernel
def _ratio(numerator, denominator):
    """0 over a denominator of 0: without eps, a coordinate whose squares all vanished does not move."""
    return 0.0 if denominator == 0.0 else numerator / denominator


@kernel
def _adam_step(u, i, memory, beta1, beta2, eps):
    """One coordinate of Adam. The bias corrections 1 − βᵗ are the same averages taken of a constant 1."""
    memory[0, i] = beta1 * memory[0, i] + (1.0 - beta1) * u
    memory[1, i] = beta2 * memory[1, i] + (1.0 - beta2) * (u * u)
    memory[2, i] = beta1 * memory[2, i] + (1.0 - beta1)
    memory[3, i] = beta2 * memory[3, i] + (1.0 - beta2)
    return _ratio(memory[0, i] / memory[2, i], math.sqrt(memory[1, i] / memory[3, i]) + eps)


@kernel
def _adam(theta, update, memory, settings, step):
    beta1, beta2, eps, decay = settings[0], settings[1], settings[2], settings[3]
    for i in range(update.size):
        step[i] = _adam_step(update[i] - decay * theta[i], i, memory, beta1, beta2, eps)


@kernel
def _adamw(theta, update, memory, settings, step):
    beta1, beta2, eps, decay = settings[0], settings[1], settings[2], settings[3]
    for i in range(update.size):
        step[i] = _adam_step(update[i], i, memory, beta1, beta2, eps) - decay * theta[i]


@kernel
def _rmsprop(theta, update, memory, settings, step):
    alpha, eps, decay = settings[0], settings[1], settings[2]
    for i in range(update.size):
        u = update[i] - decay * theta[i]
        memory[0, i] = alpha * memory[0, i] + (1.0 - alpha) * (u * u)
        step[i] = _ratio(u, math.sqrt(memory[0, i]) + eps)


@kernel
def _lion(theta, update, memory, settings, step):
    beta1, beta2, decay = settings[0], settings[1], settings[2]
    for i in range(update.size):
        u = update[i]
        step[i] = _sign_of(beta1 * memory[0, i] + (1.0 - beta1) * u) - decay * theta[i]
        memory[0, i] = beta2 * memory[0, i] + (1.0 - beta2) * u


def _adam_bound(settings: Mapping[str, float]) -> float:
    """Largest step of Adam over all histories.

    By Cauchy–Schwarz m̂ₜ² ≤ v̂ₜ Σⱼ aⱼ²/bⱼ, a and b the weights of the two averages. With c = β1²/β2 the sum is
    (1−β1)²/((1−β2)(1−c)) · (1−β2ᵗ)(1−cᵗ)/(1−β1ᵗ)², and the last factor is at most 1 because β2ᵗcᵗ = β1²ᵗ.
    """
    beta1, beta2 = settings["beta1"], settings["beta2"]
    if beta1 * beta1 >= beta2 and beta1 > 0.0:
        return math.inf
    ratio = beta1 * beta1 / beta2 if beta1 > 0.0 else 0.0
    return (1.0 - beta1) / math.sqrt((1.0 - beta2) * (1.0 - ratio))


_ADAM_SETTINGS = {"beta1": Setting(0.9, 1.0), "beta2": Setting(0.999, 1.0), "eps": Setting(1e-8)}

#: Fitted through the factors at 2, 4 and 16 steps a batch that O10 lists.
_ADAM_STEPS = (-1.24, -1.12)

#: All optimizers by name.
OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", check=lambda optimizer: check_optimizer(optimizer))
OPTIMIZERS.add("sgd")(
    Optimizer(_sgd, 0, _DECAY, memoryless=True, scale_free=False, plain=True, stability=lambda settings: 2.0)
)
OPTIMIZERS.add("momentum")(
    Optimizer(
        _momentum,
        1,
        {"momentum": Setting(0.9, 1.0)} | _DECAY,
        memoryless=False,
        scale_free=False,
        stability=lambda settings: 2.0 * (1.0 + settings["momentum"]),
    )
)
OPTIMIZERS.add("nesterov")(
    Optimizer(
        _nesterov,
        1,
        {"momentum": Setting(0.9, 1.0)} | _DECAY,
        memoryless=False,
        scale_free=False,
        stability=lambda settings: 2.0 * (1.0 + settings["momentum"]) / (1.0 + 2.0 * settings["momentum"]),
    )
)
OPTIMIZERS.add("sign")(
    Optimizer(_sign, 0, _DECAY, memoryless=True, scale_free=True, largest_step=lambda settings: 1.0)
)
OPTIMIZERS.add("adam")(
    Optimizer(
        _adam,
        4,
        _ADAM_SETTINGS | _DECAY,
        memoryless=False,
        scale_free=True,
        largest_step=_adam_bound,
        squares="beta2",
        steps_powers=_ADAM_STEPS,
    )
)
OPTIMIZERS.add("adamw")(
    Optimizer(
        _adamw,
        4,
        _ADAM_SETTINGS | {"weight_decay": Setting(0.01)},
        memoryless=False,
        scale_free=True,
        largest_step=_adam_bound,
        squares="beta2",
        measured_as="adam",  # weight decay alone differs, and the laws leave it out
        steps_powers=_ADAM_STEPS,
    )
)
OPTIMIZERS.add("rmsprop")(
    Optimizer(
        _rmsprop,
        1,
        {"alpha": Setting(0.99, 1.0), "eps": Setting(1e-8)} | _DECAY,
        memoryless=False,
        scale_free=True,
        largest_step=lambda settings: 1.0 / math.sqrt(1.0 - settings["alpha"]),
        squares="alpha",
    )
)
OPTIMIZERS.add("lion")(
    Optimizer(
        _lion,
        1,
        {"beta1": Setting(0.9, 1.0), "beta2": Setting(0.99, 1.0)} | _DECAY,
        memoryless=False,
        scale_free=True,
        largest_step=lambda settings: 1.0,
    )
)


@kernel
def clip(update, limit):
    """Shrink an update to a norm of at most `limit`, in place; an infinite limit leaves it as it is.

    The direction is kept, and the norm is `limit` exactly, up to rounding. torch.nn.utils.clip_grad_norm_ adds
    1e-6 to the norm it divides by, so that its result is shorter by up to that share.

    Parameters
    ----------
    update : ndarray, shape (d,)
    limit : float
        Largest norm, above 0.

    Examples
    --------
    >>> update = np.array([3.0, 4.0])
    >>> clip(update, 1.0)
    >>> update
    array([0.6, 0.8])
    """
    total = 0.0
    for i in range(update.size):
        total += update[i] * update[i]
    norm = math.sqrt(total)
    if norm > limit:
        factor = limit / norm
        for i in range(update.size):
            update[i] *= factor


def check_optimizer(optimizer: Optimizer, dimension: int = 3) -> None:
    """Hold an optimizer to what the engine and the theory rely on.

    Random updates of several sizes go through `move`, compiled; what an optimizer claims of itself
    (`memoryless`, `scale_free`, `largest_step`, `stability`) is tried as well. For authors of plugins.

    Parameters
    ----------
    optimizer : Optimizer
    dimension : int
        Number of parameters of the trial.

    Raises
    ------
    ConfigError
        With one sentence on the first thing that is not as it should be.

    Examples
    --------
    >>> check_optimizer(OPTIMIZERS.find("adam"))
    """
    if not isinstance(optimizer, Optimizer):
        raise ConfigError(f"optimizer: {optimizer!r} is not an Optimizer")
    if optimizer.squares is not None and optimizer.squares not in optimizer.settings:
        raise ConfigError(f"optimizer: squares = {optimizer.squares!r} is not one of its settings")
    require_kernel("move", optimizer.move, MOVE, "theta, update, memory, settings, step")
    random = np.random.default_rng(0)
    plain = {name: 0.0 for name in ("eps", "weight_decay") if name in optimizer.settings}
    updates = random.normal(size=(40, dimension))
    theta = random.normal(size=dimension)

    def steps(updates, given=None, theta=theta):
        memory, settings = optimizer.memory(len(theta)), optimizer.vector(given)
        kept = [settings.copy(), theta.copy()]
        found = np.full(updates.shape, np.nan)
        for k, update in enumerate(updates):
            before = update.copy()
            step = np.full(len(theta), np.nan)
            _through(optimizer.move, theta, before, memory, settings, step)
            found[k] = step
            if not np.array_equal(before, update):
                raise ConfigError("optimizer: move must leave the update as it is")
        if not (np.array_equal(kept[0], settings) and np.array_equal(kept[1], theta)):
            raise ConfigError("optimizer: move must leave theta and settings as they are")
        return found

    try:
        found = steps(updates)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"optimizer: move cannot be compiled as move(theta, update, memory, settings, step) "
            f"with float64 arrays and no result: {type(error).__name__}"
        ) from error
    if not np.isfinite(found).all():
        raise ConfigError("optimizer: move left a coordinate of the step unset, or not finite")
    if not np.array_equal(found, steps(updates)):
        raise ConfigError("optimizer: the same updates from a zero memory must give the same steps")
    first = steps(updates, plain)
    if steps(np.zeros((40, dimension)), plain).any():
        raise ConfigError("optimizer: zero updates from a zero memory must give zero steps")
    if not np.array_equal(steps(-updates, plain), -first):
        raise ConfigError("optimizer: updates of the other sign must give steps of the other sign")
    for i in range(dimension):
        alone = steps(np.ascontiguousarray(updates[:, i : i + 1]), plain, theta[i : i + 1].copy())
        if not np.array_equal(alone[:, 0], first[:, i]):
            raise ConfigError("optimizer: each coordinate must be treated for itself")
    if first[0] @ updates[0] <= 0.0:
        raise ConfigError("optimizer: the first step must go along the first update, uphill")
    fresh = np.array([steps(update[None], plain)[0] for update in updates])
    if np.array_equal(fresh, first) != optimizer.memoryless:
        raise ConfigError(f"optimizer: memoryless = {optimizer.memoryless} is not what move does")
    # powers of two scale without rounding
    scaled = np.allclose(steps(updates * 2.0**20, plain), first, rtol=1e-12, atol=0.0)
    if scaled != optimizer.scale_free:
        raise ConfigError(f"optimizer: scale_free = {optimizer.scale_free} is not what move does")
    values = optimizer.complete(plain)
    if optimizer.largest_step is not None:
        wild = random.normal(size=(400, dimension)) * 10.0 ** random.uniform(-6, 6, size=(400, dimension))
        if np.abs(steps(wild, plain)).max() > optimizer.largest_step(values) * (1 + 1e-12):
            raise ConfigError("optimizer: a step is larger than largest_step")
    if optimizer.stability is not None:
        limit = optimizer.stability(values)
        for factor, stable in ((0.98, True), (1.02, False)):
            memory, settings = optimizer.memory(1), optimizer.vector(plain)
            position, step = np.ones(1), np.empty(1)
            for _ in range(5000):
                _through(optimizer.move, position, -position, memory, settings, step)
                position += factor * limit * step
                if not abs(position[0]) < 1e100:
                    break
            if (abs(position[0]) < 1e-3) != stable:
                raise ConfigError("optimizer: stability is not where u = −λθ stops being stable")


_move = function_at(MOVE)


@engine(MOVE, vector, vector, matrix, vector, vector)
def _through(move, theta, update, memory, settings, step):
    """Call `move` as an engine does, through a pointer."""
    _move(move)(theta, update, memory, settings, step)
