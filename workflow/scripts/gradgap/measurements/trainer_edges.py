"""The edge of a real trainer: where runs break down, whether the probe forecasts it, and what its controller does.

The edge is the half-kept learning rate: from there on a run ends with a success rate below one half. Axes and
settings are declared here without PyTorch, so that other studies and the documentation do not need it. The functions
that train import `gradgap.trainer` when they are called.
"""

import logging
import math
import os
import time
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..numerics import streams
from ..probe import HeadroomController
from ..probe.records import edge_of, totals
from ..settings import SETTINGS, Setting
from ..sweep.axes import AXES, Axis
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..thresholds import brackets
from ..thresholds.exact import Search
from ..values import canonical, number

log = logging.getLogger(__name__)

AXES.add("loss_type")(
    Axis(
        "label",
        "loss type",
        "1",
        "What TRL divides the sum over tokens by: the length of the response, the largest length, or all tokens.",
        choices=("grpo", "dr_grpo", "dapo"),
    )
)
SETTINGS.add("trainer_steps")(
    Setting(
        kind="integer",
        description="Steps of a run of the real trainer.",
        minimum=10,
        maximum=100_000,
        default=50,
    )
)
SETTINGS.add("loss_length")(
    Setting(
        kind="integer",
        description="Largest length at which loss types are set side by side, in tokens; responses may end before.",
        minimum=4,
        maximum=4096,
        default=16,
    )
)

#: The edge is forecast from a run at SAFE times it. The controller is tried from BEYOND times it.
SAFE, BEYOND = 0.2, 5.0
#: Learning rate where the search starts, by optimizer.
FIRST = {"sgd": 2.0, "adam": 0.1}

EDGES = {
    "half_kept_learning_rate": Variable(
        "half-kept learning rate",
        "1",
        "Middle of two learning rates a factor √2 apart: at the lower one a run ends with a success rate of one "
        "half or more, at the upper one below; nan where none was found. Random numbers and sums are those of "
        "PyTorch: the same on one machine.",
        undefined=True,
    ),
    "edge_search": Variable("end of the search", "1", "How the search for it ended.", codes=Search),
    "edge_runs": Variable("runs", "1", "Runs that the search took.", integer=True),
    "edge_forecast": Variable(
        "forecast of the edge",
        "1",
        "Learning rate × headroom, pooled over the first steps of a run at a fifth of the edge; infinite where J "
        "does not curve downwards, nan where there is no edge.",
        undefined=True,
    ),
    "edge_kept_fixed": Variable(
        "success rate at five times, fixed",
        "1",
        "At the end of a run at five times the edge; nan where there is no edge.",
        undefined=True,
    ),
    "edge_kept_controlled": Variable(
        "success rate from five times, controlled",
        "1",
        "At the end of a run that starts at five times the edge under the controller; nan where there is no edge.",
        undefined=True,
    ),
    "edge_last_rate": Variable(
        "last learning rate under the controller",
        "1",
        "At the end of the controlled run; nan where there is no edge.",
        undefined=True,
    ),
    "edge_clipped": Variable(
        "share of clipped steps",
        "1",
        "Steps, in the run at a fifth of the edge, whose gradient is longer than 1, the limit of the trainer; nan "
        "where there is no edge.",
        undefined=True,
    ),
    "edge_length": Variable(
        "mean response length",
        "tokens",
        "Mean over the run at a fifth of the edge; nan where there is no edge.",
        undefined=True,
    ),
}
EDGE_SETTINGS = ("trainer_steps", "run_window")


def cost(settings: Settings) -> float:
    """Seconds for a point: about seven runs, at 0.12 s for each step with the default lengths."""
    return 0.12 * (6.5 * settings["trainer_steps"] + settings["run_window"])


def check(axes: Axes, settings: Settings) -> None:
    """Check that the libraries are installed, and that the trainer knows the optimizers.

    Raises
    ------
    ConfigError
        If a library is missing, or an optimizer is not known.
    """
    from .. import trainer  # noqa: F401

    for optimizer in axes["optimizer"]:
        if optimizer not in FIRST:
            raise ConfigError(
                f"optimizer: {optimizer!r} is not allowed with a trainer; allowed: {', '.join(FIRST)}"
            )


def edges_at(point: Mapping[str, str], settings: Settings, *, stops: bool) -> dict[str, Any]:
    """Search for the edge at a point, and make the runs below and above it.

    Parameters
    ----------
    point : mapping
        Canonical ``length``, ``loss_type``, ``optimizer`` and ``replicate``.
    settings : mapping
    stops : bool
        Whether the policy may end a response before the largest length.

    Returns
    -------
    dict
        The variables of `EDGES`.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is first imported
    from ..trainer.counts import Counts
    from ..trainer.runs import run

    started = time.process_time()
    task = Counts(int(number(point["length"])), stops)
    fixed: dict[str, Any] = {
        "optimizer": point["optimizer"],
        "loss_type": point["loss_type"],
        # the same weights, prompts and random numbers whatever else is varied
        "seed": int(streams.state(settings["seed"], {"replicate": point["replicate"]})[0] % 2**31),
    }
    steps = settings["trainer_steps"]

    def keeps(rate: float) -> bool:
        return run(task, rate, steps=steps, **fixed).kept >= 0.5

    found = brackets.bracket(keeps, FIRST[point["optimizer"]])
    out: dict[str, Any] = dict.fromkeys(EDGES, math.nan)
    out |= {
        "half_kept_learning_rate": found.learning_rate,
        "edge_search": found.search,
        "edge_runs": found.runs,
    }
    if found.search is Search.found:
        # a step is scored on the batch of the next one, so there is one record fewer than steps
        safe = run(task, SAFE * found.learning_rate, steps=settings["run_window"] + 1, probed=True, **fixed)
        start = BEYOND * found.learning_rate
        controlled = run(task, start, steps=steps, control=HeadroomController, **fixed)
        out |= {
            "edge_forecast": float(edge_of(totals(safe.records).sum(axis=0))),
            "edge_kept_fixed": run(task, start, steps=steps, **fixed).kept,
            "edge_kept_controlled": controlled.kept,
            "edge_last_rate": controlled.last_rate,
            "edge_clipped": safe.clipped,
            "edge_length": safe.length,
        }
    log.info(
        "%s: half-kept %.4g, %d runs, %.1f s",
        " ".join(f"{name}={value}" for name, value in point.items()),
        found.learning_rate,
        found.runs,
        time.process_time() - started,
    )
    return out


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """The edge against length. All responses have one length, so the loss types do not differ."""
    return edges_at({**point, "loss_type": "grpo"}, settings, stops=False)


def compute_loss_types(point: Point, inner: Axes, settings: Settings) -> dict:
    """The edge against loss type. The policy ends its responses itself, so the loss types differ."""
    at = {**point, "length": canonical(settings["loss_length"])}
    return {f"loss_{name}": value for name, value in edges_at(at, settings, stops=True).items()}


MEASUREMENTS.add("trainer_edges")(
    Measurement(
        EDGES,
        compute,
        settings=EDGE_SETTINGS,
        random=True,
        cost=cost,
        check=check,
        environment="trainer",
    )
)
MEASUREMENTS.add("trainer_loss_types")(
    Measurement(
        {f"loss_{name}": variable for name, variable in EDGES.items()},
        compute_loss_types,
        settings=(*EDGE_SETTINGS, "loss_length"),
        random=True,
        cost=cost,
        check=check,
        environment="trainer",
    )
)
