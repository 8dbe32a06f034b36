"""Optimizers against torch.optim and optax, against the papers' formulas, and against what each claims of itself."""

import json
import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from gradgap.errors import ConfigError
from gradgap.numerics.compiler import engine, f8, function_at, kernel, matrix, vector
from gradgap.training.controllers import Controller
from gradgap.training.optimizers import MOVE, OPTIMIZERS, Optimizer, Setting, check_optimizer, clip
from gradgap.training.schedules import SCHEDULE, SCHEDULES

NAMES = ["adam", "adamw", "lion", "momentum", "nesterov", "rmsprop", "sgd", "sign"]


_move, _schedule = function_at(MOVE), function_at(SCHEDULE)


@engine(MOVE, SCHEDULE, vector, matrix, matrix, vector, f8, matrix)
def train(optimizer, factors, theta, updates, memory, settings, learning_rate, path):
    """Both components through pointers, as an engine takes them."""
    move, schedule = _move(optimizer), _schedule(factors)
    for k in range(updates.shape[0]):
        move(theta, updates[k], memory, settings, path[k])
        factor = schedule(float(k), float(updates.shape[0]), 1.0, 1.0)
        for i in range(theta.size):
            theta[i] += learning_rate * factor * path[k, i]
            path[k, i] = theta[i]


def trained(name, settings, learning_rate, start, updates, schedule="constant"):
    """Parameters after each of the updates, by the compiled kernel."""
    optimizer = OPTIMIZERS.find(name)
    path = np.empty_like(updates)
    train(
        optimizer.move,
        SCHEDULES.find(schedule),
        start.copy(),
        updates,
        optimizer.memory(start.size),
        optimizer.vector(settings),
        learning_rate,
        path,
    )
    return path


def from_papers(name, s, rate, start, updates):
    """Parameters after each update, from the published algorithms, written for the gradient of a loss, g = −u."""
    theta, path = start.copy(), []
    m = np.zeros_like(start)
    v = np.zeros_like(start)
    past = []
    for t, update in enumerate(updates, start=1):
        g = -update
        decay = s.get("weight_decay", 0.0)
        if name not in ("adamw", "lion"):
            g = g + decay * theta
        past.append(g)
        if name == "sgd":
            theta = theta - rate * g
        elif name == "momentum":  # Polyak, as the weighted sum of all gradients
            theta = theta - rate * sum(s["momentum"] ** (t - 1 - j) * old for j, old in enumerate(past))
        elif name == "nesterov":  # the velocity looked ahead by one step (Sutskever et al. 2013)
            m = s["momentum"] * m - rate * g
            theta = theta + s["momentum"] * m - rate * g
        elif name == "sign":
            theta = theta - rate * np.sign(g)
        elif name in (
            "adam",
            "adamw",
        ):  # Kingma & Ba 2015, Algorithm 1; Loshchilov & Hutter 2019, Algorithm 2
            b1, b2 = s["beta1"], s["beta2"]
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            old = theta
            theta = old - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + s["eps"])
            if name == "adamw":
                theta = theta - rate * decay * old
        elif name == "rmsprop":  # Tieleman & Hinton 2012
            v = s["alpha"] * v + (1 - s["alpha"]) * g**2
            theta = theta - rate * g / (np.sqrt(v) + s["eps"])
        elif name == "lion":  # Chen et al. 2023, Algorithm 2
            c = s["beta1"] * m + (1 - s["beta1"]) * g
            theta = theta - rate * (np.sign(c) + decay * theta)
            m = s["beta2"] * m + (1 - s["beta2"]) * g
        path.append(theta.copy())
    return np.array(path)


def reference_cases():
    """Cases of tests/data/optimizers.json."""
    from conftest import ROOT

    return json.loads((ROOT / "tests/data/optimizers.json").read_text(encoding="utf-8"))["cases"]


def test_all_optimizers_are_there_and_have_a_reference():
    assert sorted(OPTIMIZERS.discover()) == NAMES
    assert {case["optimizer"] for case in reference_cases()} == set(NAMES)


