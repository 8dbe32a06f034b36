"""The instrument: how much larger could this step be?

It answers from plain arrays, which any framework can supply: the rewards of ordinary responses, and their
log-probabilities under a few trial policies. These lie along the trainer's own update u: θ(t) = θ + t u, where t = 1
is the step that is taken. The **headroom** is the smallest t > 0 at which the log-odds of success fall below their
start.

====================  ==================================================  =======================================
call                  input                                               when
====================  ==================================================  =======================================
`probe`               one batch of fresh responses, scored at a few t     the edge lies within reach
`pool`                many steps, each scored on the next training batch  during training, without extra rollouts
`climb`               functions that roll out and score at a trial step   the edge is far
`HeadroomController`  the records of `pool`, one for each step            to set the learning rate
`Watch`               the records of `pool`, one for each step            to log the numbers
====================  ==================================================  =======================================

It needs only NumPy and imports in a fraction of a second, so it can be used inside a trainer. docs/probe.md says what
it can see and what it cannot.
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
