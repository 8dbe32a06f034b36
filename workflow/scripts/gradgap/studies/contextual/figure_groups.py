"""What moves the threshold of interfering prompts: group size, response length, and a learning rate that decays."""

import matplotlib.pyplot as plt
import numpy as np

from ...report import style
from .figure import DASHES, STEP, _line, finish, parts

SCHEDULES = {"constant": "fixed step", "inverse-sqrt": "step ∝ 1/√(k+1)", "failure-rate": "step ∝ 1 − J"}


def _series(panel, table, value, axis, symbol, exact=None):
    """One line a value of an axis, light to dark, and the exact dynamics."""
    values = sorted(table[axis].unique())
    shades = plt.get_cmap("viridis")(np.linspace(0.85, 0.1, len(values)))
    for shade, mark, own in zip(shades, style.MARKERS, values, strict=False):
        _line(panel, table[table[axis] == own], value, shade, marker=mark, label=f"{symbol} = {own:g}")
    if exact is not None:
        panel.plot(exact[STEP], exact[value], **style.CLOSED_FORM | {"zorder": 4}, label="exact")


def draw(panels, scaling, look):
    """One rule. Above: group sizes, success and prompts lost; below: lengths, and schedules."""
    of = parts(panels)
    one, length, size = of["one"], of["length"], of["size"]
    figure, axes = plt.subplots(2, 2, figsize=(look.page_width, look.page_width * 0.66))
    (by_size, lost_by_size), (by_length, by_schedule) = axes
    own = of["sampled"][of["sampled"].rule == one]
    fixed = own[own.schedule == of["schedules"][0]]
    whole = of["exact"]
    whole = whole[(whole.schedule == of["schedules"][0]) & (whole.rule == one) & (whole.length == length)]
    whole = whole.sort_values(STEP)
    for panel, value in ((by_size, "success"), (lost_by_size, "lost")):
        _series(panel, fixed[fixed.length == length], value, "group_size", "n", whole)
        panel.set_title(f"{one}, T = {length:g}")
        finish(panel, of["start"], value)
    _series(by_length, fixed[fixed.group_size == size], "success", "length", "T")
    by_length.set_title(f"{one}, n = {size:g}")
    finish(by_length, of["start"], "success")
    own = own[(own.length == length) & (own.group_size == size)]
    shades = style.palette(len(of["schedules"]))
    for dash, mark, shade, schedule in zip(DASHES, style.MARKERS, shades, of["schedules"], strict=False):
        line, label = own[own.schedule == schedule], SCHEDULES.get(schedule, schedule)
        _line(by_schedule, line, "success", shade, linestyle=dash, marker=mark, label=label)
    by_schedule.set_title(f"{one}, T = {length:g}, n = {size:g}")
    finish(by_schedule, of["start"], "success")
    for panel, mark in zip(axes.flat, "abcd", strict=True):
        style.letter(panel, mark)
    by_size.legend(loc="upper right", handlelength=1.6)
    by_length.legend(loc="upper right", handlelength=1.6)
    by_schedule.legend(loc="upper right", handlelength=2.4)
    return figure
