"""Failure rate against the part of the way, a line a length."""

import matplotlib.pyplot as plt


def draw(panels, scaling, look):
    figure, panel = plt.subplots(figsize=(look.column_width, look.column_width * 0.8))
    for length, line in panels["points"].groupby("length"):
        panel.semilogy(line.part, line.failure_rate_between, "o-", label=f"T = {length:g}")
    panel.set_xlabel("part of the way from the best θ to the start")
    panel.set_ylabel("failure rate 1 − J")
    panel.legend()
    return figure
