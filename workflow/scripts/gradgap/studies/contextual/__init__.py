"""P2, P3, P5–P7 where prompts share parameters: success and prompts lost against the learning rate."""

from ...sweep.study import STUDIES, Study, Sweep

INSTANCE = ("length", "success_rate")
RUN = (*INSTANCE, "schedule", "rule")
STEP = "effective_learning_rate"
#: The one family of these runs; no axis of the dataset.
AT = {"family": "contextual"}

STUDIES.add("contextual")(
    Study(
        title="Which learning rates lose prompts that share parameters, and do sampled groups lose more?",
        predictions="P2, P3, P5, P6, P7",
        sweeps={
            "sampled": Sweep((*RUN, "group_size", STEP, "replicate"), "sampled_prompt_runs", at=AT),
            "exact": Sweep((*RUN, STEP, "replicate"), "exact_prompt_runs", at=AT),
            "curves": Sweep(
                (*INSTANCE, "rule", "curve_learning_rate", "replicate", "iteration"),
                "prompt_curves",
                at=AT,
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "final_success_rate",
            "across": "effective_learning_rate",
            "by": "lines:rule",
            "scale": "linear",
            "group_size": "16",
            "schedule": "constant",
        },
        theory="theory_contextual.md",
        more_figures={"groups": f"{__name__}.figure_groups"},
        settings=("fit_from_length",),
        defaults={"rule": ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"], "iterations": 300},
    )
)
