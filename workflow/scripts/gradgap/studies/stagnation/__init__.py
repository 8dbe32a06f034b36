"""P6: with a fixed step the success rate stops below 100 %; where exactly, and what removes it?"""

from ...sweep.study import STUDIES, Study, Sweep

INSTANCE = ("family", "length", "success_rate")

STUDIES.add("stagnation")(
    Study(
        title="Where does a fixed step stall below 100 %, and does a step that shrinks with 1−J get there?",
        predictions="P6",
        sweeps={
            "instances": Sweep(INSTANCE, "starts"),
            "runs": Sweep(
                (*INSTANCE, "rule", "schedule", "learning_rate", "iteration"),
                "exact_runs",
                fixed={"rule": ("unit/seq-mean-token-sum",)},
            ),
            "plateaus": Sweep((*INSTANCE, "learning_rate"), "plateaus"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "final_failure_rate",
            "across": "learning_rate",
            "by": "lines:schedule",
            "scale": "log",
            "beside": "plateau_closed_form",
        },
        defaults={
            "family": ["counting"],
            "schedule": ["constant", "failure-rate"],
            "iteration": [1, 2, 5, 10],
            "window": 6,
        },
    )
)