@pytest.mark.parametrize(
    "case", reference_cases(), ids=lambda case: f"{case['optimizer']}-{case['settings']}"
)
def test_step_by_step_as_torch_or_optax(case):
    found = trained(
        case["optimizer"],
        case["settings"],
        case["learning_rate"],
        np.array(case["start"]),
        np.array(case["updates"]),
    )
    wanted = np.array(case["path"])
    assert np.ptp(wanted, axis=0).min() > 0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_step_by_step_as_the_papers(name, decay):
    random = np.random.default_rng(5)
    settings = OPTIMIZERS.find(name).complete({"weight_decay": decay})
    start = random.normal(size=4)
    updates = random.normal(size=(200, 4)) * 10.0 ** random.uniform(-4, 1, size=(200, 1))
    updates[50:60] = 0.0
    found = trained(name, settings, 0.01, start, updates)
    wanted = from_papers(name, settings, 0.01, start, updates)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11 * np.abs(wanted).max())


@pytest.mark.parametrize("name", NAMES)
def test_contract(name):
    check_optimizer(OPTIMIZERS.find(name))


@kernel
def _two_coordinates(theta, update, memory, settings, step):
    for i in range(update.size):
        step[i] = update[i] + update[0]


@kernel
def _downhill(theta, update, memory, settings, step):
    for i in range(update.size):
        step[i] = -update[i]


@kernel
def _unset(theta, update, memory, settings, step):
    step[0] = update[0]


@kernel
def _tampering(theta, update, memory, settings, step):
    for i in range(update.size):
        step[i] = update[i]
        update[i] = 0.0


@kernel
def _too_few(theta, update):
    return 0.0


@kernel
def _even(theta, update, memory, settings, step):
    for i in range(update.size):
        step[i] = abs(update[i])


