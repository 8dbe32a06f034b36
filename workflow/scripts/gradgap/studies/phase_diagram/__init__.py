"""P2–P4 on the full grid: what becomes of a run at each length, success rate and learning rate."""

from ...sweep.study import STUDIES, Study, Sweep

INSTANCE = ("family", "length", "success_rate")

STUDIES.add("phase_diagram")(
    Study(
        title="What becomes of a run, over response length, success rate and learning rate?",
        predictions="P2, P3, P4",
        sweeps={
            "instances": Sweep(INSTANCE, "starts"),
            "thresholds": Sweep((*INSTANCE, "rule"), "thresholds"),
            "runs": Sweep((*INSTANCE, "rule", "learning_rate", "iteration"), "exact_runs"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "final_failure_rate",
            "across": "length",
            "by": "map:learning_rate",
            "rule": "GRPO",
        },
        more_figures={"failure_rate": f"{__name__}.figure_failure_rate"},
        settings=("fit_from_length", "fit_from_success_rate"),
        defaults={"family": ["gated"], "iteration": [1, 2, 5, 10]},
    )
)
