"""Plots of a weekly table before any model: what is drawn, and that nothing is cut off."""

from collections.abc import Callable
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from mmm_demo.plots import explore as plot
from mmm_demo.plots.style import FAULT
from plot_data import legend_texts, rows, subtitle, texts, title
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here

NINE = ["TV", "Sponsorship", "SEM", "Radio", "Other", "Affiliates", "Content Marketing"]
NINE += ["Online marketing and retargeting displays", "Out of home advertising in all the metros"]
WEEKS = pd.date_range("2015-07-06", periods=51, freq="7D")
RNG = np.random.default_rng(4)
SALES = pd.Series(7e7 + 1e7 * RNG.standard_normal(51), name="Sales")
MARKS = pd.DataFrame({"SaleDays": np.arange(51) % 5 // 3 * 2.0, "Hole": (np.arange(51) < 4) * 1.0})
OUTLIERS = pd.DataFrame(
    {"week": WEEKS[[2, 9, 20]], "value": [1e4, 3e7, 2e8], "kind": ["almost none", "low", "high"]}
)
MONTHLY = pd.DataFrame({name: np.repeat(RNG.gamma(2, 1e7, 13), 4)[:51] for name in NINE})
NAMES = ["Sales", *NINE, "SaleDays"]
MATRIX = pd.DataFrame(RNG.normal(size=(60, 11)), columns=NAMES).corr()


def make_channels(names: list[str]) -> pd.DataFrame:
    count = len(names)
    factors = {"vif": np.linspace(1, 30, count), "vif_with_controls": np.linspace(1.5, 45, count)}
    spend = np.arange(1.0, count + 1) * 1e6
    return pd.DataFrame(
        {"channel": names, "spend": spend, "spend_share": spend / spend.sum(), **factors}
    )


def make_lagged(names: list[str], max_lag: int) -> pd.DataFrame:
    lags = np.arange(max_lag + 1)
    parts = [
        pd.DataFrame({"channel": name, "lag": lags, "correlation": 0.9**lags - 0.2 * place})
        for place, name in enumerate(names)
    ]
    return pd.concat(parts, ignore_index=True)


CASES: dict[str, Callable[[], Figure]] = {
    "target_over_time": lambda: plot.target_over_time(WEEKS, SALES, MARKS, OUTLIERS),
    "spend_over_time": lambda: plot.spend_over_time(WEEKS, MONTHLY),
    "spend_shares": lambda: plot.spend_shares(make_channels(NINE)),
    "correlations": lambda: plot.correlations(MATRIX),
    "lagged_correlations": lambda: plot.lagged_correlations(make_lagged(NINE, 4), "Sales"),
    "variance_inflation": lambda: plot.variance_inflation(make_channels(NINE)),
}


def widths(fig: Figure, color: str) -> list[float]:
    (ax,) = fig.axes
    bars = [bar for bar in ax.patches if same_color(bar.get_facecolor()[:3], color)]
    return [bar.get_x() + bar.get_width() for bar in bars if np.isfinite(bar.get_width())]


def test_every_plot_is_covered() -> None:
    public = {
        name
        for name, value in vars(plot).items()
        if callable(value) and value.__module__ == plot.__name__ and not name.startswith("_")
    }
    assert public == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_figure_saves_and_no_text_leaves_it(name: str) -> None:
    fig = CASES[name]()
    assert title(fig)
    file = BytesIO()
    fig.savefig(file, format="png", dpi=50)
    assert file.getvalue().startswith(b"\x89PNG")
    fig.canvas.draw()
    width, height = fig.canvas.get_width_height()
    written = [t for ax in fig.axes for t in (*ax.texts, *ax.get_yticklabels())] + fig.texts
    if name == "correlations":  # slanted names, the most likely to be cut off
        written += fig.axes[0].get_xticklabels()
    for text in [*written, *(t for box in fig.legends for t in box.get_texts())]:
        box = text.get_window_extent()
        assert box.x0 > -2 and box.x1 < width + 2, text
        assert box.y0 > -2 and box.y1 < height + 2, text


def test_look_does_not_depend_on_the_style_when_drawn() -> None:
    def pixels(fig: Figure) -> bytes:
        fig.canvas.draw()
        return bytes(fig.canvas.buffer_rgba())

    plain = pixels(CASES["spend_shares"]())
    fig = CASES["spend_shares"]()
    with mpl.rc_context({"xtick.color": "red", "text.color": "red", "font.size": 30}):
        assert pixels(fig) == plain


def test_target_shows_marks_and_outliers_where_they_are() -> None:
    fig = CASES["target_over_time"]()
    top, lanes = fig.axes
    assert rows(lanes) == ["SaleDays", "Hole"]
    assert len(lanes.patches) == int((MARKS > 0).sum().sum())
    assert legend_texts(fig) == ["Sales", "Outlier, high", "Outlier, low", "Almost none recorded"]
    (high,) = [line for line in top.lines if line.get_label() == "Outlier, high"]
    assert high.get_ydata() == [2e8]
    assert np.asarray(high.get_xdata(), dtype="datetime64[D]") == np.datetime64("2015-11-23")
    assert "lane" in subtitle(fig)


def test_target_without_marks_or_outliers_is_one_plain_axes() -> None:
    fig = plot.target_over_time(WEEKS, SALES, MARKS[[]], OUTLIERS.head(0))
    assert len(fig.axes) == 1
    assert legend_texts(fig) == ["Sales"]
    assert not fig.axes[0].patches
    assert not subtitle(fig)


def test_a_target_below_zero_stays_in_view() -> None:
    fig = plot.target_over_time(WEEKS, SALES - 8e7, MARKS, OUTLIERS.head(0))
    assert fig.axes[0].get_ylim()[0] < (SALES - 8e7).min()


@pytest.mark.parametrize("count", [1, 4, 9])
def test_each_channel_has_a_panel_with_dates_below_its_column(count: int) -> None:
    fig = plot.spend_over_time(WEEKS, MONTHLY.iloc[:, :count])
    assert [ax.get_title(loc="left").replace("\n", " ") for ax in fig.axes] == NINE[:count]
    for ax, spend in zip(fig.axes, MONTHLY.to_numpy().T[:count], strict=True):
        (steps,) = ax.patches
        assert steps.get_data().values == pytest.approx(spend)
        assert np.diff(steps.get_data().edges) == pytest.approx(7)
    across = {1: 1, 4: 2, 9: 3}[count]
    shown = [ax.xaxis.get_tick_params()["labelbottom"] for ax in fig.axes]
    assert shown == [place + across >= count for place in range(count)]


@pytest.mark.parametrize("weeks", [26, 110, 140, 1040])
def test_any_length_of_data_has_dates(weeks: int) -> None:
    dates = pd.date_range("2015-07-06", periods=weeks, freq="7D")
    fig = plot.spend_over_time(dates, pd.DataFrame({"TV": np.arange(float(weeks))}))
    assert 2 <= len(fig.axes[0].get_xticks()) <= 7


def test_shares_are_sorted_and_written_out() -> None:
    fig = plot.spend_shares(make_channels(["TV", "Radio"]))
    assert rows(fig.axes[0]) == ["Radio", "TV"]
    assert texts(fig.axes[0])[:2] == ["66.7%  (2M)", "33.3%  (1M)"]
    assert "3M in all" in title(fig)


def test_each_pair_of_columns_has_its_number_once() -> None:
    matrix = pd.DataFrame(
        [[1, -0.001, np.nan], [-0.001, 1, -0.92], [np.nan, -0.92, 1]],
        index=(names := ["Sales", "TV", "Radio"]),
        columns=names,
    )
    (ax,) = plot.correlations(matrix).axes
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells == {(0, 0): "0.00", (0, 1): "n/a", (1, 1): "-0.92"}
    assert rows(ax) == ["TV", "Radio"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Sales", "TV"]


def test_lags_are_numbered_while_there_is_room() -> None:
    few = plot.lagged_correlations(make_lagged(["TV", "Radio"], 4), "Sales")
    assert rows(few.axes[0]) == ["TV", "Radio"]  # as given, not by the alphabet
    assert texts(few.axes[0])[:2] == ["1.00", "0.90"]
    assert "Correlation of Sales" in title(few)
    many = plot.lagged_correlations(make_lagged(["TV"], 52), "Sales")
    assert not texts(many.axes[0])
    assert many.axes[1].get_ylabel() == "Correlation"
    assert len(many.axes[0].get_xticks()) <= 14


def test_an_infinite_factor_reaches_the_edge_and_is_said() -> None:
    table = make_channels(["TV", "Radio"]).assign(vif=[np.inf, 2.0], vif_with_controls=[np.inf, 40])
    fig = plot.variance_inflation(table)
    (ax,) = fig.axes
    assert texts(ax)[:2] == ["infinite / infinite", "2 / 40"]
    assert widths(fig, FAULT) == [ax.get_xlim()[1]] * 2
    assert "... and the controls" in legend_texts(fig)


def test_equal_factors_are_drawn_once() -> None:
    table = make_channels(["TV", "Radio"]).assign(vif_with_controls=lambda t: t["vif"])
    fig = plot.variance_inflation(table)
    assert legend_texts(fig) == ["10: high", "Given the other channels"]
    assert texts(fig.axes[0])[:2] == ["1", "30"]
    assert not widths(fig, FAULT)
