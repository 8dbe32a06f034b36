"""Make tests/data/optimizers.json: what torch.optim and optax do with random gradients, in float64.

Run by hand where torch and optax are installed; neither is needed by the project or its tests:

    python tests/make_optimizer_reference.py

Each case has an optimizer of gradgap with its settings, a learning rate, and the parameters after each of the
updates, which are minus the gradients. Numbers are written with repr, so that they are read back bit for bit.
"""

import json
from pathlib import Path

import numpy as np

STEPS, DIMENSION = 30, 3
CASES = [
    ("sgd", {}),
    ("sgd", {"weight_decay": 0.1}),
    ("momentum", {}),
    ("momentum", {"momentum": 0.5, "weight_decay": 0.1}),
    ("nesterov", {}),
    ("nesterov", {"momentum": 0.5, "weight_decay": 0.1}),
    ("sign", {}),
    ("adam", {}),
    ("adam", {"beta1": 0.5, "beta2": 0.95, "eps": 0.1}),
    ("adam", {"beta1": 0.9, "beta2": 0.98, "eps": 0.0, "weight_decay": 0.1}),
    ("adamw", {}),
    ("adamw", {"beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.3}),
    ("rmsprop", {}),
    ("rmsprop", {"alpha": 0.9, "eps": 0.1, "weight_decay": 0.1}),
    ("lion", {}),
    ("lion", {"beta1": 0.95, "beta2": 0.98, "weight_decay": 0.1}),
]


def with_torch(name, settings, rate, start, updates):
    """Parameters after each update by torch.optim, or None where it has no such optimizer."""
    import torch

    betas = {}
    rest = dict(settings)
    if "beta1" in rest or "beta2" in rest:
        betas = {"betas": (rest.pop("beta1"), rest.pop("beta2"))}
    theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    if name == "sgd":
        optimizer = torch.optim.SGD([theta], lr=rate, **rest)
    elif name in ("momentum", "nesterov"):
        momentum = rest.pop("momentum", 0.9)
        optimizer = torch.optim.SGD([theta], lr=rate, momentum=momentum, nesterov=name == "nesterov", **rest)
    elif name == "adam":
        optimizer = torch.optim.Adam([theta], lr=rate, **betas, **rest)
    elif name == "adamw":
        optimizer = torch.optim.AdamW([theta], lr=rate, **betas, **rest)
    elif name == "rmsprop":
        optimizer = torch.optim.RMSprop([theta], lr=rate, **rest)
    else:
        return None
    path = []
    for update in updates:
        theta.grad = torch.tensor(-update, dtype=torch.float64)
        optimizer.step()
        path.append(theta.detach().numpy().copy())
    return path


def with_optax(name, settings, rate, start, updates):
    """Parameters after each update by optax, or None where it has no such optimizer under these settings."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import optax

    if name == "sign":
        transform = optax.sign_sgd(rate)
    elif name == "lion":
        transform = optax.lion(
            rate,
            b1=settings.get("beta1", 0.9),
            b2=settings.get("beta2", 0.99),
            weight_decay=settings.get("weight_decay", 0.0),
        )
    else:
        return None
    theta = jax.numpy.asarray(start)
    state = transform.init(theta)
    path = []
    for update in updates:
        moves, state = transform.update(jax.numpy.asarray(-update), state, theta)
        theta = optax.apply_updates(theta, moves)
        path.append(np.asarray(theta))
    return path


def main():
    """Write the file."""
    import jax
    import optax
    import torch

    random = np.random.default_rng(14)
    cases = []
    for name, settings in CASES:
        start = random.normal(size=DIMENSION)
        # sizes from 1e-6 to 1, and updates of zero as idle iterations give them
        updates = random.normal(size=(STEPS, DIMENSION)) * 10.0 ** random.uniform(-6, 0, size=(STEPS, 1))
        updates[10:13] = 0.0
        rate = 0.05
        path, by = with_torch(name, settings, rate, start, updates), f"torch {torch.__version__}"
        if path is None:
            path, by = with_optax(name, settings, rate, start, updates), f"optax {optax.__version__}"
        cases.append(
            {
                "optimizer": name,
                "settings": settings,
                "by": by,
                "learning_rate": rate,
                "start": start.tolist(),
                "updates": updates.tolist(),
                "path": np.array(path).tolist(),
            }
        )
    about = {"torch": torch.__version__, "optax": optax.__version__, "jax": jax.__version__}
    rows = ",\n".join(json.dumps(case) for case in cases)
    text = f'{{"versions": {json.dumps(about)},\n"cases": [\n{rows}\n]}}\n'
    Path(__file__).parent.joinpath("data/optimizers.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
