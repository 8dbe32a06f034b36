"""P4: do the thresholds fall as (1−J), and where is that law tight?"""

from ...sweep.study import STUDIES, Study, Sweep

INSTANCE = ("family", "length", "success_rate")
RULES = ("advantage", "aggregation")

STUDIES.add("success_rate_scaling")(
    Study(
        title="How do the thresholds change with the success rate, and which bound is tight?",
        predictions="P4",
        sweeps={
            "instances": Sweep(("family", "length", "success_rate"), "starts"),
            "thresholds": Sweep(("family", "length", "success_rate", *RULES), "thresholds"),
            "windows": Sweep(("length", "window"), "windows"),
            # the same windows, with one success rate at the start and the runs of two rules
            "window_thresholds": Sweep(
                ("length", "window", "rule"),
                "window_thresholds",
                fixed={"rule": ("reinforce/seq-mean-token-sum", "grpo/seq-mean-token-sum")},
                at={"success_rate": "0.2"},
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "critical_learning_rate",
            "across": "success_rate",
            "by": "lines:advantage",
            "aggregation": "seq-mean-token-sum",
        },
        more_figures={"windows": f"{__name__}.figure_windows"},
        settings=("fit_from_length", "fit_from_success_rate"),
        defaults={"family": ["gated"]},
    )
)
