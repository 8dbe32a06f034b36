"""P4, P7: what the exponent in 1 − J becomes when updates come from groups of n sampled responses."""

from ...sweep.study import STUDIES, Study, Sweep

POINT = ("family", "length", "success_rate", "advantage", "aggregation")

STUDIES.add("group_size")(
    Study(
        title="What does the exponent in 1 − J become when a group of n sampled responses makes the update?",
        predictions="P4, P7",
        sweeps={
            "thresholds": Sweep((*POINT, "group_size"), "sampled_thresholds"),
            "crossovers": Sweep((*POINT, "group_size"), "predicted_sampled_thresholds"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "half_kept_learning_rate",
            "across": "success_rate",
            "by": "lines:group_size",
            "advantage": "grpo",
        },
        theory="theory_groups.md",
        defaults={
            "family": ["gated"],
            "advantage": ["reinforce", "rloo", "dr_grpo", "grpo"],
            "aggregation": ["seq-mean-token-sum"],
        },
    )
)
