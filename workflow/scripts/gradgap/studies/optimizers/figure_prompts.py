"""Where prompts share parameters: optimizers in exact dynamics, and rules under plain ascent and Adam."""

import matplotlib.pyplot as plt
import pandas as pd

from .figure import optimizers, rules

POINT = ["optimizer", "length", "rate"]
#: Columns drawn, so that a panel without rows has them too.
PANELS = {
    "prompts": POINT,
    "prompt_rules": [*POINT, "rule", "rate_low", "rate_high"],
    "prompt_spread": POINT,
}


def draw(panels, scaling, look):
    """Against the length: each optimizer, and every rule under plain ascent and under Adam, on one scale."""
    tables = {
        name: panels.get(name, pd.DataFrame()).reindex(columns=columns) for name, columns in PANELS.items()
    }
    figure = plt.figure(figsize=(look.page_width, look.page_width * 0.3))
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.6])
    exact = left.subplots()
    optimizers(exact, tables["prompts"], "contextual", "length", scaling, "a")
    exact.set_ylabel("half-kept learning rate α½")
    pair = right.subplots(1, 2, sharex=True, sharey=True)
    rules(pair, tables["prompt_rules"], tables["prompt_spread"], "bc", (0.05, 0.95))
    return figure
