"""Plots that hold the model against the observed sales."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mmm_demo.plots import checks
from plot_data import (
    CASES,
    DRAWS,
    SALES,
    WEEKS,
    legend_texts,
    line,
    make_lift_tests,
    rows,
    subtitle,
    texts,
    title,
)
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here


def test_prior_predictive_shows_sales_limit_and_zero() -> None:
    fig = CASES["prior_predictive"]()
    (ax,) = fig.axes
    np.testing.assert_array_equal(line(ax, "Observed"), SALES)
    assert {"94% interval", "50% interval", "Limit 5M", "Zero"} <= set(legend_texts(fig))
    assert ax.get_ylabel() == "Sales per week"
    assert "0.0% of prior values" in subtitle(fig)
    assert "clipped" not in subtitle(fig)
    low, high = ax.get_ylim()
    assert low < 0 < 5e6 < high


@pytest.mark.parametrize("scale", [1e7, 1e300])
def test_prior_predictive_clips_extreme_draws_and_says_so(scale: float) -> None:
    fig = checks.prior_predictive(WEEKS, SALES, (DRAWS - 1e6) * scale, 5e6)
    low, high = fig.axes[0].get_ylim()
    assert -2.5e6 < low < 0
    assert 5e6 < high < 7e6
    assert "view clipped" in subtitle(fig)
    assert "100.0% of prior values" in subtitle(fig)
    drawn = [item.get_ydata() for item in fig.axes[0].lines]
    assert max(np.abs(values).max() for values in drawn) < 2e7
    fig.canvas.draw()


def test_posterior_predictive_counts_weeks_inside() -> None:
    wide = np.vstack([SALES - 10, SALES + 10])
    fig = checks.posterior_predictive(WEEKS, pd.Series(SALES, WEEKS), wide)
    assert "60 of 60 weeks (100%)" in subtitle(fig)
    np.testing.assert_array_equal(line(fig.axes[0], "Observed"), SALES)
    np.testing.assert_allclose(line(fig.axes[0], "Mean"), SALES)


def test_draws_that_are_not_finite_are_counted_not_hidden() -> None:
    broken = DRAWS.copy()
    broken[:3, 5] = np.nan
    fig = checks.posterior_predictive(WEEKS, SALES, broken)
    assert "3 of 200 draws are not finite" in subtitle(fig)
    np.testing.assert_allclose(line(fig.axes[0], "Mean"), DRAWS[3:].mean(axis=0))


@pytest.mark.parametrize(
    "draw",
    [
        lambda nothing: checks.prior_predictive(WEEKS, SALES, nothing, 5e6),
        lambda nothing: checks.posterior_predictive(WEEKS, SALES, nothing),
        lambda nothing: checks.residuals(WEEKS, SALES, nothing),
    ],
)
def test_only_nan_draws_still_give_a_figure(draw: Callable[[np.ndarray], Figure]) -> None:
    fig = draw(np.full((20, 60), np.nan))
    fig.canvas.draw()
    assert "20 of 20 draws are not finite" in subtitle(fig)


def test_figures_say_what_the_draws_take_as_known() -> None:
    known = "each week given the sales before it"
    for draw in (checks.posterior_predictive, checks.residuals):
        assert known in subtitle(draw(WEEKS, SALES, DRAWS, known))
        assert "given" not in subtitle(draw(WEEKS, SALES, DRAWS))


def test_draws_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"week=60.*\(60, 200\)"):
        checks.posterior_predictive(WEEKS, SALES, DRAWS.T)


def test_residuals_are_observed_minus_mean() -> None:
    fig = CASES["residuals"]()
    time, hist, lag = fig.axes
    np.testing.assert_allclose(line(time, "Residual"), SALES - DRAWS.mean(axis=0))
    assert sum(patch.get_height() for patch in hist.patches) == 60
    assert len(lag.patches) == 26
    assert time.get_ylabel() == "Residual, sales per week"
    assert lag.get_xlabel() == "Lag in weeks"


def test_autocorrelation_of_an_alternating_and_a_constant_series() -> None:
    values = checks._autocorrelation(np.tile([1.0, -1.0], 50), 2)
    np.testing.assert_allclose(values, [-0.99, 0.98])
    assert np.isnan(checks._autocorrelation(np.ones(10), 3)).all()


def test_constant_residuals_do_not_fail() -> None:
    fig = checks.residuals(WEEKS, SALES, np.vstack([SALES, SALES]))
    fig.canvas.draw()
    assert "Mean 0" in fig.axes[1].get_title(loc="left")


def test_lift_tests_lie_beside_the_model() -> None:
    fig = CASES["lift_tests"]()
    (ax,) = fig.axes
    assert "in the 94% interval of 2 of 3" in title(fig)
    assert "1 measured sales going against the direction of spend" in subtitle(fig)
    assert rows(ax)[1] == "Radio, 2022-05-23\nspend 30k to 0"
    assert texts(ax) == ["+1.0", "+1.0", "-2.8", "z"]
    drawn = [item.get_xdata() for item in ax.lines if len(item.get_xdata()) == 2]
    for test in make_lift_tests().itertuples():
        for span in ((test.lower_94, test.upper_94), (test.model_lower_94, test.model_upper_94)):
            assert any(np.array_equal(span, ends) for ends in drawn)
    assert "Test, unexpected sign" in legend_texts(fig)


def test_no_unexpected_sign_is_not_spoken_of() -> None:
    fig = checks.lift_tests(make_lift_tests().head(2))
    assert subtitle(fig) == ""
    assert legend_texts(fig) == ["Test, 94% interval", "Model, 94% interval"]
