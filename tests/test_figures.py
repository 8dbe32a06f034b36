"""Figures: drawn from their numbers, the same each time, nothing clipped, readable without colour."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from conftest import ROOT
from gradgap import plugins
from gradgap.report import figure_data, figures, style
from gradgap.sweep.study import STUDIES
from matplotlib.text import Text

LOOK = {"column_width": 89, "page_width": 183, "font_size": 7, "dpi": 60}
SMOKE = list(yaml.safe_load((ROOT / "tests/smoke.yaml").read_text())["studies"])


FIGURES = [(name, module) for name in SMOKE for module in STUDIES.find(name).figures(name).values()]


def drawn(name, module, folder):
    """A figure of a study, drawn."""
    numbers, scaling = folder / f"analysis/{name}.csv", folder / f"analysis/{name}.scaling.csv"
    figure = plugins.module(module).draw(
        figure_data.read(numbers), pd.read_csv(scaling), style.Look.from_config(LOOK)
    )
    style.plain_powers(figure)
    figure.canvas.draw()
    return figure


FORMATS = ("svg", "pdf", "png")


def test_every_study_is_in_the_smoke_configuration():
    """A study with a configuration file of its own has a small one in tests/ too."""
    own = [name for name, study in STUDIES.discover().items() if study.config_file != "config.yaml"]
    for name in own:
        assert name in yaml.safe_load((ROOT / "tests" / STUDIES[name].config_file).read_text())["studies"]
    assert sorted(SMOKE + own) == sorted(STUDIES)


@pytest.mark.parametrize(("name", "module"), FIGURES)
def test_figure_is_drawn_the_same_twice_in_every_format(name, module, smoke, tmp_path):
    folder = smoke(name)
    made = []
    # what a figure is made of shows in the SVG; how it is written in the other formats is the same for all figures
    for again, suffixes in (("one", FORMATS), ("two", FORMATS if name == SMOKE[0] else ("svg",))):
        paths = {suffix: tmp_path / f"{again}.{suffix}" for suffix in suffixes}
        numbers, scaling = folder / f"analysis/{name}.csv", folder / f"analysis/{name}.scaling.csv"
        figures.draw(module, numbers, scaling, LOOK, paths)
        made.append({suffix: path.read_bytes() for suffix, path in paths.items()})
    assert made[0] | made[1] == made[0]
    assert b"/Type3" not in made[0]["pdf"]  # fonts are embedded whole, as journals ask
    assert b"<text" in made[0]["svg"]  # and text stays text


def test_a_font_is_embedded_once_for_all_its_characters(tmp_path):
    """Also where some characters are far from the others, such as Greek letters and raised digits."""
    with style.Look.from_config(LOOK).applied():
        figure, panel = plt.subplots()
        panel.set_xlabel("step size α, θ − θ₀, 10⁻⁷")
        style.save(figure, {"pdf": tmp_path / "one.pdf"})
    assert (tmp_path / "one.pdf").read_bytes().count(b"/Type0") == 1


@pytest.mark.parametrize(("name", "module"), FIGURES)
def test_axes_have_labels_and_panels_letters_and_text_is_whole(name, module, smoke):
    with style.Look.from_config(LOOK).applied():
        figure = drawn(name, module, smoke(name))
        assert figure.get_size_inches()[0] <= LOOK["page_width"] / 25.4 + 1e-9
        renderer = figure.canvas.get_renderer()
        shown = [panel for panel in figure.axes if panel.get_visible()]
        letters = {text.get_text() for panel in shown for text in panel.texts}
        data = [panel for panel in shown if panel.get_label() != "<colorbar>"]
        if len(data) > 1:
            assert {"a", "b"} <= letters
        labelled(figure)
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text().strip():
                assert text.get_fontsize() >= 5.5, text.get_text()
                # a formula in mathtext has raised and lowered digits at 0.7 of the size of its text
                assert "$" not in text.get_text() or _is_hidden_tick(text, figure, renderer), text.get_text()
                box = text.get_window_extent(renderer)
                inside = (
                    box.x0 >= -2
                    and box.y0 >= -2
                    and box.x1 <= figure.bbox.x1 + 2
                    and box.y1 <= figure.bbox.y1 + 2
                )
                assert inside or _is_hidden_tick(text, figure, renderer), text.get_text()
        plt.close(figure)


def labelled(figure):
    """Every panel has a label on each axis: its own, one that it shares with its row or column, or the figure's."""
    parts = [figure, *figure.subfigs] if hasattr(figure, "subfigs") else [figure]
    for part in parts:
        own = [
            panel for panel in part.get_axes() if panel.get_visible() and panel.get_label() != "<colorbar>"
        ]
        for panel in own:
            shared = getattr(part, "_supxlabel", None) is not None
            below = [p for p in own if _overlap(p, panel, "x")]
            assert shared or any(p.get_xlabel() for p in below), f"x axis of panel at {panel.get_position()}"
            shared = getattr(part, "_supylabel", None) is not None
            left = [p for p in own if _overlap(p, panel, "y")]
            assert shared or any(p.get_ylabel() for p in left), f"y axis of panel at {panel.get_position()}"


