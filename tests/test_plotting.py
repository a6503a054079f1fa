"""Structure of the figures: what is drawn, what is written, and that no global is left changed."""

from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmm_demo import _plot_style as look
from mmm_demo import plotting

CHANNELS = ["TV", "Radio", "Content Marketing"]
WEEKS = pd.date_range("2022-01-03", periods=60, freq="W-MON")
RNG = np.random.default_rng(7)
SALES = 1e6 + 5e4 * RNG.standard_normal(60)
DRAWS = 1e6 + 6e4 * RNG.standard_normal((200, 60))
SPEND = RNG.gamma(2.0, 5e4, 60)


def make_posterior(chains: int = 4, draws: int = 100) -> xr.Dataset:
    dims = ("chain", "draw")
    rng = np.random.default_rng(1)
    return xr.Dataset(
        {
            "intercept_contribution": (dims, rng.normal(size=(chains, draws))),
            "adstock_alpha": ((*dims, "channel"), rng.beta(2, 4, (chains, draws, 3))),
            "gamma_control": ((*dims, "control"), rng.normal(size=(chains, draws, 1))),
            "y_sigma": (dims, rng.gamma(2, 1, (chains, draws))),
        },
        {"channel": CHANNELS, "control": ["price"]},
    )


def make_intervals(**extra: object) -> pd.DataFrame:
    point = np.array([1.23, 0.8, 2.5])
    limits = {"lower_50": 0.9, "upper_50": 1.1, "lower_94": 0.6, "upper_94": 1.7}
    columns = {name: point * factor for name, factor in limits.items()}
    return pd.DataFrame({"channel": CHANNELS, "mean": point, "median": point, **columns, **extra})


def make_curve(x: str) -> pd.DataFrame:
    grid = np.arange(8) if x == "lag" else np.linspace(0, 1.5 * SPEND.max(), 50)
    mean = 0.5**grid if x == "lag" else 3e5 * np.tanh(grid / 1e5)
    limits = {"mean": mean, "lower_94": 0.8 * mean, "upper_94": 1.2 * mean}
    return pd.DataFrame({"channel": "TV", x: grid, **limits})


def make_parts() -> pd.DataFrame:
    season = 1e5 * np.sin(np.arange(60) / 5)
    return pd.DataFrame(
        {"baseline": 6e5, "seasonality": season, "controls": -2e4, "TV": 2e5, "Radio": 1e5},
        index=WEEKS,
    )


def make_budget() -> pd.DataFrame:
    current = np.array([1e6, 2e6, 0.0])
    planned = np.array([1.5e6, 1e6, 5e5])
    bounds = {"lower_bound": 0.5 * current, "upper_bound": 2 * current}
    return pd.DataFrame({"channel": CHANNELS, "current": current, "planned": planned, **bounds})


def make_truth() -> pd.DataFrame:
    returns = make_intervals(quantity="ROAS", truth=[1.0, 9.0, np.nan])
    shares = make_intervals(quantity="contribution share", truth=[1.0, 0.9, 2.0])
    return pd.concat([returns, shares], ignore_index=True)


def energies(values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"energy": (("chain", "draw"), values)})


CASES: dict[str, Callable[[], Figure]] = {
    "prior_predictive": lambda: plotting.prior_predictive(WEEKS, SALES, DRAWS, 5e6),
    "trace": lambda: plotting.trace(make_posterior()),
    "rank": lambda: plotting.rank(make_posterior()),
    "forest": lambda: plotting.forest(make_posterior()),
    "energy": lambda: plotting.energy(energies(RNG.normal(size=(4, 100)))),
    "posterior_predictive": lambda: plotting.posterior_predictive(WEEKS, SALES, DRAWS),
    "residuals": lambda: plotting.residuals(WEEKS, SALES, DRAWS),
    "contributions_over_time": lambda: plotting.contributions_over_time(WEEKS, make_parts(), SALES),
    "channel_contribution": lambda: plotting.channel_contribution(WEEKS, "TV", DRAWS, SPEND),
    "channel_shares": lambda: plotting.channel_shares(make_intervals(spend_share=[0.5, 0.3, 0.2])),
    "roas": lambda: plotting.roas(make_intervals()),
    "adstock_curve": lambda: plotting.adstock_curve(make_curve("lag")),
    "saturation_curve": lambda: plotting.saturation_curve(make_curve("spend"), SPEND),
    "budget_comparison": lambda: plotting.budget_comparison(make_budget(), "Plan of the quarter"),
    "truth_comparison": lambda: plotting.truth_comparison(make_truth()),
}


