"""How large the learning rate and the clip of importance ratios may be where a batch serves for several steps."""

from ...sweep.study import STUDIES, Study, Sweep

RULE = {"advantage": "dr_grpo", "aggregation": "seq-mean-token-sum"}
COUNTING = {"family": "counting", "success_rate": "0.2"} | RULE
#: Of the sweeps over steps a batch, and of those over lengths.
LENGTH, STEPS = {"length": "64"}, {"steps_per_batch": "16"}
GROUPS = {"group_size": "64"}
#: Rare failures, less than one a group, so that under Adam noise is all that limits the learning rate.
RARE = {"family": "gated", "length": "64", "success_rate": "0.99"} | RULE
#: Longer than those that the usual clip protects.
LONG = {"length": "1024"}
#: As DAPO clips.
USUAL = {"clip_range": "0.2", "clip_range_high": "0.28"}

STUDIES.add("trust_region")(
    Study(
        title="What changes where a batch serves for several steps, and what does a clip of ratios protect from?",
        predictions="O10",
        sweeps={
            "steps": Sweep(("ratio", "steps_per_batch"), "optimizer_steps", at=COUNTING | LENGTH),
            "clipped_steps": Sweep(
                ("steps_per_batch",),
                "optimizer_clipped_steps",
                at=COUNTING | {"ratio": "token"} | LONG | USUAL,
            ),
            "sampled_steps": Sweep(
                ("ratio", "steps_per_batch"),
                "optimizer_sampled_steps",
                at=COUNTING | LENGTH | GROUPS,
            ),
            "step_lengths": Sweep(
                ("ratio", "length"), "optimizer_step_lengths", at=COUNTING | STEPS | GROUPS
            ),
            "minibatches": Sweep(
                ("optimizer", "minibatches"),
                "optimizer_minibatches",
                fixed={"optimizer": ("sgd", "adam")},
                at=RARE | GROUPS,
            ),
            "clips": Sweep(("ratio", "length"), "clip_ranges_batches", at=COUNTING | STEPS),
            "small_steps": Sweep(
                ("length", "pull_back"), "clip_ranges_small_steps", at=COUNTING | {"ratio": "token"}
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        theory="theory_optimizers.md",
        settings=("fit_from_length",),
        defaults={
            "ratio": ["token", "gspo", "sequence"],
            "steps_per_batch": [1, 2, 4, 8, 16, 32, 64],
            "minibatches": [1, 2, 4, 8, 16],
            "pull_back": [0.25, 0.5, 1, 2, 4, 8],
            "iterations": 120,
        },
    )
)