def _overlap(one, other, axis):
    """Whether two panels stand in one column (axis x) or one row (axis y)."""
    low, high = ("x0", "x1") if axis == "x" else ("y0", "y1")
    a, b = one.get_position(), other.get_position()
    return min(getattr(a, high), getattr(b, high)) - max(getattr(a, low), getattr(b, low)) > 1e-6


def _is_hidden_tick(text, figure, renderer):
    """Whether a text is the label of a tick outside its axis, which matplotlib keeps but does not draw."""
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if text in (tick.label1, tick.label2):
                    return not low <= tick.get_loc() <= high
    return False


@pytest.mark.parametrize("name", SMOKE)
def test_captions_hold_no_blanks(name, smoke):
    text = (smoke(name) / f"analysis/{name}.rst").read_text(encoding="utf-8")
    assert text.startswith("**")
    for word in ("nan", "None", "{{", "{%"):
        assert word not in text.split()


def test_bare_minor_ticks_look_as_matplotlib_draws_them(tmp_path, monkeypatch):
    look, lines = style.Look.from_config(LOOK), []
    for name in ("light", "usual"):
        with look.applied():
            figure, panels = plt.subplots(1, 4, figsize=(look.page_width, 1.5), sharey=True)
            for k, panel in enumerate(panels):  # the ticks of the first have labels
                panel.loglog([1, 10.0 ** (k + 0.5)], [0.2, 3e3])
            panels[1].tick_params(top=True, color="red")
            panels[2].tick_params(which="minor", top=True, length=6)
            panels[3].grid(which="both")
            style.save(figure, {"png": tmp_path / f"{name}.png"})
        lines.append(sum(len(panel.lines) for panel in panels))
        monkeypatch.setattr(style, "lighter_ticks", lambda figure: None)
    assert (tmp_path / "light.png").read_bytes() == (tmp_path / "usual.png").read_bytes()
    assert lines[0] > lines[1]


def in_grey(colours):
    """Lightness of colours as a black-and-white printer has it, between 0 and 1."""
    return np.array([np.dot(colour[:3], [0.299, 0.587, 0.114]) for colour in colours])


@pytest.mark.parametrize("count", range(2, 7))
def test_an_ordered_scale_runs_from_dark_to_light_and_none_is_lost_on_white(count):
    grey = in_grey(style.shades(count))
    assert min(np.diff(grey)) > 0.05
    assert max(grey) < 0.85


@pytest.mark.parametrize("count", range(1, 8))
def test_series_are_seen_on_white_and_no_two_share_a_colour(count):
    """Series are told apart in grey by their markers; their colours must still be dark enough to be seen."""
    colours = style.palette(count)
    assert len(set(map(tuple, colours))) == count
    assert max(in_grey(colours)) < 0.85
    assert len(set(style.MARKERS)) == len(style.MARKERS) >= count


def length_points(aggregations):
    """Numbers of a figure of lengths: α* = 100/T, one family, one advantage."""
    lengths = np.array([16.0, 64.0, 256.0])
    exact = pd.DataFrame(
        [
            {
                "family": "counting",
                "axis": "length",
                "label": "GRPO",
                "advantage": "grpo",
                "aggregation": name,
                "response_length": length,
            }
            | dict.fromkeys(("critical_learning_rate", "critical_learning_rate_closed_form"), 100 / length)
            for name in aggregations
            for length in lengths
        ]
    )
    sampled = pd.DataFrame(
        {
            "length": lengths,
            "rule": "GRPO",
            "group_size": 16,
            "axis": "length",
            "label": "GRPO",
            "advantage": "grpo",
            "aggregation": "token-mean",
        }
        | dict.fromkeys(
            (
                "half_kept_learning_rate",
                "half_kept_learning_rate_low",
                "half_kept_learning_rate_high",
                "half_kept_learning_rate_exact",
            ),
            1 / lengths,
        )
    )
    return {"thresholds": exact, "sampled": sampled}


def notes(figure):
    """What is written into each panel beside its letter."""
    return [
        [text.get_text() for text in panel.texts if "predicted" in text.get_text()] for panel in figure.axes
    ]


@pytest.mark.parametrize("judged", [[], ["a"], ["b"], ["b", "c"]])
def test_a_panel_of_lengths_shows_its_own_prediction_and_no_other(judged):
    """Where a panel has no fitted exponent it says nothing, whatever the panel before it said."""
    scaling = pd.DataFrame(
        {
            "family": "counting",
            "axis": "length",
            "label": "GRPO",
            "advantage": "grpo",
            "aggregation": name,
            "predicted": value,
            "measured": value,
        }
        for name, value in zip("abc", (-1.0, 0.0, -0.5), strict=True)
        if name in judged
    )
    look = style.Look.from_config(LOOK)
    with look.applied():
        figure = plugins.module(STUDIES.find("length_scaling").draw).draw(length_points("abc"), scaling, look)
        said = {"a": ["a\npredicted −1"], "b": ["b\npredicted 0"], "c": ["c\npredicted −0.5"]}
        assert notes(figure)[:3] == [said[name] if name in judged else [] for name in "abc"]
        plt.close(figure)


