"""A study from outside, as a folder: how the failure rate falls between the start and the best policy.

This file declares the study, its axis and its measurement; analysis.py, figure.py and caption.rst stand beside it.
"""

from gradgap.measurements import FAMILY_SETTINGS, check_instances, instance_at
from gradgap.sweep.axes import AXES, Axis
from gradgap.sweep.measurement import MEASUREMENTS, Measurement, Variable, empty, product
from gradgap.sweep.study import STUDIES, Study, Sweep
from gradgap.values import number

AXES.add("part")(
    Axis("number", "part of the way", "1", "How far θ is from the best (0) towards the start (1).")
)

VARIABLES = {"failure_rate_between": Variable("failure rate", "1", "1 − J at that part of the way.")}


def compute(point, inner, settings):
    """The failure rates of one instance, over all parts of the way."""
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    for index, here in product(inner):
        theta = instance.best_theta + number(here["part"]) * (instance.theta0 - instance.best_theta)
        out["failure_rate_between"][index] = instance.at(theta)[1]
    return out


MEASUREMENTS.add("failure_rates_between")(
    Measurement(VARIABLES, compute, inner=("part",), settings=FAMILY_SETTINGS, check=check_instances)
)
STUDIES.add("basin")(
    Study(
        title="How does the failure rate fall between the start and the best policy?",
        predictions="none: an example",
        sweeps={"way": Sweep(("family", "length", "success_rate", "part"), "failure_rates_between")},
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        defaults={"part": [0, 0.25, 0.5, 0.75, 1]},
    )
)
