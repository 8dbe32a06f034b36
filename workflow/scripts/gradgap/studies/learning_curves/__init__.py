"""P2 in one look: learning curves below, at and above the predicted threshold."""

from ...sweep.study import STUDIES, Study, Sweep

INSTANCE = ("family", "length", "success_rate")

STUDIES.add("learning_curves")(
    Study(
        title="What does learning look like below, at and above the threshold?",
        predictions="P2",
        sweeps={
            "instances": Sweep(INSTANCE, "starts"),
            "thresholds": Sweep((*INSTANCE, "rule"), "thresholds"),
            "runs": Sweep((*INSTANCE, "rule", "learning_rate_ratio", "iteration"), "exact_runs"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "final_failure_rate",
            "across": "learning_rate_ratio",
            "by": "lines:rule",
        },
        defaults={"family": ["gated"]},
    )
)
