"""The axes of the grid: how their values are written, and what they mean.

A value has one canonical text, which names it in paths and keys its random stream; the number itself is what
that text denotes. Success rates are decimals, so that the failure rate is their exact complement.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ..errors import ConfigError
from ..plugins import Registry
from ..values import canonical, complement


@dataclass(frozen=True)
class Axis:
    """Meaning of one axis.

    Attributes
    ----------
    kind : {"label", "integer", "number"}
        What its values are.
    long_name, units, description : str
        Attributes of the dataset's coordinate.
    multiple : int
        Integers are multiples of this; a range rounds to them.
    """

    kind: Literal["label", "integer", "number"]
    long_name: str
    units: str
    description: str
    multiple: int = 1


AXES: Registry[Axis] = Registry("axis")
AXES.update(
    family=Axis("label", "bandit family", "1", "Instance of RLVR whose success rate is known exactly."),
    length=Axis("integer", "response length", "tokens", "Asked mean response length T.", multiple=2),
    success_rate=Axis("number", "success rate at the start", "1", "Asked success rate J of the start."),
    step_size=Axis(
        "number", "step size", "1", "Factor α of the update: the learning rate; for the unit rule the step η."
    ),
    advantage=Axis("label", "advantage", "1", "How rewards become weights of responses."),
    aggregation=Axis("label", "aggregation", "1", "How weighted token scores become one update."),
    rule=Axis(
        "label", "update rule", "1", "Advantage and aggregation, by preset or as advantage/aggregation."
    ),
    group_size=Axis("integer", "group size", "responses", "Sampled responses n in the group of one update."),
    schedule=Axis("label", "schedule", "1", "How the learning rate changes along a run."),
    replicate=Axis("integer", "replicate", "1", "Number of the repetition, with random numbers of its own."),
    effective_step_size=Axis(
        "number",
        "effective step size",
        "1",
        "Factor of the summed score of a response: the learning rate α over what the aggregation divides by.",
    ),
    curve_step_size=Axis(
        "number", "effective step size", "1", "As effective_step_size, for learning curves."
    ),
    angle=Axis("number", "angle", "degrees", "Between the direction of the update and the gradient gap."),
    bound_fraction=Axis(
        "number", "step over bound", "1", "Step size over the bound for a step along the gradient gap."
    ),
    step_ratio=Axis(
        "number", "step size over threshold", "1", "Learning rate α over the critical one in closed form."
    ),
    iteration=Axis("integer", "iteration", "updates", "Updates made so far in a run."),
    window=Axis("number", "window", "standard deviations", "Half-width of the window in √T/2 tokens."),
    policy_length=Axis("integer", "largest response length", "tokens", "Tokens of the longest response."),
    vocabulary=Axis("integer", "vocabulary", "tokens", "Tokens V that a policy chooses from."),
    dimension=Axis("integer", "dimension", "1", "Number d of parameters."),
    draw=Axis("integer", "draw", "1", "Number of a random policy among those of one size."),
    search=Axis("integer", "search", "1", "Number of a search for the policy that is worst for a bound."),
    bound=Axis("label", "bound", "1", "Sufficient condition on the step size."),
    task=Axis("label", "task", "1", "What a network is asked for, and what is right."),
    network=Axis("label", "network", "1", "Kind of network that is the policy."),
    optimizer=Axis("label", "optimizer", "1", "How an update becomes a step."),
)


def expand(name: str, spec: Sequence | Mapping | int, key: str) -> tuple[str, ...]:
    """Values of an axis from how the configuration writes it.

    Parameters
    ----------
    name : str
        Name in `AXES`; ``failure_rate`` is the success-rate axis written by its complement.
    spec : list, mapping or int
        The values; a number n of them, 0 to n − 1; or a logarithmic range ``{from, to, per_decade}`` with both
        ends included, whose values are rounded to four digits (integers: to the axis's multiple).
    key : str
        Where it stands in the configuration, for the error message.

    Returns
    -------
    tuple of str
        Canonical texts, in the order written.

    Raises
    ------
    ConfigError
        If a value comes twice.
    """
    axis = AXES.find("success_rate" if name == "failure_rate" else name)
    if isinstance(spec, int):
        spec = range(spec)
    if isinstance(spec, Mapping):
        first, last = float(spec["from"]), float(spec["to"])
        steps = max(1, round(abs(math.log10(last / first)) * spec["per_decade"]))
        raw = [first * (last / first) ** (step / steps) for step in range(steps + 1)]
        if axis.kind == "integer":
            values = [canonical(axis.multiple * round(value / axis.multiple)) for value in raw]
            values = list(dict.fromkeys(values))  # a fine range of small integers names some twice
        else:
            values = [canonical(float(f"{value:.4g}")) for value in raw]
    else:
        values = [canonical(value) for value in spec]
    for value, count in Counter(values).items():
        if count > 1:
            raise ConfigError(f"{key}: {value} is given twice; each value of an axis is given once")
    if name == "failure_rate":
        values = [complement(format(Decimal(value), "f")) for value in values]
    return tuple(values)
