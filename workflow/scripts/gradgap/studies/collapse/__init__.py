"""P8: can too large a step make the success rate fall at every iteration, down to zero?"""

from ...sweep.study import STUDIES, Study, Sweep

#: Runs that are followed, as `gradgap.measurements.collapse` names them: rule, and learning rate in units of what.
DYNAMICS = (
    "gap 0.9 convergence",
    "gap 1.3 convergence",
    "gap 1.05 fold",
    "reinforce 10 convergence",
    "grpo 10 convergence",
    "steps 0.9",
    "steps 1.1",
    "linear 0.9",
    "linear 1.1",
)

STUDIES.add("collapse")(
    Study(
        title="Can too large a step make the success rate fall at every iteration, down to zero?",
        predictions="P8",
        sweeps={
            "thresholds": Sweep(("length", "success_rate"), "collapse_thresholds"),
            "curves": Sweep(
                ("length", "success_rate", "dynamics", "iteration"),
                "collapse_curves",
                fixed={"dynamics": DYNAMICS},
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "collapse_log_success_rate",
            "across": "iteration",
            "by": "lines:length",
            "dynamics": "gap 1.05 fold",
        },
    )
)
