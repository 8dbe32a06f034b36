"""P2 in a real trainer: the edge of TRL's GRPOTrainer, its forecast by the probe, and the probe's controller."""

from ...sweep.study import STUDIES, Study, Sweep

STUDIES.add("trainer")(
    Study(
        title="Where does a real trainer break down, and does the probe say so beforehand?",
        predictions="P2",
        sweeps={
            "edges": Sweep(("length", "optimizer", "replicate"), "trainer_edges"),
            "loss_types": Sweep(("loss_type", "optimizer", "replicate"), "trainer_loss_types"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        theory="trainers.md",
        config_file="trl.yaml",
        settings=("loss_length",),
        defaults={"optimizer": ["sgd", "adam"], "loss_type": ["grpo", "dr_grpo", "dapo"]},
    )
)