@kernel
def _drifting(theta, update, memory, settings, step):
    for i in range(update.size):
        step[i] = update[i] + 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"move": _two_coordinates}, "each coordinate"),
        ({"move": _downhill}, "uphill"),
        ({"move": _unset}, "unset"),
        ({"move": _tampering}, "leave the update"),
        ({"move": _too_few}, "is called as move"),
        ({"move": _even}, "other sign"),
        ({"move": _drifting}, "zero updates"),
        ({"squares": "beta2"}, "not one of its settings"),
        ({"memoryless": False}, "memoryless"),
        ({"scale_free": True}, "scale_free"),
        ({"largest_step": lambda settings: 1.0}, "larger than"),
        ({"stability": lambda settings: 1.5}, "stops being stable"),
        ({"stability": lambda settings: 2.5}, "stops being stable"),
    ],
)
def test_check_optimizer_says_what_is_wrong(change, words):
    plain = Optimizer(
        OPTIMIZERS.find("sgd").move,
        0,
        {"weight_decay": Setting(0.0)},
        memoryless=True,
        scale_free=False,
        stability=lambda settings: 2.0,
    )
    check_optimizer(plain)
    with pytest.raises(ConfigError, match=words):
        check_optimizer(replace(plain, **change))


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.9, 0.95), (0.5, 0.9), (0.0, 0.99)])
def test_largest_step_of_adam_is_reached(beta1, beta2):
    """The updates that make Cauchy–Schwarz an equality, and none of many random ones beyond."""
    optimizer = OPTIMIZERS.find("adam")
    settings = optimizer.complete({"beta1": beta1, "beta2": beta2, "eps": 0.0})
    count = int(60 / (1 - beta2))
    age = np.arange(count)[::-1].astype(float)  # of each update at the last move
    updates = ((beta1 / beta2) ** age if beta1 > 0 else (age == 0) * 1.0)[:, None]
    updates = np.maximum(updates, 1e-150 * (age[:, None] == 0))
    path = trained("adam", settings, 1.0, np.zeros(1), updates)
    last = path[-1, 0] - path[-2, 0]
    assert last == pytest.approx(optimizer.largest_step(settings), rel=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_stability_by_eigenvalues(name, momentum):
    """The linear map of (θ, memory) has its spectral radius at 1 where `stability` says."""

    def radius(product):
        if name == "momentum":  # m' = βm − λθ, θ' = θ + αm'
            matrix = [[1 - product, momentum], [-product, momentum]]
        else:  # θ' = θ + α(−λθ + βm')
            matrix = [[1 - product - momentum * product, momentum**2], [-product, momentum]]
        return np.abs(np.linalg.eigvals(np.array(matrix))).max()

    limit = OPTIMIZERS.find(name).stability({"momentum": momentum})
    assert radius(limit * (1 - 1e-3)) < 1 < radius(limit * (1 + 1e-3))
    assert radius(limit) == pytest.approx(1, abs=1e-9)


def test_settings_are_complete_and_refused_by_name():
    adam = OPTIMIZERS.find("adam")
    assert adam.vector({"beta2": 0.95}).tolist() == [0.9, 0.95, 1e-8, 0.0]
    for bad, words in [
        ({"momentum": 0.9}, "unknown optimizer setting 'momentum'; allowed here: beta1, beta2, eps"),
        ({"beta1": 1.0}, r"beta1: 1.0 is out of range; allowed: \[0, 1\)"),
        ({"eps": -1.0}, "eps: -1.0 is out of range"),
        ({"eps": math.nan}, "eps: nan is out of range"),
        ({"eps": math.inf}, "eps: inf is out of range"),
        ({"beta2": "much"}, "beta2: 'much' is not a number"),
        ({"beta2": True}, "beta2: True is not a number"),
    ]:
        with pytest.raises(ConfigError, match=words):
            adam.vector(bad)
    with pytest.raises(ConfigError, match="unknown optimizer 'shampoo'; known: adam, adamw"):
        OPTIMIZERS.find("shampoo")


def test_clip_keeps_direction_and_bounds_the_norm():
    random = np.random.default_rng(8)
    for _ in range(100):
        update = random.normal(size=5) * 10.0 ** random.uniform(-3, 3)
        limit = 10.0 ** random.uniform(-2, 2)
        clipped = update.copy()
        clip(clipped, limit)
        norm = np.linalg.norm(update)
        np.testing.assert_allclose(clipped, update * min(1.0, limit / norm), rtol=1e-14)
        if norm <= limit * (1 - 1e-12):
            assert np.array_equal(clipped, update)
    for update in (np.array([3.0, -4.0]), np.zeros(3)):
        kept = update.copy()
        clip(kept, math.inf)
        assert np.array_equal(kept, update)
    one = np.array([-2.0])
    clip(one, 1.5)
    assert one[0] == -1.5


@pytest.mark.parametrize("iterations", [1, 7, 1000])
def test_schedules_by_their_definitions(iterations):
    wanted = {
        "constant": lambda k: 1.0,
        "failure-rate": lambda k: 0.25,
        "inverse-sqrt": lambda k: (k + 1) ** -0.5,
        "warmup-10": lambda k: min((k + 1) / 10, 1),
        "warmup-100": lambda k: min((k + 1) / 100, 1),
        "linear-decay": lambda k: 1 - k / iterations,
        "cosine": lambda k: float((1 + mpmath.cos(mpmath.pi * k / iterations)) / 2),
    }
    memoryless = [name for name, found in SCHEDULES.discover().items() if not isinstance(found, Controller)]
    assert sorted(memoryless) == sorted(wanted)
    for name, factor in wanted.items():
        found = [SCHEDULES.find(name)(float(k), float(iterations), 0.1, 0.4) for k in range(iterations)]
        np.testing.assert_allclose(found, [factor(k) for k in range(iterations)], rtol=1e-13, atol=3e-16)


def test_schedule_multiplies_weight_decay_too():
    """torch.optim.AdamW multiplies decoupled decay by the scheduled learning rate."""
    start = np.array([1.0, -2.0])
    path = trained("adamw", {"weight_decay": 0.5}, 0.1, start, np.zeros((4, 2)), schedule="linear-decay")
    wanted = start * np.cumprod([1 - 0.1 * 0.5 * f for f in (1.0, 0.75, 0.5, 0.25)])[:, None]
    np.testing.assert_allclose(path, wanted, rtol=1e-14)
