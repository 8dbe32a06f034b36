"""The axes of the measurements of this package: what their values are, and which components they name."""

from ..bandits import FAMILIES
from ..plugins import Registry
from ..sweep.axes import AXES, Axis
from ..training.optimizers import OPTIMIZERS
from ..training.ratios import RATIOS
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
        "Bandit with a verifiable reward whose success rate is known exactly.",
        components=FAMILIES,
    )
)
AXES.add("length")(
    Axis(
        "integer",
        "response length",
        "tokens",
        "Mean response length T that is asked for.",
        multiple=2,
        minimum=2,
        maximum=2**20,
    ),
)
AXES.add("success_rate")(
    Axis(
        "number",
        "success rate at the start",
        "1",
        "Success rate J at the start that is asked for.",
        above=0,
        below=1,
    )
)
AXES.add("learning_rate")(
    Axis(
        "number",
        "learning rate",
        "1",
        "Factor α of the update u; for the unit rule this is the step size η.",
        above=0,
        maximum=1e100,
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
    Axis(
        "integer",
        "group size",
        "responses",
        "Sampled responses n in the group of one update.",
        minimum=2,
        maximum=2**20,
    )
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
    Axis(
        "integer",
        "replicate",
        "1",
        "Number of the repetition, with random numbers of its own.",
        minimum=0,
        maximum=999_999,
        counted=True,
    )
)
AXES.add("effective_learning_rate")(
    Axis(
        "number",
        "effective learning rate",
        "1",
        "Factor of the summed score of a response: the learning rate α over what the aggregation divides by.",
        above=0,
        maximum=1e100,
    )
)
AXES.add("curve_learning_rate")(
    Axis(
        "number",
        "effective learning rate",
        "1",
        "As effective_learning_rate, for learning curves.",
        above=0,
        maximum=1e100,
    )
)
AXES.add("angle")(
    Axis(
        "number",
        "angle",
        "degrees",
        "Angle between the direction of the update and the gradient gap.",
        minimum=0,
        maximum=180,
    )
)
AXES.add("bound_fraction")(
    Axis(
        "number",
        "step over bound",
        "1",
        "Step size over the bound for a step along the gradient gap.",
        above=0,
        maximum=1e100,
    )
)
AXES.add("learning_rate_ratio")(
    Axis(
        "number",
        "learning rate over threshold",
        "1",
        "Learning rate α over a threshold: the critical one in closed form, or for networks the half-kept one.",
        above=0,
        maximum=1e100,
    )
)
AXES.add("iteration")(
    Axis("integer", "iteration", "updates", "Updates made so far in a run.", minimum=0, maximum=10_000_000)
)
AXES.add("window")(
    Axis(
        "number",
        "window",
        "standard deviations",
        "Half-width of the window in √T/2 tokens.",
        above=0,
        maximum=1000,
    )
)
AXES.add("policy_length")(
    Axis(
        "integer",
        "largest response length",
        "tokens",
        "Tokens of the longest response.",
        minimum=1,
        maximum=8,
    )
)
AXES.add("vocabulary")(
    Axis("integer", "vocabulary", "tokens", "Tokens V that a policy chooses from.", minimum=2, maximum=6)
)
AXES.add("dimension")(Axis("integer", "dimension", "1", "Number d of parameters.", minimum=1, maximum=1000))
AXES.add("draw")(
    Axis(
        "integer",
        "draw",
        "1",
        "Number of a random policy among those of one size.",
        minimum=0,
        maximum=999_999,
        counted=True,
    )
)
AXES.add("search")(
    Axis(
        "integer",
        "search",
        "1",
        "Number of a search for the policy that is worst for a bound.",
        minimum=0,
        maximum=999_999,
        counted=True,
    )
)
AXES.add("bound")(
    Axis("label", "bound", "1", "Sufficient condition on the step size.", choices=("paper", "prop1"))
)
AXES.add("start_spread")(
    Axis(
        "number",
        "half the way to the edge",
        "standard deviations",
        "Half the distance from the start of a step to its edge, in standard deviations of the score along it.",
        above=0,
        maximum=10,
    )
)
AXES.add("climb_spread")(
    Axis(
        "number",
        "half the way to the edge",
        "standard deviations",
        "As start_spread, for climbs.",
        above=0,
        maximum=10,
    )
)
AXES.add("responses")(Axis("integer", "responses", "1", "Responses in one batch.", minimum=8, maximum=2**20))
AXES.add("optimizer")(
    Axis("label", "optimizer", "1", "What turns updates into moves.", components=OPTIMIZERS)
)
for _name, _long_name, _description in (
    ("momentum", "momentum", "Share of the last step that momentum keeps: the optimizer's setting."),
    (
        "beta1",
        "decay of the average of updates",
        "Share of the old average of updates that the optimizer keeps.",
    ),
    (
        "beta2",
        "decay of the average of squares",
        "Share of the old average of squares that the optimizer keeps.",
    ),
):
    AXES.add(_name)(Axis("number", _long_name, "1", _description, minimum=0, below=1))
AXES.add("clip_norm")(
    Axis(
        "number",
        "largest norm of an update",
        "1",
        "Updates that are longer are shortened to it before the optimizer sees them.",
        above=0,
        maximum=1e100,
    )
)
AXES.add("steps_per_batch")(
    Axis(
        "integer",
        "steps a batch",
        "updates",
        "Updates μ from each batch, the first of them on-policy.",
        minimum=1,
        maximum=100_000,
    )
)
AXES.add("minibatches")(
    Axis(
        "integer",
        "minibatches",
        "updates",
        "Parts m of different responses that a batch is dealt to; going through it once takes one update on each.",
        minimum=1,
        maximum=100_000,
    )
)
AXES.add("ratio")(
    Axis(
        "label",
        "importance ratio",
        "1",
        "How tokens of a batch are weighed once the parameters have moved on.",
        components=RATIOS,
    )
)
for _name, _long_name, _description in (
    ("clip_range", "clip range", "Importance ratios are clipped to no less than 1 minus it."),
    ("clip_range_high", "upper clip range", "Importance ratios are clipped to no more than 1 plus it."),
):
    AXES.add(_name)(Axis("number", _long_name, "1", _description, above=0, maximum=1e100))
AXES.add("delay")(
    Axis(
        "integer",
        "delay",
        "iterations",
        "Iterations τ by which a batch is older than the parameters that it updates.",
        minimum=0,
        maximum=1000,
    )
)
AXES.add("kl_coef")(
    Axis(
        "number",
        "KL coefficient",
        "1",
        "Factor of the Kullback–Leibler divergence from the start.",
        minimum=0,
        maximum=1e100,
    )
)
AXES.add("pull_back")(
    Axis(
        "number",
        "pull back",
        "standard deviations",
        "αJ(1 − J)T^1.5/4 at the best θ: how far one step goes back where all token ratios are clipped.",
        above=0,
        maximum=1e6,
    )
)
AXES.add("dynamic_sampling")(
    Axis(
        "label",
        "groups that count",
        "1",
        "Groups that make an update: all, or by dynamic sampling only mixed ones, with right and wrong responses.",
        choices=("all", "mixed"),
    )
)
AXES.add("control")(
    Axis(
        "label",
        "control",
        "1",
        "Learning rate held fixed, or set by the controller of the probe.",
        choices=("fixed", "controller"),
    )
)
AXES.add("dynamics")(
    Axis("label", "dynamics", "1", "Rule and factor of its own threshold, of runs that may fall for ever.")
)
