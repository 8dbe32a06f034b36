"""What runs gain whose updates do not point along the gradient gap: log-odds, and cumulative gap alignment.

At every update of an exact run the direction is the gradient gap, turned by a given angle.
"""

import math

import numpy as np

from ..bandits.shared_prompts import climb, evaluate
from ..numerics import elementary, streams
from ..numerics.compiler import kernel
from ..numerics.elementary import log
from ..numerics.sampling import normals
from ..sweep.measurement import MEASUREMENTS, Axes, Measurement, Point, Settings, Variable, empty, product
from ..theory import bounds
from ..values import number
from . import prompt_runs
from .prompt_runs import instance_at

VARIABLES = {
    "gained": Variable(
        "log-odds gained",
        "1",
        "log J/(1−J) after the last update minus that at the start; −745 or more, because J underflows there.",
    ),
    "cumulative_alignment": Variable(
        "cumulative gap alignment",
        "1",
        "M(K) = Σ [Δμ_k]₊ η_k over all updates; 0 where no alignment is positive.",
    ),
    "worst_ratio": Variable(
        "least log-odds gained per cumulative gap alignment",
        "1",
        "Least (ℓ_k − ℓ_0)/M(k) over all updates k of the run; nan where M is 0.",
        undefined=True,
    ),
    "step_over_bound": Variable(
        "step over the bound of Proposition 1",
        "1",
        "Step over Δμ/(2L_o + G_o²), the same at every update; the bound allows up to 1; nan unless Δμ > 0.",
        undefined=True,
    ),
    "most_gained": Variable(
        "most log-odds gained", "1", "Largest ℓ_k − ℓ_0 over all updates k ≥ 1 of the run."
    ),
}


@kernel
def _turned(differences, visits, theta, aside, cosine, sine, factor, iterations):
    """Move θ at every update by η_k = factor · ‖g_k‖, in the direction of the gap turned towards `aside`."""
    prompts, contexts, others, dimension = differences.shape
    wrong = np.empty((prompts, contexts, others))
    right = np.empty((prompts, contexts))
    log_right = np.empty((prompts, contexts))
    success = np.empty(prompts)
    failure = np.empty(prompts)
    ascent = np.empty(dimension)
    gap = np.empty(dimension)
    across = np.empty(dimension)
    start = 0.0
    gained = 0.0
    cumulative = 0.0
    worst = np.nan
    most = -np.inf
    for k in range(iterations + 1):
        evaluate(theta, differences, visits, wrong, right, log_right, success, failure)
        rate = max(success.mean(), 5e-324)
        complement = max(failure.mean(), 5e-324)
        log_odds = log(rate) - log(complement)
        if k == 0:
            start = log_odds
        else:
            gained = log_odds - start
            most = max(most, gained)
            if cumulative > 0.0 and not gained / cumulative >= worst:
                worst = gained / cumulative
        if k == iterations:
            break
        gap[:] = 0.0
        for q in range(prompts):
            climb(differences[q], visits, wrong[q], ascent)
            for j in range(dimension):
                gap[j] += success[q] * ascent[j] / (prompts * rate * complement)
        norm = math.sqrt((gap * gap).sum())
        if norm == 0.0:
            continue
        along = (aside * gap).sum() / norm
        for j in range(dimension):
            across[j] = aside[j] - along * gap[j] / norm
        width = math.sqrt((across * across).sum())
        step = factor * norm
        for j in range(dimension):
            theta[j] += step * (cosine * gap[j] / norm + sine * across[j] / width)
        cumulative += max(cosine, 0.0) * norm * step
    return gained, cumulative, worst, most


def compute(point: Point, inner: Axes, settings: Settings) -> dict:
    """All variables of the runs of one instance, over angles, bounds and fractions of these.

    So that directions are compared at equal steps, the step is the same for all angles: a fixed fraction of the bound
    for a step along the gap. It is within the bound of its own direction if the fraction is at most the cosine of the
    angle.
    """
    out = empty(inner, VARIABLES)
    instance = instance_at(point, settings)
    per_alignment = bounds.bounds(
        1.0,
        0.5,  # the rates do not enter at response level
        0.5,
        instance.length,
        instance.max_length,
        instance.token_score_bound,
        instance.token_hessian_bound,
    )
    own = {name: value for name, value in point.items() if name != "family"}
    for index, here in product(inner):
        at = {**own, **here}
        stream = streams.state(settings["seed"], {"study": "alignment", **at})
        aside = np.empty(len(instance.start))
        normals(stream, aside)
        angle = number(at["angle"])
        cosine = elementary.cosine(angle)
        factor = number(at["bound_fraction"]) * getattr(per_alignment, at["bound"])
        found = _turned(
            instance.differences,
            instance.visits,
            instance.start.copy(),
            aside,
            cosine,
            elementary.sine(angle),
            factor,
            settings["iterations"],
        )
        for name, value in zip(
            ("gained", "cumulative_alignment", "worst_ratio", "most_gained"), found, strict=True
        ):
            out[name][index] = value
        out["step_over_bound"][index] = factor / (per_alignment.prop1 * cosine) if cosine > 0 else math.nan
    return out


MEASUREMENTS.add("alignment")(
    Measurement(
        VARIABLES,
        compute,
        inner=("angle", "bound", "bound_fraction"),
        settings=prompt_runs.SETTINGS,
        random=True,
        cost=prompt_runs.exact_cost,
        check=prompt_runs.check,
    )
)
