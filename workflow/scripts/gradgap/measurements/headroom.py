"""The probe, tested on bandits whose headroom is known: single estimates, climbs, forecasts from runs, a controller.

The probe calls libraries whose last bits depend on the processor, so its results are rounded to six digits.
"""

import functools
import math
from typing import Any

import numpy as np

from ..bandits import FAMILIES, Instance, responses
from ..errors import ConfigError
from ..numerics import streams
from ..numerics.elementary import exp10, norm
from ..numerics.roots import root
from ..probe import Headroom, HeadroomController, Record, Status, climb, pool, probe
from ..probe.result import Word
from ..probe.weights import contributions, crossing, excess, log_mean_exp
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable
from ..theory.optimizers import stability_factor
from ..training import rules
from ..training.optimizers import OPTIMIZERS
from ..training.run import train
from ..values import failure_rate, number

FAMILY = ("prompts", "contexts", "candidates", "margin", "dimension", "window", "success_rate")
#: True headroom in the tests: NEAR can be seen by one batch, FAR needs a climb.
NEAR, FAR = 4.0, 20.0
#: Trial steps of a single estimate, and of a record.
TRIALS = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
AROUND = np.array([-1.0, -0.5, 0.0, 0.5])


def _word(found: Headroom) -> Word:
    return Word[found.status.name]


def rounded(value: float) -> float:
    """Round to six digits.

    Examples
    --------
    >>> rounded(1 / 3)
    0.333333
    """
    return float(f"{value:.6g}")


class Line:
    """A bandit, a point θ and a step u from it whose headroom is known.

    Attributes
    ----------
    instance : Instance
    theta, step : ndarray, shape (d,)
    headroom : float
        Smallest t > 0 with J(θ + t u) < J(θ), from exact success rates.
    """

    def __init__(self, instance: Instance, theta: np.ndarray, step: np.ndarray, headroom: float) -> None:
        self.instance, self.theta, self.step, self.headroom = instance, theta, step, headroom

    def at(self, t: float) -> np.ndarray:
        """θ + t u."""
        return self.theta + t * self.step

    def draw(self, size: int, generator: np.random.Generator, t: float = 0.0) -> responses.Responses:
        """Draw responses of the policy at t."""
        return responses.draw(self.instance, self.at(t), size, generator)

    def score(self, drawn: responses.Responses, t: float) -> np.ndarray:
        """Log-probabilities of responses at t, of shape (n,)."""
        return responses.log_probability(self.instance, drawn, self.at(t))

    def scored(self, drawn: responses.Responses, steps: Any) -> np.ndarray:
        """Log-probabilities of responses at several steps, of shape (n, steps)."""
        return np.stack([self.score(drawn, float(t)) for t in steps], axis=1)


def edge(instance: Instance, theta: np.ndarray, direction: np.ndarray, first: float) -> float:
    """Smallest η > 0 with J(θ + η·direction) < J(θ), from a ladder with 20 rungs per decade that starts at `first`.

    Examples
    --------
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> found = edge(bandit, bandit.start, np.array([1.0]), 1e-3)
    >>> round(found / (2 * abs(bandit.theta0)), 6)  # 2|θ₀| in closed form (C2)
    1.0
    """
    success, failure, _ = instance.at(theta)

    def gain(size: float) -> float:
        moved, lost, _ = instance.at(theta + size * direction)
        return moved - success if success < failure else failure - lost

    low = first
    for rung in range(1, 20 * 6):
        high = first * exp10(rung / 20)
        if gain(high) < 0:
            return root(gain, low, high, relative=1e-9) if gain(low) > 0 else 0.0
        low = high
    return math.inf


def line_at(family: str, settings: Settings, spread: float, headroom: float, replicate: int) -> Line:
    """A step of known headroom, whose edge is a given distance away, counted in standard deviations of the score.

    On `counting` and `gated` the start is `spread` standard deviations from the best θ, and the step points towards
    it, so the edge is at twice that distance. On `contextual` the start is that of the instance. There the step is
    turned away from the gradient gap until the edge has come as near as that.

    Parameters
    ----------
    family : str
    settings : mapping
    spread : float
        Half the distance to the edge, in standard deviations of the score along the step.
    headroom : float
        Headroom of the step; the step is this many times shorter than the distance to the edge.
    replicate : int
        Number of the instance, if instances of the family are random.

    Returns
    -------
    Line
    """
    options = tuple((name, settings[name]) for name in FAMILY if name in settings and name != "success_rate")
    rate = str(settings["success_rate"][family])
    return _line(family, int(settings["headroom_length"]), rate, options, spread, headroom, replicate)


