"""Plots of a sweep: each trial is drawn once, and one without a value shows none."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmm_demo.plots.style import FAULT, MODEL, MUTED, SPEND
from mmm_demo.plots.sweep import (
    NONE,
    STRIP,
    history_figure,
    importance_figure,
    setting_name,
    slice_figure,
)
from plot_data import legend_texts, rows, texts, title
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here

LAG, SIGMA, TREND = "model.adstock_max_lag", "model.priors.saturation_beta.sigma", "model.trend"
SETTINGS = {
    LAG: [4, 8, 8, 12, 8],
    SIGMA: [0.2, 0.5, 1.1, 0.9, 1.9],
    TREND: [True, False, False, True, False],
    "model.adstock": ["geometric", "delayed", "delayed", "geometric", "delayed"],
    "groups": ["as they are", "digital together", "digital together", "as they are", "one"],
    "model.control_columns": ["[price, promotion, holiday, weather]", "[price]", "[]", "[]", "[]"],
    "model.priors.intercept.mu": [0.001, 0.1, 10.0, 0.5, 0.02],
    "model.yearly_seasonality": [2, 4, 2, 4, 2],
}
VERDICTS = ("passed", "failed", "failed", "passed", "pruned")
VALUES = (40_000.0, math.nan, math.nan, 38_000.0, math.nan)


def make_trials(
    verdicts: Sequence[str] = VERDICTS, values: Sequence[float] = VALUES
) -> pd.DataFrame:
    columns = {name: list(of)[: len(verdicts)] for name, of in SETTINGS.items()}
    ended = {"number": range(len(verdicts)), "verdict": verdicts, "value": values}
    return pd.DataFrame(ended | {"reason": "", "seconds": 9.0} | columns)


def drawn(figure: Figure) -> Figure:
    figure.canvas.draw()
    return figure


def points(ax: Axes, marker: str, color: str) -> list[tuple[float, float]]:
    found = [
        line.get_xydata()
        for line in ax.lines
        if line.get_marker() == marker and line.get_color() == color
    ]
    return [(float(x), float(y)) for xy in found for x, y in np.asarray(xy, float)]


@pytest.mark.parametrize(
    ("objective", "best", "so_far"),
    [
        ("crps", (3.0, 38_000.0), [40_000, 38_000, 38_000]),
        ("elpd", (0.0, 40_000.0), [40_000, 40_000, 40_000]),
    ],
)
def test_history_has_every_trial_and_the_best_so_far(
    objective: str, best: tuple[float, float], so_far: list[float]
) -> None:
    figure = drawn(history_figure(make_trials(), objective))
    (ax,) = figure.axes
    assert points(ax, "o", MODEL) == [(0, 40_000), (3, 38_000)]
    assert points(ax, "*", SPEND) == [best]
    assert [x for x, _ in points(ax, "x", FAULT)] == [1, 2]
    assert [x for x, _ in points(ax, "v", MUTED)] == [4]
    (line,) = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    assert list(line.get_ydata()) == so_far
    assert list(line.get_xdata()) == [0, 3, 4]
    words = {"crps": "mean backtest CRPS (sales units, less is better)"}
    assert ax.get_ylabel() == words.get(objective, "ELPD (leave-one-out, more is better)")
    start = "5 trials: 2 passed, 2 failed, 1 ended early, best "
    assert title(figure) == f"{start}{objective.upper()} {best[1] / 1e3:.0f}k (trial {best[0]:.0f})"


@pytest.mark.parametrize("draw", [history_figure, lambda t, o: slice_figure(t, [LAG], o)])
def test_no_value_can_be_read_off_where_trials_without_one_are(draw) -> None:
    (ax,) = drawn(draw(make_trials(), "crps")).axes
    bottom, top = ax.get_ylim()
    strip = bottom + STRIP * (top - bottom)
    assert strip < 38_000 and top > 40_000
    assert all(tick >= strip for tick in ax.get_yticks())
    heights = [
        y for marker, color in (("x", FAULT), ("v", MUTED)) for _, y in points(ax, marker, color)
    ]
    assert len(heights) == 3
    assert all(0 < height < STRIP for height in heights)  # shares of the axes
    (ax,) = drawn(draw(make_trials(["passed"] * 5, [5.0, 4.0, 3.0, 2.0, 1.0]), "crps")).axes
    assert ax.get_ylim()[0] == pytest.approx(1 - 0.06 * 4)  # no strip without such trials


def test_a_value_that_is_not_finite_is_none() -> None:
    trials = make_trials(values=(40_000.0, math.nan, math.nan, math.nan, math.nan))
    figure = drawn(history_figure(trials, "crps"))
    assert title(figure).startswith("5 trials: 1 passed, 3 failed, 1 ended early")
    assert [x for x, _ in points(figure.axes[0], "x", FAULT)] == [1, 2, 3]
    assert drawn(history_figure(trials.assign(value=np.inf), "crps")).axes[0].texts


@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_slices_have_a_panel_per_setting(count: int) -> None:
    names = list(SETTINGS)[:count]
    figure = drawn(slice_figure(make_trials(), names, "crps"))
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title("left") for ax in shown] == [setting_name(name) for name in names]
    for ax in shown:
        assert sorted(y for _, y in points(ax, "o", MODEL)) == [38_000, 40_000]
        assert len(points(ax, "*", SPEND)) == 1
        assert len(points(ax, "x", FAULT)) == 2
        assert len(points(ax, "v", MUTED)) == 1
    assert legend_texts(figure) == ["passed", "best", "failed: no value", "ended early: no value"]


def test_numbers_have_a_number_axis_and_words_are_categories() -> None:
    names = [LAG, SIGMA, TREND, "groups", "model.priors.intercept.mu"]
    lag, sigma, trend, groups, mu = drawn(slice_figure(make_trials(), names, "crps")).axes[:5]
    assert points(lag, "o", MODEL) == [(4, 40_000), (12, 38_000)]
    assert list(lag.get_xticks()) == [4, 8, 12]  # the values that were tried
    assert points(sigma, "o", MODEL) == [(0.2, 40_000), (0.9, 38_000)]
    labels = [label.get_text() for label in trend.get_xticklabels()]
    assert labels == ["False", "True"]
    assert points(trend, "o", MODEL) == [(1, 40_000), (1, 38_000)]
    assert [text.get_text() for text in groups.get_xticklabels()][1] == "digital\ntogether"
    assert (mu.get_xscale(), sigma.get_xscale()) == ("log", "linear")


def test_trials_in_one_place_are_counted() -> None:
    (lag,) = drawn(slice_figure(make_trials(), [LAG], "crps")).axes
    assert texts(lag) == ["2"]  # two failed with a lag of 8, one ended early
    (sigma,) = drawn(slice_figure(make_trials(), [SIGMA], "crps")).axes
    assert texts(sigma) == []


def test_a_trial_without_a_value_of_a_setting_is_left_out_of_its_panel_only() -> None:
    trials = make_trials()
    trials[LAG] = trials[LAG].astype(float)
    trials.loc[1, LAG] = math.nan
    lag, sigma = drawn(slice_figure(trials, [LAG, SIGMA], "crps")).axes
    assert len(points(lag, "x", FAULT)) == 1
    assert len(points(sigma, "x", FAULT)) == 2


@pytest.mark.parametrize("count", [0, 1, 5])
def test_nothing_passed_is_said(count: int) -> None:
    trials = make_trials(["failed"] * count, [math.nan] * count)
    history = drawn(history_figure(trials, "crps"))
    slices = drawn(slice_figure(trials, [LAG, TREND], "crps"))
    for ax in [*history.axes, *slices.axes]:
        assert NONE in texts(ax)
        assert not points(ax, "*", SPEND)
        assert len(ax.get_yticks()) == 0  # a scale would be of nothing
    assert title(history).startswith(f"{count} trial")


@pytest.mark.parametrize("values", [[7.0], [7.0, 7.0], [0.0]])
def test_one_value_alone_is_drawn(values: list[float]) -> None:
    trials = make_trials(["passed"] * len(values), values)
    for figure in (history_figure(trials, "elpd"), slice_figure(trials, [LAG, TREND], "elpd")):
        low, high = drawn(figure).axes[0].get_ylim()
        assert low < values[0] < high


def test_largest_importance_is_on_top() -> None:
    figure = drawn(importance_figure({LAG: 0.25, SIGMA: 0.7, TREND: 0.05}))
    (ax,) = figure.axes
    assert rows(ax) == ["saturation_beta sigma", "adstock_max_lag", "trend"]
    assert ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == [0.7, 0.25, 0.05]
    assert texts(ax)[:3] == ["70%", "25%", "5%"]


def test_no_importance_is_said() -> None:
    (ax,) = drawn(importance_figure({})).axes
    assert "too few trials passed to tell" in texts(ax)
    assert not ax.patches


def test_settings_are_named_as_trials_name_them() -> None:
    assert setting_name(SIGMA) == "saturation_beta sigma"
    assert setting_name(LAG) == "adstock_max_lag"
    assert setting_name("groups") == "groups"
