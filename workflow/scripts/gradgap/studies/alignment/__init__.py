"""P1: does the cumulative gap alignment govern progress, and is there none where it is not positive?"""

from ...sweep.study import STUDIES, Study, Sweep

RUN = ("length", "success_rate", "angle", "bound", "bound_fraction", "replicate")

STUDIES.add("alignment")(
    Study(
        title="Is progress governed by the cumulative gap alignment, and is there none against the gap?",
        predictions="P1",
        sweeps={"runs": Sweep(RUN, "alignment", at={"family": "contextual"})},
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
        view={
            "variable": "gained",
            "across": "angle",
            "by": "lines:bound_fraction",
            "scale": "linear",
        },
        defaults={"bound": ["paper", "prop1"], "iterations": 500},
    )
)
