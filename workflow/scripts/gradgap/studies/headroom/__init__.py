"""The instrument against exact answers: how well does the probe tell how much larger a step could be?"""

from ...sweep.study import STUDIES, Study, Sweep

STUDIES.add("headroom")(
    Study(
        title="How well does the probe tell, from rollouts alone, how much larger a step could be?",
        predictions="P2",
        sweeps={
            "estimates": Sweep(("family", "start_spread", "responses", "replicate"), "headroom_estimates"),
            "climbs": Sweep(("family", "climb_spread", "replicate"), "headroom_climbs"),
            "runs": Sweep(
                ("family", "optimizer", "control", "learning_rate_ratio", "replicate"), "headroom_runs"
            ),
            "schedules": Sweep(
                ("family", "optimizer", "schedule", "learning_rate_ratio", "replicate"), "headroom_schedules"
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "headroom_over_truth",
            "across": "responses",
            "by": "lines:family",
            "scale": "linear",
        },
        theory="probe.md",
        defaults={
            "family": ["counting", "gated", "contextual"],
            "optimizer": ["sgd", "adam"],
            "control": ["fixed", "controller"],
            "schedule": ["constant", "headroom-2"],
        },
    )
)
