"""P2–P5 where the policy is a small network: half-kept learning rates under SGD and Adam, and their forecast."""

from ...sweep.study import STUDIES, Study, Sweep

STUDIES.add("networks")(
    Study(
        title="Do the laws of the critical learning rate hold where the policy is a small network?",
        predictions="P2, P3, P4, P5",
        sweeps={
            "thresholds": Sweep(
                ("task", "network", "length", "optimizer", "learning_rate_ratio"), "network_thresholds"
            ),
            "failure_rates": Sweep(
                ("success_rate", "optimizer"),
                "network_failure_rates",
                at={"task": "gated", "network": "recurrent"},
            ),
            "rules": Sweep(("task", "optimizer", "rule"), "network_rules", at={"network": "recurrent"}),
            "transformers": Sweep(
                ("task", "optimizer"), "network_transformers", at={"network": "transformer"}
            ),
            "forecasts": Sweep(
                ("task", "optimizer", "replicate", "iteration"),
                "network_forecasts",
                at={"network": "recurrent"},
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "half_kept_learning_rate",
            "across": "length",
            "by": "lines:optimizer",
        },
        theory="networks.md",
        more_figures={"forecasts": f"{__name__}.figure_forecasts"},
        config_file="networks.yaml",
        settings=("rule_length", "length_rule"),
        defaults={
            "iterations": 60,
            "replicates": 4,
            "rule": ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO"],
            "optimizer": ["sgd", "adam"],
            "network": ["recurrent"],
        },
    )
)
