"""The probe: a headroom with its interval, against its parts, and a bootstrap that draws response by response."""

import numpy as np
from gradgap import probe
from gradgap.probe.weights import blend, contributions, crossing, excess, grid

from .headroom import STEPS, Line
from .timing import Row, processor, rows, same

RESAMPLES = 400


def measure(quick: bool) -> list[Row]:
    """One answer from a batch, by its size."""
    found = []
    for size in (256,) if quick else (256, 4096):
        found += _measure(size, 3 if quick else 15)
    return found


def _measure(size: int, repeats: int) -> list[Row]:
    line = Line(64, 0.25, 1.0, 4.0)
    rewards, responses = line.draw(np.random.default_rng(0), size)
    logps = np.stack([line.score(responses, t) for t in STEPS], axis=1)

    def ours(resamples: int = RESAMPLES):
        return probe.probe(rewards, logps, STEPS, seed=0, resamples=resamples)

    def one_by_one() -> np.ndarray:
        """Edges of resamples whose responses are picked one by one."""
        rng, places = np.random.default_rng(0), grid(STEPS)
        change = excess((logps - logps[:, :1]) @ blend(STEPS, places).T)
        parts = contributions(np.full(size, 1 / size), change, rewards == 1, None)
        picked = (rng.integers(0, size, size) for _ in range(RESAMPLES))
        return np.array([float(crossing(places, parts[drawn].sum(axis=0))) for drawn in picked])

    # the same bootstrap with other random numbers: its median agrees to the noise of 400 resamples
    edges, answer = np.sort(one_by_one()), ours()
    if answer.status is probe.Status.measured:
        same("response by response", float(np.median(edges)), answer.headroom, 0.1)
    timed = {
        "ours": ours,
        "the same without resamples": lambda: ours(1),
        "NumPy, response by response": one_by_one,
    }
    case = f"{size:,} responses, {len(STEPS)} trial steps, {RESAMPLES} resamples"
    return rows("probe", case, timed, repeats=repeats, per=1e-3, unit="ms", clock=processor)
