"""Plots of plans: every interval, bound and point is drawn where the table has it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from mmm_demo.plots import plan as plot
from plot_data import legend_texts, rows, subtitle, texts, title
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here

CHANNELS = ["TV", "Radio", "Search & $ocial", "Content", "Email"]
WEEKS = pd.date_range("2025-12-29", periods=13, freq="W-MON", name="week")
LAST = np.random.default_rng(2).gamma(2.0, 3e4, (13, 5))


def make_table(count: int = 5) -> pd.DataFrame:
    current = np.array([8e5, 5e5, 5e5, 3e5, 0.0])
    planned = np.array([6e5, 7e5, 5e5, 3e5, 1e5])
    table = pd.DataFrame(
        {
            "channel": CHANNELS,
            "current": current,
            "planned": planned,
            "lower_bound": 0.5 * current,
            "upper_bound": 1.4 * current + 1e5,
            "observed_low": [0.0, 1e5, 2e5, 1e5, 0.0],
            "observed_high": [1.6e6, 6e5, 9e5, 4e5, 2e5],
        }
    )
    return table.head(count)


def make_curves(count: int = 5) -> pd.DataFrame:
    tables = []
    for row in make_table(count).itertuples():
        spend = np.linspace(0, 1.5 * max(row.current, row.planned, row.observed_high), 40)
        mean = 2e6 * np.tanh(spend / 1e6)
        marginal = 2 * (1 - np.tanh(spend / 1e6) ** 2)
        factors = {"lower_94": 0.6, "lower_50": 0.9, "upper_50": 1.1, "upper_94": 1.5}
        table = pd.DataFrame({"channel": row.channel, "spend": spend, "mean": mean})
        table = table.assign(**{name: factor * mean for name, factor in factors.items()})
        extra = {"marginal_lower_94": 0.5 * marginal, "marginal_upper_94": 9 * marginal}
        tables.append(table.assign(marginal=marginal, **extra, observed=True))
    return pd.concat(tables, ignore_index=True)


def make_frontier(points: int = 20) -> pd.DataFrame:
    budget = np.linspace(1e6, 4e6, points)
    mean = 4e6 * np.sqrt(budget / 1e6)
    factors = {"lower_94": 0.6, "lower_50": 0.9, "upper_50": 1.1, "upper_94": 1.5}
    table = pd.DataFrame({"budget": budget, "mean": mean, "roas": mean / budget})
    table = table.assign(**{name: factor * mean for name, factor in factors.items()})
    return table.assign(mroas=0.5 * mean / budget)


def make_scenarios(count: int = 4) -> pd.DataFrame:
    budget = np.array([2e6, 2e6, 3e6, 1.5e6])
    gain = np.array([np.nan, 5e5, 2e6, -3e5])
    table = pd.DataFrame(
        {
            "scenario": ["last period", "keep", "grow", "save"],
            "budget": budget,
            "response": 5e6 + np.nan_to_num(gain),
            "roas": (5e6 + np.nan_to_num(gain)) / budget,
            "gain": gain,
            "of_all_sales": gain / 2e7,
            "of_media_sales": gain / 5e6,
        }
    )
    steps = {"lower_94": -4e5, "lower_50": -1e5, "upper_50": 1e5, "upper_94": 4e5}
    return table.assign(**{f"gain_{n}": gain + step for n, step in steps.items()}).head(count)


def make_weekly(count: int = 5) -> pd.DataFrame:
    shares = np.linspace(0.5, 1.5, 13)[:, None] / 13
    return pd.DataFrame(shares * make_table()["planned"].to_numpy(), WEEKS, CHANNELS).iloc[
        :, :count
    ]


CASES: dict[str, Callable[[int], Figure]] = {
    "change": lambda count: plot.budget_change(make_table(count), "What to change"),
    "response": lambda count: plot.response_curves(make_curves(count), make_table(count)),
    "marginal": lambda count: plot.marginal_curves(make_curves(count), make_table(count)),
    "weekly": lambda count: plot.weekly_spend(make_weekly(count), LAST[:, :count]),
    "frontier": lambda count: plot.frontier(make_frontier(4 * count), make_scenarios(count)),
    "gains": lambda count: plot.gains(make_scenarios(count + 1)),
}


def overlap(ax: Axes, found: list[Text]) -> bool:
    boxes = [text.get_window_extent() for text in found if text.get_text()]
    return any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("name", CASES)
def test_every_figure_is_drawn_with_nothing_on_top_of_anything(name, count):
    fig = CASES[name](count)
    fig.canvas.draw()
    assert title(fig)
    width, height = fig.get_size_inches() * fig.dpi
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            inside = [
                label
                for label, at in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
                if low <= at <= high
            ]
            assert not overlap(ax, inside)
        for text in ax.texts:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height
    for box in (item.get_window_extent() for item in fig.legends):
        assert not any(box.overlaps(ax.get_tightbbox()) for ax in fig.axes if ax.axison)


# Change by channel


def test_the_change_is_told_in_money_and_percent():
    fig = CASES["change"](5)
    (ax,) = fig.axes
    assert rows(ax) == CHANNELS
    told = ["-200k (-25%)", "+200k (+40%)", "0 (+0%)", "0 (+0%)", "+100k (new)", "change"]
    assert texts(ax) == told
    table = make_table()
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([*table["current"], *table["planned"]])
    assert "Total 2.1M last period, 2.2M planned" in subtitle(fig)


def test_bounds_and_observed_range_stand_where_they_are():
    fig = CASES["change"](5)
    table = make_table()
    spans = [item.get_segments() for item in fig.axes[0].collections]
    ends = [[(line[0][0], line[-1][0]) for line in lines] for lines in spans]
    assert ends[0] == list(zip(table["lower_bound"], table["upper_bound"], strict=True))
    assert ends[1] == list(zip(table["observed_low"], table["observed_high"], strict=True))
    assert {"Bounds of the plan", "Totals ever observed"} <= set(legend_texts(fig))


def test_bounds_far_away_do_not_squeeze_the_bars():
    fig = plot.budget_change(make_table().assign(upper_bound=1e9), "Wide")
    assert fig.axes[0].get_xlim()[1] < 4e6
    assert "bounds go beyond the view" in subtitle(fig)


def test_a_channel_that_has_and_gets_nothing_has_no_change():
    table = make_table().assign(current=0.0, planned=0.0)
    assert texts(plot.budget_change(table, "Nothing").axes[0])[:5] == ["unchanged"] * 5


# Curves


@pytest.mark.parametrize(("name", "column"), [("response", "mean"), ("marginal", "marginal")])
def test_each_channel_has_its_curve_with_both_spends_on_it(name, column):
    fig, curves = CASES[name](5), make_curves()
    shown = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == CHANNELS
    for ax, part in zip(shown, make_table().itertuples(), strict=True):
        curve = curves[curves["channel"] == part.channel]
        mean, last, planned = ax.lines
        np.testing.assert_array_equal(mean.get_ydata(), curve[column])
        for mark, money in ((last, part.current), (planned, part.planned)):
            assert mark.get_xdata() == [money]
            at = np.interp(money, curve["spend"], curve[column])
            assert mark.get_ydata() == pytest.approx([at])
    assert {"Last period", "Plan", "Total never observed", "94% interval"} <= set(legend_texts(fig))


def test_only_spend_never_observed_is_hatched():
    shown = [ax for ax in CASES["response"](5).axes if ax.axison]
    for ax, part in zip(shown, make_table().itertuples(), strict=True):
        spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
        end = 1.5 * max(part.current, part.planned, part.observed_high)
        expected = [(0.0, part.observed_low)] if part.observed_low else []
        assert spans == [pytest.approx(span) for span in [*expected, (part.observed_high, end)]]
        assert all(bar.get_hatch() for bar in ax.patches)


def test_marginal_returns_share_a_scale_that_wide_intervals_do_not_set():
    shown = [ax for ax in CASES["marginal"](5).axes if ax.axison]
    (scale,) = {ax.get_ylim() for ax in shown}
    assert scale == pytest.approx((0, 1.05 * 2 * 2.0))


# Frontier, gains, weeks


def test_the_frontier_marks_every_scenario_and_the_replay():
    fig = CASES["frontier"](4)
    scenarios = make_scenarios()
    for ax, name in zip(fig.axes, ("response", "roas"), strict=True):
        points = {line.get_label(): line for line in ax.lines if line.get_linestyle() == "None"}
        assert list(points) == ["Last period", "keep", "grow", "save"]
        for line, row in zip(points.values(), scenarios.to_dict("records"), strict=True):
            assert line.get_xdata() == [row["budget"]]
            assert line.get_ydata() == [row[name]]
        assert len({line.get_marker() for line in points.values()}) == 4
    assert {"Marginal ROAS", "94% interval", "Last period", "grow"} <= set(legend_texts(fig))


def test_a_frontier_of_one_budget_without_a_next_unit_is_still_drawn():
    fig = plot.frontier(make_frontier(1).assign(mroas=np.nan), make_scenarios())
    fig.canvas.draw()
    assert len(fig.axes) == 2


def test_gains_stand_against_zero_without_the_replay():
    fig = CASES["gains"](3)
    (ax,) = fig.axes
    assert rows(ax) == ["keep", "grow", "save"]
    low, high = ax.get_xlim()
    assert low < -7e5
    assert high > 2.4e6
    zero = [line for line in ax.lines if list(line.get_xdata()) == [0, 0]]
    assert len(zero) == 1
    spans = [tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2][1:]
    assert spans[:2] == [pytest.approx((1e5, 9e5)), pytest.approx((4e5, 6e5))]
    assert texts(ax)[:3] == [
        "500k (100k to 900k)\n+2.5% of all sales\n+10.0% of those that media bring",
        "2M (1.6M to 2.4M)\n+10.0% of all sales\n+40.0% of those that media bring",
        "-300k (-700k to 100k)\n-1.5% of all sales\n-6.0% of those that media bring",
    ]


def test_weeks_of_plan_and_last_period_stand_side_by_side():
    fig = CASES["weekly"](5)
    shown = [ax for ax in fig.axes if ax.axison]
    for place, ax in enumerate(shown):
        (last,) = ax.lines
        np.testing.assert_array_equal(last.get_ydata(), LAST[:, place])
        outline = ax.patches[-1].get_data().values
        np.testing.assert_array_equal(outline, make_weekly().iloc[:, place])
        assert ax.get_ylim()[1] > max(LAST[:, place].max(), outline.max())
    assert set(legend_texts(fig)) == {"Plan", "Last period"}


def test_a_channel_without_any_money_is_drawn():
    weekly = make_weekly().assign(Email=0.0)
    last = LAST.copy()
    last[:, 4] = 0
    plot.weekly_spend(weekly, last).canvas.draw()
