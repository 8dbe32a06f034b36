"""How the largest useful learning rate scales once the update goes through an optimizer, as in every trainer."""

from ...sweep.study import STUDIES, Study, Sweep

RULE = {"advantage": "dr_grpo", "aggregation": "seq-mean-token-sum"}
#: The instances of the sweeps, where an axis does not set them. Counting has no start above a success rate of 0.68.
COUNTING = {"family": "counting", "success_rate": "0.2"}
GATED = {"family": "gated", "length": "64"}
#: Larger groups than those: at n = 16 most groups are drawn again and again until one is mixed.
MIXED = {"optimizer": "adam", "group_size": "64", "dynamic_sampling": "mixed"}
SAMPLED = {"family": "gated", "success_rate": "0.99", "group_size": "16"}
#: Many parameters, which prompts share; and groups to each of them.
PROMPTS = {"family": "contextual", "success_rate": "0.3"}
PROMPT_GROUPS = PROMPTS | {"group_size": "16"}

STUDIES.add("optimizers")(
    Study(
        title="How does the half-kept learning rate scale once the update goes through an optimizer?",
        predictions="O1, O2, O4, O7, O9, K5",
        sweeps={
            "lengths": Sweep(("optimizer", "length"), "optimizer_lengths", at=COUNTING | RULE),
            "failure_rates": Sweep(("optimizer", "success_rate"), "optimizer_failure_rates", at=GATED | RULE),
            "momenta": Sweep(
                ("momentum",),
                "optimizer_momenta",
                at=COUNTING | RULE | {"length": "256", "optimizer": "momentum"},
            ),
            "clips": Sweep(
                ("clip_norm",), "optimizer_clips", at=COUNTING | RULE | {"length": "256", "optimizer": "sgd"}
            ),
            "plain_groups": Sweep(("success_rate", "group_size"), "sampled_thresholds", at=GATED | RULE),
            "adam_groups": Sweep(
                ("success_rate", "group_size", "beta2"),
                "optimizer_groups",
                at=GATED | RULE | {"optimizer": "adam"},
            ),
            "adam_lengths": Sweep(
                ("length", "beta2"), "optimizer_sampled_lengths", at=SAMPLED | RULE | {"optimizer": "adam"}
            ),
            "mixed_groups": Sweep(
                ("success_rate",),
                "optimizer_mixed_groups",
                at=GATED | RULE | MIXED,
            ),
            "plain_rules": Sweep(
                ("length", "rule"), "optimizer_plain_rules", at=SAMPLED | {"optimizer": "sgd"}
            ),
            "adam_rules": Sweep(
                ("length", "rule"), "optimizer_adam_rules", at=SAMPLED | {"optimizer": "adam"}
            ),
            "prompt_optimizers": Sweep(("optimizer", "length"), "prompt_optimizers", at=PROMPTS | RULE),
            "prompt_plain_rules": Sweep(
                ("length", "rule"), "prompt_plain_rules", at=PROMPT_GROUPS | {"optimizer": "sgd"}
            ),
            "prompt_adam_rules": Sweep(
                ("length", "rule"), "prompt_adam_rules", at=PROMPT_GROUPS | {"optimizer": "adam"}
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        more_figures={"prompts": f"{__name__}.figure_prompts"},
        view={
            "variable": "half_kept_lengths",
            "across": "length",
            "by": "lines:optimizer",
        },
        theory="theory_optimizers.md",
        settings=("fit_from_length",),
        defaults={
            "optimizer": ["sgd", "momentum", "nesterov", "sign", "lion", "adam", "rmsprop"],
            "beta2": [0.999, 0.95],
            "rule": ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"],
            "momentum": [0, 0.3, 0.5, 0.8, 0.9, 0.95],
            "clip_norm": [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
            "iterations": 1000,
        },
    )
)
