"""Settings that several measurements or analyses share. The settings of a family are declared in the family."""

from ..settings import SETTINGS, Setting

_MOST_UPDATES = 10_000_000

SETTINGS.add("success_rate")(
    Setting(
        description="Success rate J at the start, for each family.",
        above=0,
        below=1,
        by="family",
    )
)
SETTINGS.add("iterations")(
    Setting(
        description="Number of updates K in a run.",
        kind="integer",
        minimum=10,
        maximum=_MOST_UPDATES,
        default=2000,
    )
)
SETTINGS.add("sampled_iterations")(
    Setting(
        description=(
            "Least number of updates K in a sampled run; it grows until K·n·(1−J₀) ≥ 200, as a run must see failures "
            "to be judged."
        ),
        kind="integer",
        minimum=10,
        maximum=_MOST_UPDATES,
        default=200,
    )
)
SETTINGS.add("replicates")(
    Setting(
        description="Independent sampled runs at each point, over which means and bootstrap intervals are taken.",
        kind="integer",
        minimum=2,
        maximum=1_000_000,
        default=32,
    )
)
SETTINGS.add("tolerance")(
    Setting(
        description="Converged is J_max − J ≤ tolerance · (J_max − J₀).",
        above=0,
        below=1,
        default=1e-4,
    )
)
SETTINGS.add("scan_per_decade")(
    Setting(
        description="Learning rates per decade in the scan for the critical one.",
        kind="integer",
        minimum=1,
        maximum=1000,
        default=32,
    )
)
SETTINGS.add("start_deviations")(
    Setting(
        description=(
            "Distance of the start from the centre of the window, in standard deviations √T/2 of the count."
        ),
        above=0,
        maximum=1000,
        default=2,
    )
)
SETTINGS.add("curve_group_size")(
    Setting(
        description="Group size of the runs whose learning curves are kept.",
        kind="integer",
        minimum=2,
        maximum=2**20,
        default=16,
    )
)
SETTINGS.add("fit_from_length")(
    Setting(
        description="Exponents in length are fitted from this length on, the asymptotic part of the grid.",
        kind="integer",
        minimum=2,
        maximum=2**20,
        default=64,
    )
)
SETTINGS.add("fit_from_success_rate")(
    Setting(
        description="Exponents in 1 − J are fitted from this success rate on; the exact law is in J(1−J).",
        above=0,
        below=1,
        default=0.9,
    )
)
SETTINGS.add("attack_evaluations")(
    Setting(
        description="Policies that a search for the worst one tries in each of its rounds.",
        kind="integer",
        minimum=1,
        maximum=1_000_000,
        default=1000,
    )
)
SETTINGS.add("headroom_length")(
    Setting(
        kind="integer",
        description="Response length T of the bandits on which the probe is calibrated, in tokens.",
        minimum=2,
        maximum=65536,
        default=64,
    )
)
SETTINGS.add("headroom_resamples")(
    Setting(
        kind="integer",
        description="Resamples of the bootstrap of the probe.",
        minimum=20,
        maximum=100000,
        default=200,
    )
)
SETTINGS.add("run_responses")(
    Setting(
        kind="integer",
        description="Responses of a batch in the headroom runs; for contextual a multiple of its prompts.",
        minimum=8,
        maximum=1048576,
        default=128,
    )
)
SETTINGS.add("run_iterations")(
    Setting(
        kind="integer",
        description="Updates of the runs of the headroom study.",
        minimum=10,
        maximum=100000,
        default=40,
    )
)
SETTINGS.add("run_window")(
    Setting(
        kind="integer",
        description="Updates of a run over which its headroom is pooled.",
        minimum=2,
        maximum=100000,
        default=20,
    )
)
SETTINGS.add("batch_rate_ratio")(
    Setting(
        description="Learning rate times steps a batch, over the critical learning rate of one step a batch.",
        above=0,
        maximum=1e6,
        default=4,
    )
)
