"""P8: can too large a step make the success rate fall at every iteration, down to zero?"""

from ...measurements.collapse import DYNAMICS
from ...sweep.study import STUDIES, Study, Sweep

STUDIES.add("collapse")(
    Study(
        title="Can too large a step make the success rate fall at every iteration, down to zero?",
        predictions="P8",
        sweeps={
            "thresholds": Sweep(("length", "success_rate"), "collapse_thresholds"),
            "curves": Sweep(
                ("length", "success_rate", "dynamics", "iteration"),
                "collapse_curves",
                fixed={"dynamics": DYNAMICS},
            ),
        },
        analysis=f"{__name__}.analysis",
        draw=f"{__name__}.figure",
    )
)
