"""Plots of evidence: every interval is drawn, misses and refits that do not count are marked."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from mmm_demo.evidence.placebo import placebo_row
from mmm_demo.plots import evidence as plot
from plot_data import (
    CHANNELS,
    legend_texts,
    line,
    make_forecast,
    make_recovery,
    make_sensitivity,
    rows,
    subtitle,
    texts,
    title,
)
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here

RING = "Miss"


def make_roas() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": CHANNELS,
            "median": [2.0, 3.0, 1.0],
            "lower_94": [1.8, 1.0, 0.5],
            "upper_94": [2.2, 6.0, 1.5],
        }
    )


LABELS = {"TV": "data-driven", "Radio": "prior-driven"}


def make_placebo() -> pd.DataFrame:
    share = np.linspace(0, 0.01, 101)
    shares = (share, share + 0.05, share)
    found = [
        placebo_row(name, 20 * (place + 1), shares[place], place != 2)
        for place, name in enumerate(CHANNELS)
    ]
    return pd.DataFrame(found)


CASES: dict[str, Callable[[], Figure]] = {
    "backtest": lambda: plot.backtest(make_forecast()),
    "backtest_unconverged": lambda: plot.backtest(make_forecast(2)),
    "backtest_many_folds": lambda: plot.backtest(make_forecast(folds=26)),
    "recovery": lambda: plot.recovery(make_recovery()),
    "roas_labelled": lambda: plot.roas_labelled(make_roas(), LABELS),
    "placebo": lambda: plot.placebo(make_placebo()),
    "sensitivity": lambda: plot.sensitivity(make_sensitivity("no seasonality")),
}


def ticks_in_view(ax: Axes) -> list[Text]:
    """Return the labels of the y axis that are drawn: a locator also gives some beyond it."""
    low, high = sorted(ax.get_ylim())
    return [label for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high]


@pytest.mark.parametrize("name", CASES)
def test_no_text_leaves_the_figure_and_axes_have_units(name: str) -> None:
    fig = CASES[name]()
    fig.canvas.draw()
    width, height = fig.canvas.get_width_height()
    assert title(fig)
    assert all(ax.get_xlabel() or ax.get_ylabel() for ax in fig.axes)
    written = [text for ax in fig.axes for text in (*ax.texts, *ticks_in_view(ax))]
    for text in [*written, *fig.texts, *(t for box in fig.legends for t in box.get_texts())]:
        box = text.get_window_extent()
        assert box.x0 > -2 and box.x1 < width + 2, text
        assert box.y0 > -2 and box.y1 < height + 2, text


def test_backtest_draws_what_came_and_a_band_for_every_fold() -> None:
    forecast = make_forecast()
    fig = plot.backtest(forecast)
    (ax,) = fig.axes
    np.testing.assert_array_equal(line(ax, "Observed"), forecast["observed"])
    assert len(ax.collections) == 4
    borders = [item for item in ax.lines if item.get_linestyle() == ":"]
    assert len(borders) == 3
    assert texts(ax) == ["Fold 1", "Fold 2", "Fold 3", "Fold 4"]
    dashed = [item for item in ax.lines if item.get_linestyle() == "--"]
    naive = np.concatenate([item.get_ydata() for item in dashed])
    np.testing.assert_array_equal(naive, forecast["naive"])
    inside = forecast["observed"].between(forecast["lower_94"], forecast["upper_94"]).sum()
    assert subtitle(fig).startswith(f"{inside} of 24 weeks")
    assert plot.UNCONVERGED not in legend_texts(fig)


def test_an_unconverged_fold_is_hatched_and_not_counted() -> None:
    fig = plot.backtest(make_forecast(bad_fold=2))
    hatched = [patch for patch in fig.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 1
    assert "of 18 weeks" in subtitle(fig)
    assert plot.UNCONVERGED in legend_texts(fig)


def rings(fig: Figure) -> list[int]:
    return [
        sum(len(item.get_xdata()) for item in ax.lines if item.get_label() == RING)
        for ax in fig.axes
    ]


def test_recovery_shows_every_interval_and_rings_the_misses() -> None:
    table = make_recovery()
    missed = (~table["inside"]).groupby(table["quantity"]).sum()
    assert missed.tolist() == [1, 1]
    fig = plot.recovery(table)
    assert rings(fig) == [1, 1]
    assert title(fig).startswith("Recovery: 16 of 18 intervals")
    for ax in fig.axes:
        drawn = np.concatenate([item.get_segments() for item in ax.collections])
        assert len(drawn) == 9
        assert len(np.unique(drawn[:, 0, 0])) == 9  # equal truths do not hide each other
    assert [ax.get_xlabel().split(",")[1] for ax in fig.axes] == [
        " sales in all weeks",
        " target units per unit of spend",
    ]
    assert set(legend_texts(fig)) >= {*CHANNELS, "Interval misses the truth"}


def test_recovery_without_misses_rings_nothing() -> None:
    table = make_recovery()
    assert rings(plot.recovery(table[table["replicate"] < 3])) == [0, 0]


def test_an_unconverged_replicate_is_left_out_and_named() -> None:
    fig = plot.recovery(make_recovery(bad=3))
    assert rings(fig) == [0, 0]
    assert title(fig).startswith("Recovery: 12 of 12")
    assert subtitle(fig) == "1 of 3 refits did not converge and are left out"


def test_recovery_with_nothing_to_show_says_so() -> None:
    fig = plot.recovery(make_recovery().assign(converged=False))
    fig.canvas.draw()
    assert [texts(ax) for ax in fig.axes] == [["nothing to show"]] * 2


def test_truths_far_apart_are_shown_by_logs() -> None:
    table = make_recovery()
    small = table["channel"] == "TV"
    table.loc[small, ["truth", "median", "lower_90", "upper_90"]] /= 100
    assert [ax.get_xscale() for ax in plot.recovery(table).axes] == ["log", "log"]
    assert [ax.get_xscale() for ax in plot.recovery(make_recovery()).axes] == ["linear"] * 2


def test_roas_says_and_draws_what_it_rests_on() -> None:
    fig = plot.roas_labelled(make_roas(), LABELS)
    (ax,) = fig.axes
    assert rows(ax) == [
        "TV\ndata-driven",
        "Radio\nprior-driven",
        "Search & Social\nnot assessable",  # no label is no pass
    ]
    spans = [item for item in ax.lines if len(item.get_xdata()) == 2]
    assert [list(item.get_xdata()) for item in spans] == [[1.8, 2.2], [1.0, 6.0], [0.5, 1.5]]
    assert len({item.get_linestyle() for item in spans}) == 3
    points = [item for item in ax.lines if len(item.get_xdata()) == 1]
    assert len({item.get_marker() for item in points}) == 3
    assert [item.get_markerfacecolor() == "white" for item in points] == [False, True, True]
    expected = ["Data-driven (1)", "Prior-driven (1)", "Not assessable (1)"]
    assert legend_texts(fig) == expected


def test_placebos_are_marked_as_believed_or_not() -> None:
    table = make_placebo()
    assert table["believed"].tolist() == [False, True, False]
    (ax,) = plot.placebo(table).axes
    assert texts(ax)[:3] == ["seen through", "BELIEVED", "did not converge"]
    assert rows(ax)[1] == "Radio, by 40 weeks"
    assert [item.get_marker() for item in ax.lines if len(item.get_xdata()) == 1] == ["o", "X", "o"]
    (limit,) = [item for item in ax.lines if item.get_linestyle() == "--"]
    assert list(limit.get_xdata()) == [plot.SHARE_MAX] * 2
    low, high = ax.get_xlim()
    assert low <= 0 < plot.SHARE_MAX < high


def test_the_limit_is_in_view_when_no_placebo_comes_near_it() -> None:
    (ax,) = plot.placebo(make_placebo().iloc[[0]]).axes
    assert ax.get_xlim()[1] > plot.SHARE_MAX


def test_sensitivity_draws_every_variant_of_every_channel() -> None:
    table = make_sensitivity("no seasonality")
    fig = plot.sensitivity(table)
    (ax,) = fig.axes
    assert rows(ax) == CHANNELS
    assert len(ax.lines) == len(table)
    drawn = sorted(tuple(item.get_xdata()) for item in ax.lines)
    assert drawn == sorted(table[["lower_94", "roas", "upper_94"]].itertuples(index=False))
    assert len(ax.patches) == len(CHANNELS)  # the interval as fitted
    hollow = [item for item in ax.lines if item.get_markerfacecolor() == "white"]
    assert len(hollow) == len(CHANNELS)
    assert "No seasonality (did not converge: not judged)" in legend_texts(fig)
    assert len({item.get_marker() for item in ax.lines}) == 3
