"""The instrument: how much larger could this step be?

From plain arrays alone: rewards of ordinary responses, and their log-probabilities under a few trial policies along
the trainer's own update u, θ(t) = θ + t u, where t = 1 is the step that is taken. Any framework can supply them.
The **headroom** is the smallest t > 0 at which the log-odds of success fall below their start.

====================  ==================================================  =======================================
call                  input                                               when
====================  ==================================================  =======================================
`probe`               one batch of fresh responses, scored at a few t     the edge lies within reach
`pool`                many steps, each scored on the next training batch  during training, no rollouts of its own
`climb`               functions that roll out and score at a trial step   the edge is far
`HeadroomController`  the records of `pool`, one a step                   to set the learning rate by them
`Watch`               the records of `pool`, one a step                   to log all of it
====================  ==================================================  =======================================

Needs NumPy alone and imports in a fraction of a second, so that it can be used inside a trainer. docs/probe.md
tells what it can see and what it cannot.
"""

from .batch import probe
from .control import HeadroomController
from .reading import read
from .records import Record, pool
from .result import Curve, Headroom, Status
from .rungs import climb
from .watch import Watch

__all__ = [
    "Curve",
    "Headroom",
    "HeadroomController",
    "Record",
    "Status",
    "Watch",
    "climb",
    "pool",
    "probe",
    "read",
]
