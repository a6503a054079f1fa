"""Plots of the sampler's chains, of fits that worked and of fits that failed."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from mmm_demo.plots import chains as plotting_chains
from plot_data import CHANNELS, energies, legend_texts, make_posterior, rows, subtitle, texts, title
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here


@pytest.mark.parametrize("plot", [plotting_chains.trace, plotting_chains.rank])
def test_mcmc_grids_have_one_labelled_panel_per_scalar(plot: Callable[..., Figure]) -> None:
    fig = plot(make_posterior())
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "intercept_contribution",
        *(f"adstock_alpha[{name}]" for name in CHANNELS),
        "gamma_control[price]",
        "y_sigma",
    ]
    assert legend_texts(fig) == [f"Chain {i}" for i in range(4)]
    assert not any(texts(ax) for ax in fig.axes)


def test_trace_plots_the_draws() -> None:
    posterior = make_posterior()
    ax = plotting_chains.trace(posterior.transpose("channel", "draw", "control", "chain")).axes[2]
    expected = posterior["adstock_alpha"].sel(channel="Radio").to_numpy()
    np.testing.assert_array_equal([item.get_ydata() for item in ax.lines], expected)


def test_rank_counts_every_draw_and_shows_a_chain_that_is_off() -> None:
    posterior = make_posterior()
    posterior["y_sigma"][2] += 1000
    counts = [patch.get_data().values for patch in plotting_chains.rank(posterior).axes[-1].patches]
    assert [values.sum() for values in counts] == [100] * 4
    assert counts[2][:15].sum() == 0


def test_forest_has_a_panel_per_variable_and_a_row_per_scalar() -> None:
    fig = plotting_chains.forest(make_posterior())
    labels = [rows(ax) for ax in fig.axes]
    assert labels[0] == [f"adstock_alpha[{name}]" for name in CHANNELS]
    assert sorted(label for (label,) in labels[1:]) == [
        "gamma_control[price]",
        "intercept_contribution",
        "y_sigma",
    ]
    assert legend_texts(fig) == [f"Chain {i}" for i in range(4)]


@pytest.mark.parametrize("chains", [1, 4])
@pytest.mark.parametrize(
    "plot", [plotting_chains.trace, plotting_chains.rank, plotting_chains.forest]
)
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
    if plot is plotting_chains.rank:
        assert ("nothing to be compared with" in title(fig)) == (chains == 1)


def test_one_stuck_chain_is_named() -> None:
    posterior = make_posterior()
    posterior["y_sigma"][2] = 0.3
    assert texts(plotting_chains.trace(posterior).axes[-1]) == ["constant in chain 2"]


def test_many_parameters_are_cut_and_the_title_says_so() -> None:
    values = np.random.default_rng(0).normal(size=(1, 20, 70))
    fig = plotting_chains.forest(xr.Dataset({"eta": (("chain", "draw", "basis"), values)}))
    assert "first 60 of 70 parameters" in title(fig)
    assert len(rows(fig.axes[0])) == 60


def test_empty_posterior_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameters"):
        plotting_chains.trace(xr.Dataset(coords={"chain": [0], "draw": [0, 1]}))


def test_energy_reports_bfmi_per_chain() -> None:
    values = np.random.default_rng(0).normal(size=(3, 400))
    values[1] = np.cumsum(values[1])
    fig = plotting_chains.energy(energies(values))
    expected = [np.square(np.diff(row)).mean() / np.var(row, ddof=1) for row in values]
    for chain, value in enumerate(expected):
        assert f"Chain {chain}: BFMI {value:.2f}" in legend_texts(fig)
    assert f"Lowest BFMI {expected[1]:.2f}" in subtitle(fig)


def test_energy_that_cannot_be_measured_is_nan_not_good() -> None:
    values = np.random.default_rng(0).normal(size=(4, 100))
    values[0], values[1, 3], values[2] = 5.0, np.nan, np.nan
    fig = plotting_chains.energy(energies(values))
    fig.canvas.draw()
    assert [text.endswith("nan") for text in legend_texts(fig)[2:]] == [True, True, True, False]
    assert "Lowest BFMI nan" in subtitle(fig)
    plotting_chains.energy(energies(np.full((2, 10), np.nan))).canvas.draw()


def test_energy_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="no 'energy', only \\['lp'\\]"):
        plotting_chains.energy(xr.Dataset({"lp": ("chain", [1.0])}))
