"""The look that every figure shares: nothing is cut off, and no global is left changed."""

from io import BytesIO
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mmm_demo.plots import chains, checks, results
from mmm_demo.plots import style as look
from plot_data import CASES, title
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here


def pixels(fig: Figure) -> bytes:
    fig.canvas.draw()
    return bytes(fig.canvas.buffer_rgba())


def test_every_plot_is_covered() -> None:
    public = {
        name
        for module in (chains, checks, results)
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert public == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_figure_saves_and_says_what_it_shows(name: str) -> None:
    fig = CASES[name]()
    assert isinstance(fig, Figure)
    assert title(fig)
    file = BytesIO()
    fig.savefig(file, format="png", dpi=50)
    assert file.getvalue().startswith(b"\x89PNG")
    if name not in ("trace", "rank", "forest"):
        assert all(ax.get_xlabel() or ax.get_ylabel() for ax in fig.axes)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("trace", "rank")])
def test_no_text_leaves_the_figure(name: str) -> None:
    fig = CASES[name]()
    fig.canvas.draw()
    width, height = fig.canvas.get_width_height()
    written = [text for ax in fig.axes for text in (*ax.texts, *ax.get_yticklabels())]
    for text in [*written, *fig.texts, *(t for box in fig.legends for t in box.get_texts())]:
        box = text.get_window_extent()
        assert box.x0 > -2 and box.x1 < width + 2, text
        assert box.y0 > -2 and box.y1 < height + 2, text


def test_title_leaves_room_for_the_axes() -> None:
    fig = CASES["roas"]()
    fig.canvas.draw()
    top = fig.axes[0].get_tightbbox().y1
    (head,) = [text for text in fig.texts if text.get_text() == fig.get_suptitle()]
    assert head.get_window_extent().y0 >= top - 1


@pytest.mark.parametrize("name", ["roas", "residuals", "trace", "contributions_over_time"])
def test_look_does_not_depend_on_the_style_when_drawn(name: str) -> None:
    plain = pixels(CASES[name]())
    hostile = {"xtick.color": "red", "grid.color": "red", "text.color": "red", "font.size": 30}
    fig = CASES[name]()
    with mpl.rc_context(hostile):
        assert pixels(fig) == plain


@pytest.mark.parametrize("count", [1, 2, 9])
def test_any_number_of_channels_fits(count: int) -> None:
    names = [f"Online marketing {i}" for i in range(count)]
    value = np.linspace(1, 2, count)
    limits = {"lower_50": value, "upper_50": value, "lower_94": value, "upper_94": value}
    table = pd.DataFrame({"channel": names, "mean": value, "median": value, **limits})
    fig = results.roas(table)
    fig.canvas.draw()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0


def test_nine_channels_and_a_base_get_different_colours() -> None:
    names = ["Baseline", "seasonality", "controls", *(f"channel {i}" for i in range(9))]
    assert len(set(look.part_colors(names))) == 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_200_000, "1.2M"),
        (350_000, "350k"),
        (999_999, "1M"),
        (-4_000, "-4k"),
        (0.25, "0.25"),
        (0.0, "0"),
        (-0.0, "0"),
        (2.5e9, "2.5B"),
        (float("nan"), "n/a"),
        (float("inf"), "n/a"),
    ],
)
def test_human_numbers(value: float, text: str) -> None:
    assert look.human(value) == text


def test_ticks_close_together_stay_different() -> None:
    labels = look.HumanTicks().format_ticks([1_000_000, 1_000_200, 1_000_400])
    assert labels == ["1M", "1.0002M", "1.0004M"]
