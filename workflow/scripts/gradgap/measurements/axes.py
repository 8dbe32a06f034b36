"""The axes of the package's measurements, each with the registry of the components that its values name."""

from ..bandits import FAMILIES
from ..plugins import Registry
from ..sweep.axes import AXES, Axis
from ..training.rules import ADVANTAGES, AGGREGATIONS, rule
from ..training.schedules import SCHEDULES


def _rule(name: str) -> tuple[tuple[Registry, str], ...]:
    """The advantage and the aggregation of a rule."""
    advantage, aggregation = rule(name)
    return (ADVANTAGES, advantage), (AGGREGATIONS, aggregation)


AXES.add("family")(
    Axis(
        "label",
        "bandit family",
        "1",
        "Instance of RLVR whose success rate is known exactly.",
        components=FAMILIES,
    )
)
AXES.add("length")(
    Axis("integer", "response length", "tokens", "Asked mean response length T.", multiple=2),
)
AXES.add("success_rate")(
    Axis("number", "success rate at the start", "1", "Asked success rate J of the start.")
)
AXES.add("learning_rate")(
    Axis(
        "number", "learning rate", "1", "Factor α of the update u; for the unit rule this is the step size η."
    )
)
AXES.add("advantage")(
    Axis(
        "label",
        "advantage",
        "1",
        "How rewards become weights of responses.",
        components=ADVANTAGES,
    )
)
AXES.add("aggregation")(
    Axis(
        "label",
        "aggregation",
        "1",
        "How weighted token scores become one update.",
        components=AGGREGATIONS,
    )
)
AXES.add("rule")(
    Axis(
        "label",
        "update rule",
        "1",
        "Advantage and aggregation, by preset or as advantage/aggregation.",
        components=_rule,
    )
)
AXES.add("group_size")(
    Axis("integer", "group size", "responses", "Sampled responses n in the group of one update.")
)
AXES.add("schedule")(
    Axis(
        "label",
        "schedule",
        "1",
        "How the learning rate changes along a run.",
        components=SCHEDULES,
    )
)
AXES.add("replicate")(
    Axis("integer", "replicate", "1", "Number of the repetition, with random numbers of its own.")
)
AXES.add("effective_learning_rate")(
    Axis(
        "number",
        "effective learning rate",
        "1",
        "Factor of the summed score of a response: the learning rate α over what the aggregation divides by.",
    )
)
AXES.add("curve_learning_rate")(
    Axis("number", "effective learning rate", "1", "As effective_learning_rate, for learning curves.")
)
AXES.add("angle")(
    Axis("number", "angle", "degrees", "Between the direction of the update and the gradient gap.")
)
AXES.add("bound_fraction")(
    Axis("number", "step over bound", "1", "Step size over the bound for a step along the gradient gap.")
)
AXES.add("learning_rate_ratio")(
    Axis(
        "number", "learning rate over threshold", "1", "Learning rate α over the critical one in closed form."
    )
)
AXES.add("iteration")(Axis("integer", "iteration", "updates", "Updates made so far in a run."))
AXES.add("window")(
    Axis("number", "window", "standard deviations", "Half-width of the window in √T/2 tokens.")
)
AXES.add("policy_length")(
    Axis("integer", "largest response length", "tokens", "Tokens of the longest response.")
)
AXES.add("vocabulary")(Axis("integer", "vocabulary", "tokens", "Tokens V that a policy chooses from."))
AXES.add("dimension")(Axis("integer", "dimension", "1", "Number d of parameters."))
AXES.add("draw")(Axis("integer", "draw", "1", "Number of a random policy among those of one size."))
AXES.add("search")(
    Axis("integer", "search", "1", "Number of a search for the policy that is worst for a bound.")
)
AXES.add("bound")(Axis("label", "bound", "1", "Sufficient condition on the step size."))
AXES.add("dynamics")(
    Axis("label", "dynamics", "1", "Rule and factor of its own threshold, of runs that may fall for ever.")
)