def _instance(family: str, settings: Settings, replicate: int) -> Instance:
    options = {name: settings[name] for name in FAMILY if name in settings and name != "success_rate"}
    rate = str(settings["success_rate"][family])
    return _made(family, int(settings["headroom_length"]), rate, tuple(options.items()), replicate)


def _made(family: str, length: int, rate: str, options: tuple, replicate: int) -> Instance:
    component = FAMILIES.find(family)
    known = {name: value for name, value in options if name in component.settings}
    if "replicate" in component.settings:
        known["replicate"] = replicate
    return component.instance(length, number(rate), failure_rate(rate), **known)


@functools.lru_cache(256)  # all batch sizes use the same line
def _line(
    family: str, length: int, rate: str, options: tuple, spread: float, headroom: float, replicate: int
) -> Line:
    instance = _made(family, length, rate, options, replicate)
    if len(instance.start) == 1:
        theta = np.array([-2 * spread / math.sqrt(instance.score_length)])
        return Line(instance, theta, -2 * theta / headroom, headroom)
    theta = instance.start
    gap = instance.at(theta)[2]
    along = gap / norm(gap)
    aside = np.array([(-1.0) ** j * (j + 1 + replicate % 3) for j in range(len(gap))])
    aside = aside - (aside @ along) * along
    aside /= norm(aside)
    # variance of the score along a direction, from a fixed sample
    drawn = responses.draw(instance, theta, 400 * instance.kernels.prompts, np.random.default_rng(0))
    score = responses.scores(instance, drawn, theta)

    def turned(log_tangent: float) -> tuple[np.ndarray, float, float]:
        way = along + exp10(log_tangent) * aside
        way = way / norm(way)
        size = edge(instance, theta, way, 1e-3)
        return way, size, size * float(np.std(score @ way)) - 2 * spread

    low, high = -2.0, 3.0
    for _ in range(24):  # the edge comes nearer as the step turns away from the gap
        middle = (low + high) / 2
        low, high = (middle, high) if turned(middle)[2] > 0 else (low, middle)
    way, size, _ = turned(high)
    return Line(instance, theta, way * size / headroom, headroom)


def _generator(settings: Settings, point: Point) -> np.random.Generator:
    return np.random.default_rng(streams.state(settings["seed"], point))


def _prompts(line: Line, drawn: responses.Responses) -> np.ndarray | None:
    return drawn.prompt if line.instance.kernels.prompts > 1 else None


# --- estimates from one batch -------------------------------------------------------------------------------

ESTIMATES = {
    "headroom_over_truth": Variable(
        "headroom over truth", "1", "Estimate of the probe; nan where it is not measured.", undefined=True
    ),
    "ratio_over_truth": Variable(
        "headroom over truth, normalised within outcomes",
        "1",
        "First fall of K₁ − K₀; infinite if there is none up to 2.5 times the truth, nan if only one outcome was "
        "drawn.",
        undefined=True,
    ),
    "parabola_over_truth": Variable(
        "headroom over truth, parabola",
        "1",
        "Of the parabola through J near the start; infinite if it curves upwards, nan if only one outcome was drawn.",
        undefined=True,
    ),
    "headroom_word": Variable("word", "1", "The word that the probe gave.", codes=Word),
    "headroom_covered": Variable(
        "interval covers", "1", "1 where the 90 % interval holds the truth, else 0.", integer=True
    ),
    "headroom_claim": Variable(
        "claimed headroom over truth", "1", "Lower bound where it is beyond reach, else nan.", undefined=True
    ),
    "effective_share": Variable(
        "effective share at the edge",
        "1",
        "Smaller of the effective shares of right and wrong responses; nan if only one outcome was drawn.",
        undefined=True,
    ),
    "gain_in_sample": Variable(
        "gain in sample",
        "1",
        "Gain of a small step, estimated from the batch that built it, which has about a sixteenth of the responses.",
    ),
    "gain_fresh": Variable("gain fresh", "1", "Gain of the same steps, estimated from fresh batches."),
    "gain_responses": Variable(
        "responses that built the step", "1", "Responses in each batch that built such a step.", integer=True
    ),
    "gain_exact": Variable("gain exact", "1", "Mean exact gain of the same steps."),
}


