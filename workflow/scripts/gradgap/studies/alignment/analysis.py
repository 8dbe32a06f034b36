"""P1: does the cumulative gap alignment govern progress, and is there none where it is not positive?"""

import math

import numpy as np

from ...inference.power_laws import table
from ...sweep.study import Analysis
from ...theory import bounds

AXES = ("length", "success_rate", "angle", "bound", "bound_fraction", "replicate")
#: Roundings of a step that is exactly the bound.
_AT_BOUND = 1 + 1e-9


def analyse(dataset, settings):
    """Every run with its log-odds gained, and how many runs broke the bound M(K)/2."""
    runs = dataset.to_dataframe().reset_index().drop(columns="failure_rate", errors="ignore")
    aligned = runs.cumulative_alignment > 0
    runs["admissible"] = aligned & (runs.step_over_bound <= _AT_BOUND)
    runs["broken"] = aligned & (runs.worst_ratio < 0.5)
    admissible, beyond = runs[runs.admissible], runs[aligned & ~runs.admissible]
    across = runs[~aligned]
    guaranteed = bounds.bounds(1.0, 0.5, 0.5, 1.0, float(runs.length.max()), 2.0, 1.0)
    findings = {
        "runs": len(runs),
        "admissible": len(admissible),
        "broken": int(admissible.broken.sum()),
        "least_ratio": float(admissible.worst_ratio.min()) if len(admissible) else math.nan,
        "beyond": len(beyond),
        "broken_beyond": int(beyond.broken.sum()),
        "least_broken": float(beyond[beyond.broken].step_over_bound.min())
        if beyond.broken.any()
        else math.nan,
        "across": len(across),
        "gained_across": int((across.most_gained > 0).sum()),
        "most_gained_across": float(across.most_gained.max()) if len(across) else math.nan,
        "paper_over_prop1": guaranteed.paper / guaranteed.prop1,
        "angles": [float(angle) for angle in np.unique(runs.angle)],
    }
    return Analysis({"runs": runs}, table([]), findings)