def legend_texts(fig: Figure) -> list[str]:
    boxes = [*fig.legends, *(ax.get_legend() for ax in fig.axes if ax.get_legend())]
    return [text.get_text() for box in boxes for text in box.get_texts()]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(fig: Figure) -> str:
    return fig.get_suptitle().replace("\n", " ")


def subtitle(fig: Figure) -> str:
    return fig.axes[0].get_title(loc="left")


def rows(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [item for item in ax.lines if item.get_label() == label]
    return np.asarray(found.get_ydata())


def pixels(fig: Figure) -> bytes:
    fig.canvas.draw()
    return bytes(fig.canvas.buffer_rgba())


@pytest.fixture(autouse=True)
def no_global_changes() -> Iterator[None]:
    figures, params = plt.get_fignums(), dict(mpl.rcParams)
    yield
    assert plt.get_fignums() == figures
    assert dict(mpl.rcParams) == params


def test_every_plot_is_covered() -> None:
    public = {
        name
        for name, value in vars(plotting).items()
        if callable(value) and value.__module__ == plotting.__name__ and not name.startswith("_")
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
    fig = plotting.prior_predictive(WEEKS, SALES, (DRAWS - 1e6) * scale, 5e6)
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
    fig = plotting.posterior_predictive(WEEKS, pd.Series(SALES, WEEKS), wide)
    assert "60 of 60 weeks (100%)" in subtitle(fig)
    np.testing.assert_array_equal(line(fig.axes[0], "Observed"), SALES)
    np.testing.assert_allclose(line(fig.axes[0], "Mean"), SALES)


def test_draws_that_are_not_finite_are_counted_not_hidden() -> None:
    broken = DRAWS.copy()
    broken[:3, 5] = np.nan
    fig = plotting.posterior_predictive(WEEKS, SALES, broken)
    assert "3 of 200 draws are not finite" in subtitle(fig)
    np.testing.assert_allclose(line(fig.axes[0], "Mean"), DRAWS[3:].mean(axis=0))


@pytest.mark.parametrize(
    "draw",
    [
        lambda nothing: plotting.prior_predictive(WEEKS, SALES, nothing, 5e6),
        lambda nothing: plotting.posterior_predictive(WEEKS, SALES, nothing),
        lambda nothing: plotting.residuals(WEEKS, SALES, nothing),
        lambda nothing: plotting.channel_contribution(WEEKS, "TV", nothing, SPEND),
    ],
)
def test_only_nan_draws_still_give_a_figure(draw: Callable[[np.ndarray], Figure]) -> None:
    fig = draw(np.full((20, 60), np.nan))
    fig.canvas.draw()
    assert "20 of 20 draws are not finite" in subtitle(fig)


def test_draws_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"week=60.*\(60, 200\)"):
        plotting.posterior_predictive(WEEKS, SALES, DRAWS.T)


def test_residuals_are_observed_minus_mean() -> None:
    fig = CASES["residuals"]()
    time, hist, lag = fig.axes
    np.testing.assert_allclose(line(time, "Residual"), SALES - DRAWS.mean(axis=0))
    assert sum(patch.get_height() for patch in hist.patches) == 60
    assert len(lag.patches) == 26
    assert time.get_ylabel() == "Residual, sales per week"
    assert lag.get_xlabel() == "Lag in weeks"


def test_autocorrelation_of_an_alternating_and_a_constant_series() -> None:
    values = look.autocorrelation(np.tile([1.0, -1.0], 50), 2)
    np.testing.assert_allclose(values, [-0.99, 0.98])
    assert np.isnan(look.autocorrelation(np.ones(10), 3)).all()


def test_constant_residuals_do_not_fail() -> None:
    fig = plotting.residuals(WEEKS, SALES, np.vstack([SALES, SALES]))
    fig.canvas.draw()
    assert "Mean 0" in fig.axes[1].get_title(loc="left")


@pytest.mark.parametrize("plot", [plotting.trace, plotting.rank])
def test_mcmc_grids_have_one_labelled_panel_per_scalar(plot: Callable[..., Figure]) -> None:
    fig = plot(make_posterior())
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "intercept_contribution",
        "adstock_alpha[TV]",
        "adstock_alpha[Radio]",
        "adstock_alpha[Content Marketing]",
        "gamma_control[price]",
        "y_sigma",
    ]
    assert legend_texts(fig) == [f"Chain {i}" for i in range(4)]
    assert not any(texts(ax) for ax in fig.axes)


def test_trace_plots_the_draws() -> None:
    posterior = make_posterior()
    ax = plotting.trace(posterior.transpose("channel", "draw", "control", "chain")).axes[2]
    expected = posterior["adstock_alpha"].sel(channel="Radio").to_numpy()
    np.testing.assert_array_equal([item.get_ydata() for item in ax.lines], expected)


