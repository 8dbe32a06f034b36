"""Forecasts of the half-kept learning rate of networks, from safe runs, by the instrument (`gradgap.probe.pool`).

A safe run has a learning rate far below the threshold. Each batch is scored along the step before it, and the records
are pooled over windows of the run. Learning rate × headroom is then the forecast of the edge. The learning rate is
set before any threshold is known, so the forecast does not depend on what it is compared with.
"""

import math
from collections.abc import Mapping

import numpy as np

from ..errors import ConfigError
from ..probe import Record, pool
from ..probe.result import Word
from ..settings import SETTINGS, Setting
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..training import rules
from ..values import canonical, number
from . import network_thresholds
from .network_thresholds import NETWORK_SETTINGS

SETTINGS.add("safe_share")(
    Setting(
        description="Learning rate of the safe runs of networks over the learning rate at which searches begin.",
        above=0,
        maximum=1,
        default=0.1,
    )
)

#: Trial steps at which each fresh batch is scored, counted from the new weights: −1 is before the step, 0 after it.
LOOKS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_WHOLE: Mapping = {"drop": ("iteration",), "undefined": True}
VARIABLES = {
    "forecast": Variable(
        "forecast",
        "1",
        "Learning rate × headroom, pooled over the updates up to this iteration, from the one before it on this axis "
        "or from the start; a lower bound if the word is `beyond reach`, nan if it is `void`.",
        undefined=True,
    ),
    "forecast_run": Variable(
        "forecast of a run",
        "1",
        "Learning rate × headroom, pooled over all updates of the run; as above if it is not measured.",
        **_WHOLE,
    ),
    "forecast_run_low": Variable(
        "forecast of a run, lower end", "1", "Lower end of its 90 % block-bootstrap interval.", **_WHOLE
    ),
    "forecast_run_high": Variable(
        "forecast of a run, upper end",
        "1",
        "Upper end of its 90 % block-bootstrap interval; infinite if it is possible that there is no edge.",
        **_WHOLE,
    ),
    "forecast_word": Variable(
        "word", "1", "The word that the instrument gave on the run.", codes=Word, drop=("iteration",)
    ),
    "safe_learning_rate": Variable(
        "learning rate of the safe run", "1", "The same at every update.", drop=("iteration",)
    ),
    "safe_success_rate": Variable(
        "success rate at the end of the safe run",
        "1",
        "Success rate of what the network writes, measured on fresh responses.",
        drop=("iteration",),
    ),
}


def _fixed(settings: Settings) -> Mapping[str, str]:
    return {"length": canonical(settings["rule_length"]), "rule": settings["length_rule"]}


def cost(settings: Settings) -> float:
    """Seconds for a point: one run whose batches are scored at five places, and the time to compile it."""
    return 15e-3 * settings["iterations"] + 5


def check(axes: Axes, settings: Settings) -> None:
    """Check that every task and optimizer exists, and that no window ends after the run."""
    network_thresholds.check_points(
        {name: values for name, values in axes.items() if name not in ("replicate", "iteration")},
        settings,
        _fixed(settings),
    )
    for text in axes["iteration"]:
        if not 2 <= number(text) <= settings["iterations"]:
            raise ConfigError(
                f"iteration: {text} is not allowed; safe runs of networks are read off from 2 updates on, and have "
                f"{settings['iterations']} (iterations)"
            )


def records_of(curve, setup, learning_rate: float, prompts: bool) -> list[Record]:
    """Records of a run for the instrument: one for each update except the last, after which no batch was drawn.

    Parameters
    ----------
    curve : gradgap.networks.training.Curve
        A run whose batches were scored at the looks of the setup.
    setup : gradgap.networks.training.Setup
    learning_rate : float
        α of the run.
    prompts : bool
        Whether each group has its own prompt.

    Returns
    -------
    list of Record
    """
    groups = np.repeat(np.arange(setup.groups), setup.group_size) if prompts else None
    return [
        Record(
            rewards=curve.rewards[k],
            logps=curve.log_probabilities[k].T.astype(float),  # one row for each response
            steps=np.array(setup.looks),
            prompts=groups,
            learning_rate=learning_rate,
        )
        for k in range(1, setup.iterations)
    ]


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables at a task, network, optimizer and replicate."""
    from ..networks import instance, training
    from ..numerics import streams
    from ..thresholds.sampled import RUNGS

    point = {**_fixed(settings), **point}
    own = network_thresholds.instance_at(point, settings, point["replicate"])
    rung = network_thresholds.first_rung(point, own.task)
    rate = float(f"{settings['safe_share'] * 10 ** (rung / RUNGS):.4g}")
    setup = network_thresholds.setup_at(point, settings, looks=LOOKS)
    random = instance.key(settings["seed"], {**point, "learning_rate": canonical(rate), "use": "forecast"})
    curve = training.run(own, *rules.rule(point["rule"]), rate, random, setup)
    records = records_of(curve, setup, rate, bool(own.task.symbols))

    generator = np.random.default_rng(streams.state(settings["seed"], {**point, "draws": "bootstrap"}))
    whole = pool(records, seed=generator)
    ends = [int(number(text)) for text in inner["iteration"]]
    along = np.full(len(ends), math.nan)
    before = 0
    for place in np.argsort(ends):
        window, before = records[before : ends[place]], ends[place]
        if window:
            along[place] = rate * pool(window, seed=generator, resamples=100).headroom
    return {
        "forecast": along,
        "forecast_run": rate * whole.headroom,
        "forecast_run_low": rate * whole.headroom_interval[0],
        "forecast_run_high": rate * whole.headroom_interval[1],
        "forecast_word": Word[whole.status.name],
        "safe_learning_rate": rate,
        "safe_success_rate": int(curve.right) / setup.judge,
    }


MEASUREMENTS.add("network_forecasts")(
    Measurement(
        VARIABLES,
        compute,
        inner=("iteration",),
        together=("iteration",),
        settings=(*NETWORK_SETTINGS, "rule_length", "length_rule", "safe_share"),
        split=("task",),
        random=True,
        cost=cost,
        check=check,
        environment="networks",
    )
)
