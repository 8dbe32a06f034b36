"""Heat maps of the gain over failure rate × learning rate, a panel a rule."""

from .figure import heat_maps


def draw(panels, scaling, look):
    """As the figure over lengths, with the failure rate at the start in place of the length."""
    return heat_maps(panels, look, "failure_rate")