def test_rank_counts_every_draw_and_shows_a_chain_that_is_off() -> None:
    posterior = make_posterior()
    posterior["y_sigma"][2] += 1000
    counts = [patch.get_data().values for patch in plotting.rank(posterior).axes[-1].patches]
    assert [values.sum() for values in counts] == [100] * 4
    assert counts[2][:15].sum() == 0


def test_forest_has_a_panel_per_variable_and_a_row_per_scalar() -> None:
    fig = plotting.forest(make_posterior())
    labels = [rows(ax) for ax in fig.axes]
    assert labels[0] == [f"adstock_alpha[{name}]" for name in CHANNELS]
    assert sorted(label for (label,) in labels[1:]) == [
        "gamma_control[price]",
        "intercept_contribution",
        "y_sigma",
    ]
    assert legend_texts(fig) == [f"Chain {i}" for i in range(4)]


@pytest.mark.parametrize("chains", [1, 4])
@pytest.mark.parametrize("plot", [plotting.trace, plotting.rank, plotting.forest])
def test_failed_fits_are_drawn_and_named(plot: Callable[..., Figure], chains: int) -> None:
    posterior = make_posterior(chains)
    posterior["y_sigma"][:] = 0.3
    posterior["adstock_alpha"][:, :, 0] = np.nan
    posterior["adstock_alpha"][0, :5, 1] = np.inf
    fig = plot(posterior)
    fig.canvas.draw()
    written = [text for ax in fig.axes for text in (*texts(ax), *rows(ax))]
    for fault in ("no finite draws", "5 draws not finite", "constant"):
        assert sum(fault in text for text in written) == 1
    assert len(legend_texts(fig)) == chains
    if plot is plotting.rank:
        assert ("nothing to be compared with" in title(fig)) == (chains == 1)


def test_one_stuck_chain_is_named() -> None:
    posterior = make_posterior()
    posterior["y_sigma"][2] = 0.3
    assert texts(plotting.trace(posterior).axes[-1]) == ["constant in chain 2"]


def test_many_parameters_are_cut_and_the_title_says_so() -> None:
    values = np.random.default_rng(0).normal(size=(1, 20, 70))
    fig = plotting.forest(xr.Dataset({"eta": (("chain", "draw", "basis"), values)}))
    assert "first 60 of 70 parameters" in title(fig)
    assert len(rows(fig.axes[0])) == 60


def test_empty_posterior_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameters"):
        plotting.trace(xr.Dataset(coords={"chain": [0], "draw": [0, 1]}))


def test_energy_reports_bfmi_per_chain() -> None:
    values = np.random.default_rng(0).normal(size=(3, 400))
    values[1] = np.cumsum(values[1])
    fig = plotting.energy(energies(values))
    expected = [np.square(np.diff(row)).mean() / np.var(row, ddof=1) for row in values]
    for chain, value in enumerate(expected):
        assert f"Chain {chain}: BFMI {value:.2f}" in legend_texts(fig)
    assert f"Lowest BFMI {expected[1]:.2f}" in subtitle(fig)


def test_energy_that_cannot_be_measured_is_nan_not_good() -> None:
    values = np.random.default_rng(0).normal(size=(4, 100))
    values[0], values[1, 3], values[2] = 5.0, np.nan, np.nan
    fig = plotting.energy(energies(values))
    fig.canvas.draw()
    assert [text.endswith("nan") for text in legend_texts(fig)[2:]] == [True, True, True, False]
    assert "Lowest BFMI nan" in subtitle(fig)
    plotting.energy(energies(np.full((2, 10), np.nan))).canvas.draw()


def test_energy_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="no 'energy', only \\['lp'\\]"):
        plotting.energy(xr.Dataset({"lp": ("chain", [1.0])}))


def test_contributions_stack_to_the_sum_with_negatives_below_zero() -> None:
    parts = make_parts()
    fig = plotting.contributions_over_time(WEEKS, parts, SALES)
    (ax,) = fig.axes
    np.testing.assert_allclose(line(ax, "Sum of parts"), parts.sum(axis=1))
    np.testing.assert_array_equal(line(ax, "Observed"), SALES)
    assert set(legend_texts(fig)) == {*parts.columns, "Sum of parts", "Observed"}
    tops = [item.get_paths()[0].vertices[:, 1] for item in ax.collections]
    assert max(top.max() for top in tops) == pytest.approx(parts.clip(lower=0).sum(axis=1).max())
    assert min(top.min() for top in tops) == pytest.approx(parts.clip(upper=0).sum(axis=1).min())


def test_nine_channels_and_a_base_get_different_colours() -> None:
    names = ["Baseline", "seasonality", "controls", *(f"channel {i}" for i in range(9))]
    assert len(set(look.part_colors(names))) == 12


