"""Every bound on the step held against exact critical steps: is it ever wrong, and how loose is it?"""

from ...sweep.study import STUDIES, Study, Sweep

POLICY = ("policy_length", "vocabulary", "dimension", "draw")
#: Every bound, in the order of `theory.bounds.Bounds`.
BOUNDS = ("paper", "prop1", "prop2", "prop3", "prop4", "prop5")

STUDIES.add("bound_audit")(
    Study(
        title="Is any bound on the step ever wrong, and how loose is each?",
        predictions="P1, P2, P3, P4, P7",
        sweeps={
            "policies": Sweep((*POLICY, "bound"), "bound_audit", fixed={"bound": BOUNDS}),
            "attack": Sweep(("bound", "search"), "bound_attack", fixed={"bound": BOUNDS}),
            "instances": Sweep(("family", "length", "success_rate"), "starts"),
            "windows": Sweep(("length", "window"), "windows"),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "policy_ratio",
            "across": "policy_length",
            "by": "lines:bound",
            "draw": "least",
        },
        defaults={"family": ["gated"]},
    )
)
