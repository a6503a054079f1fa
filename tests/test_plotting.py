"""Plots of what a fitted model says: what is drawn, and what is written."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.plots import results
from mmm_demo.plots import style as look
from plot_data import (
    CASES,
    CHANNELS,
    DRAWS,
    SALES,
    SPEND,
    WEEKS,
    legend_texts,
    line,
    make_curve,
    make_intervals,
    make_parts,
    rows,
    subtitle,
    texts,
    title,
)
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here


def test_contributions_stack_to_the_sum_with_negatives_below_zero() -> None:
    parts = make_parts()
    fig = results.contributions_over_time(WEEKS, parts, SALES)
    (ax,) = fig.axes
    np.testing.assert_allclose(line(ax, "Sum of parts"), parts.sum(axis=1))
    np.testing.assert_array_equal(line(ax, "Observed"), SALES)
    assert set(legend_texts(fig)) == {*parts.columns, "Sum of parts", "Observed"}
    tops = [item.get_paths()[0].vertices[:, 1] for item in ax.collections]
    assert max(top.max() for top in tops) == pytest.approx(parts.clip(lower=0).sum(axis=1).max())
    assert min(top.min() for top in tops) == pytest.approx(parts.clip(upper=0).sum(axis=1).min())


def test_channel_contribution_puts_spend_in_its_own_panel() -> None:
    fig = CASES["channel_contribution"]()
    top, bottom = fig.axes
    assert title(fig).startswith("TV")
    np.testing.assert_allclose(line(top, "Mean"), DRAWS.mean(axis=0))
    np.testing.assert_allclose([bar.get_height() for bar in bottom.patches], SPEND)
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("Sales per week", "Spend per week")


def test_contribution_of_only_nan_draws_still_gives_a_figure() -> None:
    fig = results.channel_contribution(WEEKS, "TV", np.full((20, 60), np.nan), SPEND)
    fig.canvas.draw()
    assert "20 of 20 draws are not finite" in subtitle(fig)


def test_channel_shares_show_both_shares() -> None:
    fig = CASES["channel_shares"]()
    (ax,) = fig.axes
    assert rows(ax) == CHANNELS
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.3, 0.2]
    assert "123.0% / 50.0%" in texts(ax)
    assert legend_texts(fig) == ["Sales: mean and 94% interval", "Spend"]


def test_roas_writes_values_and_marks_one() -> None:
    fig = CASES["roas"]()
    (ax,) = fig.axes
    assert rows(ax) == CHANNELS
    assert "1.23 (0.738 to 2.09)" in texts(ax)
    assert any(np.array_equal(item.get_xdata(), [1, 1]) for item in ax.lines)
    assert ax.get_xlabel() == "Target units per unit of spend"
    assert "dashed" in subtitle(fig)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_roas_has_no_line_at_one_when_far_away(factor: float) -> None:
    table = make_intervals()
    table.iloc[:, 1:] *= factor
    fig = results.roas(table)
    assert not any(np.array_equal(item.get_xdata(), [1, 1]) for item in fig.axes[0].lines)
    assert "dashed" not in subtitle(fig)


def test_roas_far_apart_goes_to_a_log_axis() -> None:
    table = make_intervals()
    table.iloc[0, 1:] = table.iloc[0, 1:].astype(float) * 100
    ax = results.roas(table).axes[0]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel().endswith("log scale")


def test_roas_unknown_is_written_as_such() -> None:
    table = make_intervals()
    table.iloc[1, 1:] = np.nan
    fig = results.roas(table)
    fig.canvas.draw()
    assert "n/a" in texts(fig.axes[0])


def test_adstock_curve_draws_the_weights() -> None:
    fig = CASES["adstock_curve"]()
    (ax,) = fig.axes
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], 0.5 ** np.arange(8))
    assert "50% of the mean effect" in subtitle(fig)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Lag in weeks", "Weight")


def test_saturation_curve_marks_spend_and_extrapolation() -> None:
    fig = CASES["saturation_curve"]()
    (ax,) = fig.axes
    np.testing.assert_allclose(line(ax, "Mean response"), make_curve("spend")["mean"])
    assert f"Mean spend {look.human(SPEND.mean())}" in legend_texts(fig)
    assert {"Never observed", "Observed weeks"} <= set(legend_texts(fig))
    (rug,) = [item for item in ax.lines if item.get_label() == "Observed weeks"]
    np.testing.assert_array_equal(rug.get_xdata(), SPEND)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Spend per week", "Sales by media per week")


def test_saturation_curve_of_a_channel_never_spent() -> None:
    fig = results.saturation_curve(make_curve("spend"), np.zeros(60))
    fig.canvas.draw()
    assert "Mean spend 0" in legend_texts(fig)


@pytest.mark.parametrize("column", ["lag", "spend"])
def test_curves_of_two_channels_are_refused(column: str) -> None:
    both = pd.concat([make_curve(column), make_curve(column).assign(channel="Radio")])
    with pytest.raises(ValueError, match=r"one channel, got \['TV', 'Radio'\]"):
        if column == "lag":
            results.adstock_curve(both)
        else:
            results.saturation_curve(both, SPEND)


def test_truth_comparison_counts_hits_and_misses() -> None:
    fig = CASES["truth_comparison"]()
    returns, shares = fig.axes
    assert "4 of 6 inside" in title(fig)
    assert {"Hit (4)", "Miss (2)"} <= set(legend_texts(fig))
    assert returns.get_xlabel().startswith("ROAS")
    assert shares.get_xlabel() == "Contribution share"
    markers = [item.get_marker() for item in returns.lines if item.get_marker() in ("D", "X")]
    assert markers == ["D", "X", "X"]
    colors = {item.get_color() for item in shares.lines if item.get_marker() == "o"}
    assert colors == {look.MODEL}
