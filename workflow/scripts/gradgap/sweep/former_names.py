"""Former names of axes, settings and variables, for messages about old keys and for comparing old results."""

#: Axes and settings of the configuration, and the names that they have now.
KEYS = {
    "step_size": "learning_rate",
    "step_ratio": "learning_rate_ratio",
    "effective_step_size": "effective_learning_rate",
    "curve_step_size": "curve_learning_rate",
}

#: Variables of datasets, and the names that they have now.
VARIABLES = {
    "critical": "critical_learning_rate",
    "critical_low": "critical_learning_rate_low",
    "critical_high": "critical_learning_rate_high",
    "critical_closed_form": "critical_learning_rate_closed_form",
    "sampled_critical": "half_kept_learning_rate",
    "sampled_critical_low": "half_kept_learning_rate_low",
    "sampled_critical_high": "half_kept_learning_rate_high",
    "sampled_critical_predicted": "half_kept_learning_rate_predicted",
    "halfway": "half_kept_learning_rate_exact",
    "crossing_predicted": "crossover_predicted",
    "one_step": "one_step_critical_step",
    "one_step_closed_form": "one_step_critical_step_closed_form",
    "window_one_step": "window_one_step_critical_step",
    "policy_critical": "policy_critical_step",
}
