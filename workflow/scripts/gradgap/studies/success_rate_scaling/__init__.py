"""P4: does the critical step fall as (1−J), and where is that law tight?"""

from ...sweep.study import STUDIES, Study, Sweep

INSTANCE = ("family", "length", "success_rate")
RULES = ("advantage", "aggregation")

STUDIES.add("success_rate_scaling")(
    Study(
        title="How does the critical step change with the success rate, and which bound is tight?",
        predictions="P4",
        sweeps={
            "instances": Sweep(("family", "length", "success_rate"), "starts"),
            "thresholds": Sweep(("family", "length", "success_rate", *RULES), "thresholds"),
            "windows": Sweep(("length", "window"), "windows"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        settings=("fit_from_length", "fit_from_success_rate"),
        defaults={"family": ["gated"]},
    )
)
