"""From the dataset to the numbers that the figure shows."""

from gradgap.inference.power_laws import table
from gradgap.sweep.study import Analysis


def analyse(dataset, settings):
    """Failure rates along the way, and the least of them."""
    points = dataset[["failure_rate_between"]].to_dataframe().reset_index()
    return Analysis({"points": points}, table([]), {"least": float(points.failure_rate_between.min())})
