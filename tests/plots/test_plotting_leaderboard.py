"""Figures of a ranking: every model, in the order of its medians, over the settings it has."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mmm_demo.evidence.spread import levels
from mmm_demo.plots.leaderboard import plan_shares, specification_curve
from mmm_demo.plots.style import MODEL, PALE, SPEND

CHANNELS = ("TV", "Search")


def data(count: int, channels: tuple[str, ...] = CHANNELS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ROAS and levels of this many models."""
    rng = np.random.default_rng(count)
    runs = [f"run{number}" for number in range(count)]
    roas = pd.DataFrame(
        [(run, channel, rng.uniform(1, 3)) for run in runs for channel in channels],
        columns=["run_id", "channel", "median"],
    )
    roas = roas.assign(lower_94=roas["median"] - 0.5, upper_94=roas["median"] + 0.7)
    lags = levels(pd.Series([("4", "8", "12")[number % 3] for number in range(count)], runs))
    kinds = levels(
        pd.Series([("logistic", "s_shaped")[number % 2] for number in range(count)], runs)
    )
    return roas, pd.DataFrame({"lag": lags, "saturation": kinds})


def panels(figure: Figure) -> tuple[list, list]:
    """Return the axes with the intervals and those with the dots."""
    drawn = [ax for ax in figure.axes if ax.axison]
    return [ax for ax in drawn if ax.get_title(loc="left")], [
        ax for ax in drawn if not ax.get_title(loc="left")
    ]


def points(ax) -> list[tuple[float, float, str]]:
    """Return the dots of an axes from left to right: place, value, colour."""
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    return sorted((line.get_xdata()[0], line.get_ydata()[0], line.get_color()) for line in dots)


def test_medians_stand_in_order_in_every_channel() -> None:
    roas, settings = data(12)
    upper, _ = panels(specification_curve(roas, settings, ["run0", "run5"], "run0", 50))
    assert [ax.get_title(loc="left") for ax in upper] == list(CHANNELS)
    for ax, channel in zip(upper, CHANNELS, strict=True):
        medians = [value for _, value, _ in points(ax)]
        assert medians == sorted(roas.loc[roas["channel"] == channel, "median"])


def test_best_and_equally_good_models_are_marked() -> None:
    roas, settings = data(6)
    upper, lower = panels(specification_curve(roas, settings, ["run0", "run5"], "run0", 50))
    for ax in upper:
        colors = [color for *_, color in points(ax)]
        assert sorted(colors) == sorted([SPEND, MODEL, PALE, PALE, PALE, PALE])
    for above, below in zip(upper, lower, strict=True):
        by_place = {place: color for place, _, color in points(above)}
        assert all(by_place[place] == color for place, _, color in points(below))


def test_each_dot_stands_in_the_row_of_the_models_setting() -> None:
    roas, settings = data(9)
    _, lower = panels(specification_curve(roas, settings, ["run0"], "run0", 50))
    rows = [("lag", "4"), ("lag", "8"), ("lag", "12"), ("saturation", "logistic")]
    rows.append(("saturation", "s_shaped"))
    assert [item.get_text() for item in lower[0].texts] == [
        "lag  4", "8", "12", "saturation  logistic", "s_shaped",
    ]  # fmt: skip
    ordered = roas[roas["channel"] == "TV"].sort_values("median")["run_id"].tolist()
    found = {(ordered[int(place)], rows[int(row)]) for place, row, _ in points(lower[0])}
    wanted = {(run, (name, settings.loc[run, name])) for run in ordered for name in settings}
    assert found == wanted


@pytest.mark.parametrize(("count", "channels"), [(2, 1), (5, 4), (40, 4), (20, 7)])
def test_panels_are_equally_wide_and_labels_inside_the_figure(count: int, channels: int) -> None:
    names = tuple(f"Channel {number}" for number in range(channels))
    figure = specification_curve(*data(count, names), ["run0"], "run0", 50)
    figure.canvas.draw()
    upper, lower = panels(figure)
    assert len(upper) == len(lower) == channels
    # A column is as wide as the axis labels beside it leave.
    widths = [ax.get_position().width for ax in upper]
    assert max(widths) < 1.25 * min(widths)
    for text in lower[0].texts:
        assert text.get_window_extent().x0 >= 0


def test_models_without_different_settings_have_a_curve_too() -> None:
    roas, settings = data(4)
    figure = specification_curve(roas, settings[[]], ["run0"], "run0", 50)
    figure.canvas.draw()
    upper, lower = panels(figure)
    assert len(points(upper[0])) == 4
    assert points(lower[0]) == []


def test_channel_that_a_model_lacks_leaves_no_gap() -> None:
    roas, settings = data(5)
    roas = roas[~((roas["run_id"] == "run0") & (roas["channel"] == "TV"))]
    upper, _ = panels(specification_curve(roas, settings, ["run0"], "run0", 50))
    (tv,) = [ax for ax in upper if ax.get_title(loc="left") == "TV"]
    assert [place for place, *_ in points(tv)] == [0, 1, 2, 3]
    assert SPEND not in {color for *_, color in points(tv)}


def test_title_says_how_many_models_are_shown() -> None:
    roas, settings = data(6)
    for ranked, said in ((6, "of 6 models, 2 of them"), (83, "of 6 of 83 models, 2 of them")):
        figure = specification_curve(roas, settings, ["run0", "run5", "run77"], "run0", ranked)
        assert said in figure.get_suptitle()


def test_shares_of_each_model_fill_the_budget() -> None:
    plans = pd.DataFrame(
        {
            "run_id": ["best", "best", "worse", "worse"],
            "channel": ["TV", "Search"] * 2,
            "planned": [30.0, 10.0, 5.0, 15.0],
        }
    )
    (ax,) = plan_shares(plans, ["best"], 2).axes
    tv, search = ax.containers
    assert [bar.get_height() for bar in tv] == [0.75, 0.25]
    assert [bar.get_height() for bar in search] == [0.25, 0.75]
    assert [bar.get_y() + bar.get_height() for bar in search] == [1.0, 1.0]
    assert [bar.get_alpha() for bar in tv] == [1.0, 0.35]  # the best first, though named last
