"""Forecasts of the critical learning rate from safe runs of networks, by the instrument."""

import math

import numpy as np

from ..training import rules
from ..values import canonical, number
from . import Axes, Progress, Settings, Variable, empty, network_thresholds, product
from .network_thresholds import NETWORK_SETTINGS

VARIABLES = {
    "forecast": Variable(
        "forecast",
        "1",
        "Learning rate × headroom, pooled over the steps after the iteration before on this axis (or the start) up "
        "to this one; a lower bound where the word is `beyond reach`, nan where it is `void`.",
        undefined=True,
    ),
    "forecast_run": Variable(
        "forecast of a run",
        "1",
        "Learning rate × headroom pooled over all steps of the run.",
        drop=("iteration",),
        undefined=True,
    ),
    "forecast_run_low": Variable(
        "forecast of a run, lower end",
        "1",
        "Of its 90 % block-bootstrap interval.",
        drop=("iteration",),
        undefined=True,
    ),
    "forecast_run_high": Variable(
        "forecast of a run, upper end",
        "1",
        "Of its 90 % block-bootstrap interval; infinite where no edge could be excluded.",
        drop=("iteration",),
        undefined=True,
    ),
    "safe_learning_rate": Variable(
        "learning rate of the safe run", "1", "Constant.", drop=("iteration", "replicate")
    ),
    "safe_success_rate": Variable(
        "success rate at the end of the safe run",
        "1",
        "Of what the network writes, by fresh responses.",
        drop=("iteration",),
    ),
}
SETTINGS = (*NETWORK_SETTINGS, "rule_length", "length_rule", "safe_share")
SPLIT = ("task",)
TOGETHER = ("replicate", "iteration")
RANDOM = True
ENVIRONMENT = network_thresholds.ENVIRONMENT
#: Places where each fresh batch is scored, counted in steps from the new weights.
LOOKS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def cost(settings: Settings) -> float:
    """Seconds a point: one run a replicate, each batch scored five times more."""
    return 12e-3 * settings["iterations"] * settings["replicates"] + 5


def check(axes: Axes, settings: Settings) -> None:
    """Every task and optimizer exists, and the rule has a sampled form."""
    fixed = {
        "network": "recurrent",
        "length": canonical(settings["rule_length"]),
        "rule": settings["length_rule"],
    }
    network_thresholds.check_points(axes, settings, fixed)


def simulate(axes: Axes, settings: Settings, progress: Progress) -> dict:
    """All variables over task × optimizer × replicate × iteration."""
    from ..networks import instance, training
    from ..numerics import streams
    from ..probe import Record, pool
    from ..thresholds.sampled import RUNGS

    out = empty(axes, VARIABLES)
    points = list(product(axes, ("task", "optimizer", "replicate")))
    ends = [int(number(text)) for text in axes["iteration"]]
    order = np.argsort(ends)
    for done, (index, free) in enumerate(points):
        point = {
            **free,
            "network": "recurrent",
            "length": canonical(settings["rule_length"]),
            "rule": settings["length_rule"],
        }
        replicate = int(number(point["replicate"]))
        instances = network_thresholds.instances_at(point, {**settings, "replicates": replicate + 1})
        own = instances[replicate]
        rung = network_thresholds.first_rung(point, own.task)
        rate = float(f"{10 ** (rung / RUNGS) * settings['safe_share']:.4g}")
        setup = network_thresholds.setup_at(point, settings, looks=LOOKS)
        random = instance.key(settings["seed"], {**point, "step_size": canonical(rate), "use": "headroom"})
        curve = training.run(own, *rules.rule(point["rule"]), rate, random, setup)
        prompts = np.repeat(np.arange(setup.groups), setup.group_size) if own.task.symbols else None
        # the batch of iteration k is scored along the step that led to it; there is none before the first
        records = [
            Record(
                rewards=curve.rewards[k],
                logps=curve.log_probabilities[k].T.astype(float),  # a row a response
                steps=np.array(LOOKS),
                prompts=prompts,
                learning_rate=rate,
            )
            for k in range(1, setup.iterations)
        ]
        bits = int(streams.state(settings["seed"], {**point, "draws": "bootstrap"})[0])
        whole = pool(records, seed=bits)
        out["forecast_run"][index] = rate * whole.headroom
        out["forecast_run_low"][index] = rate * whole.headroom_interval[0]
        out["forecast_run_high"][index] = rate * whole.headroom_interval[1]
        out["safe_learning_rate"][index[:2]] = rate
        out["safe_success_rate"][index] = int(curve.right) / setup.judge
        before = 0
        for place in order:
            window = records[before : ends[place]]
            before = ends[place]
            out["forecast"][(*index, place)] = (
                rate * pool(window, seed=bits, resamples=50).headroom if window else math.nan
            )
        progress(done + 1, len(points))
    return out
