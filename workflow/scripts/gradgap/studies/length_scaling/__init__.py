"""P3 and P5: does the critical learning rate fall as 1/T, and does length normalisation remove that?"""

from ...sweep.study import STUDIES, Study, Sweep

RULES = ("advantage", "aggregation")

STUDIES.add("length_scaling")(
    Study(
        title="How does the critical learning rate change with response length, and what does normalisation do?",
        predictions="P3, P5",
        sweeps={
            "instances": Sweep(("family", "length"), "starts"),
            "thresholds": Sweep(("family", "length", *RULES), "thresholds"),
            "sampled": Sweep(
                ("length", "rule", "group_size"), "sampled_thresholds", at={"family": "counting"}
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "critical_learning_rate",
            "across": "length",
            "by": "lines:aggregation",
            "advantage": "grpo",
        },
        settings=("fit_from_length",),
        defaults={"rule": ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"], "group_size": [16, 64]},
    )
)