def _estimate(point: Point, inner: Axes, settings: Settings) -> dict:
    """One batch at a point."""
    line = line_at(
        point["family"], settings, number(point["start_spread"]), NEAR, int(number(point["replicate"]))
    )
    generator = _generator(settings, point)
    drawn = line.draw(int(number(point["responses"])), generator)
    out: dict[str, Any] = dict.fromkeys(ESTIMATES, math.nan)
    out.update(headroom_word=Word.void, headroom_covered=0)
    # every prompt has a group of two or more
    prompts = line.instance.kernels.prompts
    built = max(int(number(point["responses"])) // (SMALLER * prompts), 2) * prompts
    out["gain_responses"] = built
    out.update(_gains(line, built, generator))
    if drawn.rewards.all() or not drawn.rewards.any():
        return out
    found = probe(
        drawn.rewards,
        line.scored(drawn, TRIALS),
        TRIALS,
        prompts=_prompts(line, drawn),
        seed=generator,
        resamples=settings["headroom_resamples"],
    )
    places = np.linspace(NEAR / 16, 2.5 * NEAR, 40)
    change = line.scored(drawn, places) - line.score(drawn, 0.0)[:, None]
    right, ones = drawn.rewards == 1, np.ones(len(change))
    odds = log_mean_exp(change[right], ones[right]) - log_mean_exp(change[~right], ones[~right])
    weight = np.exp(np.minimum(line.score(drawn, NEAR) - line.score(drawn, 0.0), 300))
    share = min(float(w.sum() ** 2 / (w**2).sum() / len(w)) for w in (weight[right], weight[~right]))
    low, high = found.headroom_interval
    out.update(
        ratio_over_truth=rounded(float(crossing(places, odds)) / NEAR),
        parabola_over_truth=rounded(found.quadratic / NEAR),
        headroom_word=_word(found),
        headroom_covered=int(low <= NEAR <= high),
        effective_share=rounded(share),
    )
    if found.status is Status.measured:
        out["headroom_over_truth"] = rounded(found.headroom / NEAR)
    elif found.status is Status.beyond_reach:
        out["headroom_claim"] = rounded(found.headroom / NEAR)
    return out


#: At each point gains are averaged over BATCHES batches, which are SMALLER times smaller than the batch of the point.
BATCHES, SMALLER = 8, 16


def _gains(line: Line, size: int, generator: np.random.Generator) -> dict[str, float]:
    """Gain of a small RLOO step from a batch: estimated from that batch, from a fresh one, and exact."""
    instance, theta = line.instance, line.theta
    found = []
    for _ in range(BATCHES):
        batch, fresh = (responses.draw(instance, theta, size, generator) for _ in range(2))
        step = 0.05 * reference(instance, "sgd") * _update(instance, batch, theta)
        moved = Line(instance, theta, step, math.nan)
        before, after = instance.at(theta), instance.at(theta + step)
        exact = after[0] - before[0] if before[0] < before[1] else before[1] - after[1]
        found.append((_gain(moved, batch), _gain(moved, fresh), exact))
    return dict(
        zip(("gain_in_sample", "gain_fresh", "gain_exact"), map(rounded, np.mean(found, axis=0)), strict=True)
    )


def _gain(line: Line, drawn: responses.Responses) -> float:
    """J(1) − J(0) as the probe estimates it."""
    change = (line.score(drawn, 1.0) - line.score(drawn, 0.0))[:, None]
    weight = np.full(len(change), 1 / len(change))
    return float(contributions(weight, excess(change), drawn.rewards == 1, _prompts(line, drawn)).sum())


def _update(instance: Instance, batch: responses.Responses, theta: np.ndarray) -> np.ndarray:
    """Update of RLOO from a batch in which the responses to each prompt are one group."""
    score = responses.scores(instance, batch, theta)
    total = np.zeros(len(theta))
    prompts = instance.kernels.prompts
    for q in range(prompts):
        mine = batch.prompt == q
        weight = rules.weights(
            *rules.rule("RLOO"), batch.rewards[mine], batch.lengths[mine], instance.max_length
        )
        total += np.einsum("n,nj->j", weight, score[mine])
    return total / prompts


# --- climbs -------------------------------------------------------------------------------------------------

CLIMBS = {
    "climb_over_truth": Variable(
        "headroom over truth, climb", "1", "nan where it is not measured.", undefined=True
    ),
    "climb_covered": Variable("interval of climb covers", "1", "1 where it holds the truth.", integer=True),
    "climb_responses": Variable("responses of climb", "1", "Drawn in all.", integer=True),
}


def _climb(point: Point, inner: Axes, settings: Settings) -> dict:
    """One climb at a point."""
    line = line_at(
        point["family"], settings, number(point["climb_spread"]), FAR, int(number(point["replicate"]))
    )
    generator = _generator(settings, point)

    def rollout(t: float, size: int) -> tuple:
        drawn = line.draw(size, generator, t)
        prompts = _prompts(line, drawn)
        return (drawn.rewards, drawn) if prompts is None else (drawn.rewards, drawn, prompts)

    found = climb(
        rollout, line.score, seed=generator, most=1000, resamples=settings["headroom_resamples"], batch=120
    )
    measured = found.status is Status.measured
    low, high = found.headroom_interval
    return {
        "climb_over_truth": rounded(found.headroom / FAR) if measured else math.nan,
        "climb_covered": int(low <= FAR <= high),
        "climb_responses": found.responses,
    }


# --- runs ---------------------------------------------------------------------------------------------------

RUNS = {
    "kept": Variable("kept", "1", "Mean over the last tenth of the run of (J − J_∞)/(J_max − J_∞)."),
    "mean_success_rate": Variable("mean success rate", "1", "Over all updates of the run."),
    "forecast": Variable(
        "forecast of the edge",
        "1",
        "Learning rate × headroom, pooled over the first updates, over the reference rate; infinite if J does not "
        "curve downwards, nan if it is void.",
        undefined=True,
    ),
    "last_rate": Variable("last learning rate", "1", "Over the reference rate."),
    "reference_rate": Variable(
        "reference learning rate",
        "1",
        "Unit of learning rates: the critical one in closed form; 4.2 · 2/√N for an optimizer that is scale-free, "
        "such as Adam; a fixed number on contextual.",
    ),
}


def reference(instance: Instance, optimizer: str) -> float:
    """The learning rate of which all others are multiples.

    If the optimizer declares at which α·λ it stops being stable, and the family knows λ = |J″| at its best θ, the
    reference is the critical learning rate in closed form. A scale-free optimizer takes steps of about α, whatever
    the update is. Its reference is a step of 4.2 standard deviations of the count, the half-kept learning rate of
    Adam. Families with several parameters have no closed form, and get one fixed number for each of these two kinds.

    Returns
    -------
    float
        nan if none is known.

    Examples
    --------
    >>> bandit = FAMILIES.find("counting").instance(64, 0.2)
    >>> reference(bandit, "adam")
    1.05
    """
    scale_free = OPTIMIZERS.find(optimizer).scale_free
    if len(instance.start) > 1:
        return 1.0 if scale_free else 20.0
    if scale_free:
        return 8.4 / math.sqrt(instance.score_length)
    return 2 * stability_factor(optimizer) / FAMILIES.find(instance.family).curvature(instance)


def _start(instance: Instance, settings: Settings) -> np.ndarray:
    """Where runs start: with one parameter, a given number of standard deviations of the count from the best θ."""
    if len(instance.start) > 1:
        return instance.start.copy()
    return np.array([-2 * settings["start_deviations"] / math.sqrt(instance.score_length)])


def _run(point: Point, inner: Axes, settings: Settings) -> dict:
    """One run at a point."""
    instance = _instance(point["family"], settings, int(number(point["replicate"])))
    chosen = OPTIMIZERS.find(point["optimizer"])
    scale = reference(instance, point["optimizer"])
    first = rate = scale * number(point["learning_rate_ratio"])
    controller = HeadroomController(rate) if point["control"] == "controller" else None
    generator = _generator(settings, point)
    theta = _start(instance, settings)
    memory, step, vector = chosen.memory(len(theta)), np.zeros(len(theta)), chosen.vector(None)
    size, iterations, window = settings["run_responses"], settings["run_iterations"], settings["run_window"]
    batch = responses.draw(instance, theta, size, generator)
    success, records = [], []
    for k in range(iterations):
        chosen.move(theta, _update(instance, batch, theta), memory, vector, step)
        moved = np.clip(theta + rate * step, -1e3, 1e3)  # so that collapsed runs do not overflow
        line = Line(instance, moved, moved - theta, math.nan)
        theta = moved
        batch = line.draw(size, generator)
        success.append(instance.at(theta)[0])
        if controller is not None or k < window:
            record = Record(
                batch.rewards, line.scored(batch, AROUND), AROUND, _prompts(line, batch), learning_rate=rate
            )
            if k < window:
                records.append(record)
            if controller is not None:
                rate = rounded(controller.update(record))
    found = pool(records, seed=generator, resamples=2)
    tail = success[-max(iterations // 10, 1) :]
    best, lost = 1 - instance.best_failure, lost_rate(instance)
    forecast = found.headroom * records[-1].learning_rate / scale
    return {
        "kept": rounded((float(np.mean(tail)) - lost) / (best - lost)),
        "mean_success_rate": rounded(float(np.mean(success))),
        "forecast": rounded(forecast) if math.isfinite(forecast) else forecast,
        "last_rate": rate / scale,
        "reference_rate": scale if first else math.nan,
    }


SCHEDULED = {
    "scheduled_success_rate": Variable(
        "mean success rate under the schedule",
        "1",
        "Over all updates of the run; controllers see exact rates.",
    ),
}


def _scheduled(point: Point, inner: Axes, settings: Settings) -> dict:
    """One run at a point, under a schedule of the engine."""
    instance = _instance(point["family"], settings, int(number(point["replicate"])))
    iterations = settings["run_iterations"]
    found = train(
        instance,
        *rules.rule("RLOO"),
        [reference(instance, point["optimizer"]) * number(point["learning_rate_ratio"])],
        iterations=iterations,
        group_size=settings["run_responses"] // instance.kernels.prompts,
        states=[streams.state(settings["seed"], point)],
        schedule=point["schedule"],
        optimizer=point["optimizer"],
        record=np.arange(1, iterations + 1),
        starts=_start(instance, settings)[None],
    )
    return {"scheduled_success_rate": float(found[0].success_rate.mean())}


def lost_rate(instance: Instance) -> float:
    """J_∞, the success rate of a collapsed policy: the limit for large ‖θ‖."""
    if len(instance.start) == 1:
        return 1 - float(instance.kernels.constants[2])
    shape = instance.kernels.constants
    return float(shape[2] + 1) ** -float(shape[1])


def check(axes: Axes, settings: Settings) -> None:
    """Check that families have a success rate and can draw responses, and that optimizers have a reference rate."""
    for family in axes["family"]:
        if family not in settings["success_rate"]:
            raise ConfigError(
                f"success_rate: no value for family {family!r}; found {dict(settings['success_rate'])}"
            )
        line = line_at(family, settings, 0.5, NEAR, 0)
        line.draw(line.instance.kernels.prompts, np.random.default_rng(0))
        for optimizer in axes.get("optimizer", ()):
            if math.isnan(reference(line.instance, optimizer)):
                raise ConfigError(
                    f"optimizer: {optimizer!r} is not allowed; it must be scale-free, or declare its stability"
                )


_SETTINGS = (*FAMILY, "headroom_length", "headroom_resamples")
MEASUREMENTS.add("headroom_estimates")(
    Measurement(
        ESTIMATES,
        _estimate,
        settings=_SETTINGS,
        split=("family",),
        random=True,
        cost=lambda settings: 0.05,
        check=check,
    )
)
MEASUREMENTS.add("headroom_climbs")(
    Measurement(
        CLIMBS,
        _climb,
        settings=_SETTINGS,
        split=("family",),
        random=True,
        cost=lambda settings: 0.2,
        check=check,
    )
)
MEASUREMENTS.add("headroom_runs")(
    Measurement(
        RUNS,
        _run,
        settings=(*_SETTINGS, "start_deviations", "run_responses", "run_iterations", "run_window"),
        split=("family",),
        random=True,
        cost=lambda settings: 1e-3 * settings["run_iterations"],
        check=check,
    )
)
MEASUREMENTS.add("headroom_schedules")(
    Measurement(
        SCHEDULED,
        _scheduled,
        settings=(*_SETTINGS, "start_deviations", "run_responses", "run_iterations"),
        split=("family",),
        random=True,
        cost=lambda settings: 2e-5 * settings["run_iterations"],
        check=check,
    )
)