def test_numbers_are_signed_with_a_true_minus():
    assert [style.signed(x, 2) for x in (-0.514, 0.0004, -0.0004, 1)] == ["−0.51", "0.00", "0.00", "+1.00"]


def test_panels_come_back_to_the_bit(tmp_path):
    one = pd.DataFrame({"x": [1 / 3, np.nan], "name": ["a", "b"], "unknown": [np.nan, np.nan]})
    two = pd.DataFrame({"y": [1e-300, 2.0], "flag": [True, False]})
    figure_data.write({"one": one, "two": two}, tmp_path / "numbers.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = figure_data.read(tmp_path / "numbers.csv")
    pd.testing.assert_frame_equal(found["one"], one, check_dtype=False)
    assert list(found["two"].y) == [1e-300, 2.0]
    assert [bool(flag) for flag in found["two"].flag] == [True, False]


def test_outcomes_are_counted_the_same_in_parts_of_any_size(smoke, monkeypatch):
    """What an analysis reads a part at a time, against all of it in one table."""
    from gradgap.studies.learning_curves import analysis as curves
    from gradgap.studies.phase_diagram import analysis as phases
    from gradgap.sweep.parts import parts
    from gradgap.training.outcome import Outcome

    for module in (curves, phases):
        monkeypatch.setattr(module, "parts", lambda dataset: parts(dataset, 7))
    with xr.open_dataset(smoke("phase_diagram") / "datasets/phase_diagram.nc") as opened:
        every, above, below = phases.counts(opened)
        runs = opened[["outcome", "critical_learning_rate"]].to_dataframe().reset_index()
    names = runs.outcome.map(lambda code: Outcome(code).name)
    assert {name: n for name, n in every.items() if n} == names.value_counts().to_dict()
    for found, here in (
        (above, runs.learning_rate > runs.critical_learning_rate),
        (below, runs.learning_rate < runs.critical_learning_rate),
    ):
        assert {name: n for name, n in found.items() if n} == names[here].value_counts().to_dict()
    with xr.open_dataset(smoke("learning_curves") / "datasets/learning_curves.nc") as opened:
        ended = curves.ends(opened)
        runs = opened[["outcome"]].to_dataframe().reset_index()
    names = runs.outcome.map(lambda code: Outcome(code).name)
    assert ended.stack().to_dict() == {
        (ratio, outcome.name): int(((runs.learning_rate_ratio == ratio) & (names == outcome.name)).sum())
        for ratio in ended.index
        for outcome in Outcome
    }


def test_stagnation_shows_three_of_many_lengths_at_one_success_rate(smoke):
    from gradgap.studies.stagnation import figure

    folder = smoke("stagnation")
    panels = figure_data.read(folder / "analysis/stagnation.csv")
    lengths, rates = (32, 64, 128, 256, 512, 1024), (0.9, 0.8, 0.7)
    many = {
        name: pd.concat(
            [table.assign(length=length, failure_rate=rate) for length in lengths for rate in rates],
            ignore_index=True,
        )
        for name, table in panels.items()
    }
    with style.Look.from_config(LOOK).applied():
        found = figure.draw(many, None, style.Look.from_config(LOOK))
        found.canvas.draw()
    titles = " ".join(text.get_text() for panel in found.axes for text in panel.texts)
    assert [f"T = {length} tokens, after" in titles for length in lengths] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    starts = {
        float(line.get_ydata()[0])
        for panel in found.axes[:3]
        for line in panel.lines
        if line.get_color() == "0.6"
    }
    assert starts == {0.8}


def test_heat_maps_show_one_family_with_the_other_axis_in_its_middle(smoke, monkeypatch):
    from gradgap.studies.phase_diagram import analysis

    with xr.open_dataset(smoke("phase_diagram") / "datasets/phase_diagram.nc") as opened:
        by_length, by_failure_rate = (analysis.cells(opened, x) for x in ("length", "success_rate"))
        assert sorted(by_length.length.unique()) == [16, 64, 128]
        assert by_length.failure_rate.unique() == pytest.approx([0.1])
        assert sorted(by_failure_rate.failure_rate.unique()) == pytest.approx([0.05, 0.1, 0.2])
        assert by_failure_rate.length.unique() == [64]
        monkeypatch.setattr(analysis, "MOST_VALUES", 2)
        few = analysis.cells(opened, "length")
    assert sorted(few.length.unique()) == [16, 128]  # every second value
    merged = few.merge(by_length)
    assert len(merged) == len(few) < len(by_length)