def test_channel_contribution_puts_spend_in_its_own_panel() -> None:
    fig = CASES["channel_contribution"]()
    top, bottom = fig.axes
    assert title(fig).startswith("TV")
    np.testing.assert_allclose(line(top, "Mean"), DRAWS.mean(axis=0))
    np.testing.assert_allclose([bar.get_height() for bar in bottom.patches], SPEND)
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("Sales per week", "Spend per week")


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
    assert "1.23 (0.74 to 2.09)" in texts(ax)
    assert any(np.array_equal(item.get_xdata(), [1, 1]) for item in ax.lines)
    assert ax.get_xlabel() == "Sales per unit of spend"
    assert "dashed" in subtitle(fig)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_roas_has_no_line_at_one_when_far_away(factor: float) -> None:
    table = make_intervals()
    table.iloc[:, 1:] *= factor
    fig = plotting.roas(table)
    assert not any(np.array_equal(item.get_xdata(), [1, 1]) for item in fig.axes[0].lines)
    assert "dashed" not in subtitle(fig)


def test_roas_far_apart_goes_to_a_log_axis() -> None:
    table = make_intervals()
    table.iloc[0, 1:] = table.iloc[0, 1:].astype(float) * 100
    ax = plotting.roas(table).axes[0]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel().endswith("log scale")


def test_roas_unknown_is_written_as_such() -> None:
    table = make_intervals()
    table.iloc[1, 1:] = np.nan
    fig = plotting.roas(table)
    fig.canvas.draw()
    assert "n/a (n/a to n/a)" in texts(fig.axes[0])


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
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Spend per week", "Sales per week")


def test_saturation_curve_of_a_channel_never_spent() -> None:
    fig = plotting.saturation_curve(make_curve("spend"), np.zeros(60))
    fig.canvas.draw()
    assert "Mean spend 0" in legend_texts(fig)


@pytest.mark.parametrize("column", ["lag", "spend"])
def test_curves_of_two_channels_are_refused(column: str) -> None:
    both = pd.concat([make_curve(column), make_curve(column).assign(channel="Radio")])
    with pytest.raises(ValueError, match=r"one channel, got \['TV', 'Radio'\]"):
        if column == "lag":
            plotting.adstock_curve(both)
        else:
            plotting.saturation_curve(both, SPEND)


def test_budget_comparison_shows_change_and_bounds() -> None:
    fig = CASES["budget_comparison"]()
    (ax,) = fig.axes
    assert title(fig) == "Plan of the quarter"
    assert texts(ax)[:3] == ["+50%", "-50%", "new"]
    assert [bar.get_width() for bar in ax.patches] == [1e6, 2e6, 0, 1.5e6, 1e6, 5e5]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), make_budget()["lower_bound"])
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), make_budget()["upper_bound"])
    assert "Total 3M now, 3M planned" in subtitle(fig)
    assert set(legend_texts(fig)) == {"Current", "Planned", "Bounds of the plan"}


def test_budget_comparison_survives_wide_and_missing_bounds() -> None:
    table = make_budget().assign(upper_bound=[np.inf, 1e9, np.nan])
    fig = plotting.budget_comparison(table, "From $1M to $2M")
    fig.canvas.draw()
    assert not any(text.get_parse_math() for text in fig.texts)
    assert fig.axes[0].get_xlim()[1] < 5e6
    assert "bounds go beyond the view" in subtitle(fig)
    nothing = table.assign(current=0.0, planned=0.0)
    plotting.budget_comparison(nothing, "Nothing").canvas.draw()


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


@pytest.mark.parametrize("count", [1, 2, 9])
def test_any_number_of_channels_fits(count: int) -> None:
    names = [f"Online marketing {i}" for i in range(count)]
    value = np.linspace(1, 2, count)
    limits = {"lower_50": value, "upper_50": value, "lower_94": value, "upper_94": value}
    table = pd.DataFrame({"channel": names, "mean": value, "median": value, **limits})
    fig = plotting.roas(table)
    fig.canvas.draw()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0


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


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1.234, 0.5, 3.0), "1.23 (0.50 to 3.00)"),
        ((131.0, 65.0, 262.0), "131 (65 to 262)"),
        ((0.157, 0.0781, 0.31), "0.157 (0.078 to 0.310)"),
        ((2340.0, 1170.0, 4690.0), "2.34k (1.17k to 4.69k)"),
        ((0.0, 0.0, 0.0), "0 (0 to 0)"),
    ],
)
def test_values_with_intervals(values: tuple[float, float, float], text: str) -> None:
    assert look.value_text(*values) == text
