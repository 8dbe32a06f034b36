"""What several test files share: a good configuration and its edits, small policies, and datasets from shards."""

import copy
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from gradgap.bandits.enumerated import Line, draw, tree
from gradgap.measurements.bound_audit import generator_at
from gradgap.sweep import dataset

GOOD = {
    "studies": {
        "length_scaling": {
            "family": ["counting"],
            "length": [16, 64],
            "advantage": ["grpo"],
            "aggregation": ["token-mean"],
            "success_rate": {"counting": 0.2},
        },
        "phase_diagram": {
            "family": ["gated"],
            "length": [16, 64],
            "success_rate": [0.9, 0.99],
            "rule": ["GRPO"],
            "learning_rate": {"from": 0.01, "to": 10, "per_decade": 4},
        },
    }
}


def assembled(study, files):
    """The dataset that the shards of a configured study make."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.nc"
        dataset.aggregate(dataset.Contents.of(study), files, path)
        return xr.load_dataset(path)


def changed(path, value):
    raw = copy.deepcopy(GOOD)
    place = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return raw


def random_policy(key, longest=4):
    """A small random policy and direction, and their line."""
    generator = generator_at(0, {"policy": str(key)})
    sizes = (
        int(generator.integers(1, longest + 1)),
        int(generator.integers(2, 5)),
        int(generator.integers(1, 4)),
    )
    policy, direction = draw(generator, *sizes)
    return policy, direction, policy.line(direction)


def even_policy(length, tau, rho):
    """Tokens −1, 0, 1 with weights ρe^(−θ), 1, ρe^θ at θ = −τ; right if all are 0."""
    shape = tree(length, 3, False)
    logit = np.log([rho * np.exp(tau), 1, rho * np.exp(-tau)])
    tile = np.ones((len(shape.child), 1))
    right = np.zeros(shape.responses, bool)
    context = 0
    while context >= 0:
        context = shape.child[context][1]
    right[-1 - context] = True
    return Line(shape, tile * logit, tile * np.array([-1.0, 0.0, 1.0]), right)
