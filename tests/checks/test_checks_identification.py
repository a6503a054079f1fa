"""Identification: posteriors whose answer is known, and the model's own formula in NumPy."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from drawn_model import drawn_model
from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.checks.identification import (
    DATA_DRIVEN,
    PRIOR_DRIVEN,
    channel_labels,
    identification_checks,
    identification_table,
    inseparable_pairs,
    judge_channels,
    overlap,
    power_sensitivity,
    prior_roas,
)
from mmm_demo.checks.pointwise import fitted_log_likelihood
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.settings.limits import FIT_BATTERIES

RNG = np.random.default_rng(21)
CHAINS, DRAWS = 4, 1000
SAMPLES = CHAINS * DRAWS
SPEND = pd.Series({"TV": 300.0, "Radio": 100.0})


def roas_of(**channels: np.ndarray) -> xr.DataArray:
    """Return ROAS draws, dims (sample, channel)."""
    return xr.DataArray(
        np.column_stack(list(channels.values())),
        dims=("sample", "channel"),
        coords={"channel": list(channels)},
    )


def sensitivity_of(prior: float = 0.01, likelihood: float = 0.1) -> pd.DataFrame:
    row = {"prior_sensitivity": prior, "likelihood_sensitivity": likelihood}
    return pd.DataFrame([row, row], index=["TV", "Radio"])


def test_draws_from_the_prior_are_told_to_be_the_prior() -> None:
    fitted = drawn_model()  # its posterior was drawn from the priors
    table = identification_table(fitted, fitted_log_likelihood(fitted))
    assert list(table["channel"]) == ["TV", "Radio"]
    assert (table["overlap"] > 0.6).all()  # sixty draws in twenty-five bins
    assert table["contraction"].abs().max() < 0.6
    assert table["spend_share"].sum() == pytest.approx(1)
    assert {"adstock_alpha", "saturation_lam", "saturation_beta"} < set(table.columns)
    assert np.isfinite(table.drop(columns=["channel", "label"])).all(axis=None)


def test_labels_without_the_models_graph_are_those_with_it() -> None:
    posterior = drawn_model().trace["posterior"].to_dataset()
    narrow = posterior.mean() + 0.02 * (posterior - posterior.mean())
    table = drawn_model().trace[WEEKLY_TABLE].to_dataset()
    found = {}
    for label, draws in {"wide": posterior, "narrow": narrow}.items():
        tree = xr.DataTree.from_dict({"posterior": draws, WEEKLY_TABLE: table})
        fitted = FittedModel(drawn_model().config, tree)
        whole = identification_table(fitted, fitted_log_likelihood(fitted))
        found[label] = channel_labels(fitted)
        assert found[label] == dict(zip(whole["channel"], whole["label"], strict=True))
    assert found["wide"] == {"TV": PRIOR_DRIVEN, "Radio": PRIOR_DRIVEN}
    assert found["narrow"] == {"TV": DATA_DRIVEN, "Radio": DATA_DRIVEN}


def test_labels_of_draws_that_are_no_numbers_are_not_assessable() -> None:
    posterior = drawn_model().trace["posterior"].to_dataset().copy(deep=True)
    posterior["saturation_beta"] = posterior["saturation_beta"] * np.nan
    table = drawn_model().trace[WEEKLY_TABLE].to_dataset()
    tree = xr.DataTree.from_dict({"posterior": posterior, WEEKLY_TABLE: table})
    labels = channel_labels(FittedModel(drawn_model().config, tree))
    assert labels == {"TV": NOT_ASSESSABLE, "Radio": NOT_ASSESSABLE}


def test_prior_draws_are_the_models_own() -> None:
    fitted = drawn_model()
    drawn = prior_roas(fitted, draws=4000)
    assert list(drawn["channel"].values) == ["TV", "Radio"]
    xr.testing.assert_equal(drawn, prior_roas(fitted, draws=4000))
    # Its posterior was drawn from the priors: PyMC's ROAS of sixty such draws lie among ours.
    for channel in ("TV", "Radio"):
        found = stats.ks_2samp(drawn.sel(channel=channel), fitted.roas().sel(channel=channel))
        assert found.pvalue > 0.01, channel


def test_prior_that_differs_by_channel_is_drawn_by_channel() -> None:
    # The same spend in both channels leaves their priors as the only difference: 0.2 and 0.4.
    fitted = drawn_model()
    table = fitted.trace[WEEKLY_TABLE].to_dataset()
    groups = {"posterior": fitted.trace["posterior"], WEEKLY_TABLE: table.assign(Radio=table["TV"])}
    same = FittedModel(fitted.config, xr.DataTree.from_dict(groups))
    median = prior_roas(same, draws=20_000).median("sample")
    assert float(median[1] / median[0]) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0, 6.0])
def test_overlap_of_two_normals(shift: float) -> None:
    found = overlap(RNG.normal(0, 1, 8000), RNG.normal(shift, 1, 8000))
    assert found == pytest.approx(2 * stats.norm.cdf(-shift / 2), abs=0.04)


def test_overlap_knows_no_scale() -> None:
    first, second = RNG.normal(0, 1, 2000), RNG.normal(1, 1, 2000)
    assert overlap(np.exp(5 * first), np.exp(5 * second)) == overlap(first, second)


def test_overlap_of_a_narrow_posterior_inside_its_prior_is_small() -> None:
    crossing = 2.15  # where the densities of sd 1 and sd 0.1 are equal, in units of 0.1
    exact = 2 * (stats.norm.cdf(0.1 * crossing) - 0.5) + 2 * stats.norm.sf(crossing)
    found = overlap(RNG.normal(0, 1, 8000), RNG.normal(0, 0.1, 8000))
    assert found == pytest.approx(exact, abs=0.04)


@pytest.mark.parametrize("spoilt", [np.array([]), np.array([1.0, np.nan]), np.array([np.inf])])
def test_overlap_of_nothing_is_unknown(spoilt: np.ndarray) -> None:
    assert math.isnan(overlap(spoilt, np.ones(3)))
    assert math.isnan(overlap(np.ones(3), spoilt))


def test_posterior_equal_to_its_prior_is_prior_driven() -> None:
    prior = roas_of(TV=RNG.gamma(2, 1, SAMPLES), Radio=RNG.gamma(2, 1, SAMPLES))
    told = roas_of(TV=RNG.gamma(2, 1, SAMPLES), Radio=RNG.normal(3, 0.1, SAMPLES))
    table = judge_channels(told, prior, sensitivity_of(), SPEND).set_index("channel")
    assert table.loc["TV", "overlap"] > 0.93
    assert table.loc["TV", "contraction"] == pytest.approx(0, abs=0.1)
    assert table.loc["Radio", "contraction"] > 0.98
    assert list(table["label"]) == [PRIOR_DRIVEN, DATA_DRIVEN]
    assert list(table["spend_share"]) == [0.75, 0.25]


@pytest.mark.parametrize(
    ("prior", "label"),
    [(0.049, DATA_DRIVEN), (0.05, PRIOR_DRIVEN), (math.nan, NOT_ASSESSABLE)],
)
def test_label_by_sensitivity(prior: float, label: str) -> None:
    before = roas_of(TV=RNG.normal(0, 9, SAMPLES), Radio=RNG.normal(0, 9, SAMPLES))
    told = roas_of(TV=RNG.normal(3, 0.1, SAMPLES), Radio=RNG.normal(3, 0.1, SAMPLES))
    table = judge_channels(told, before, sensitivity_of(prior), SPEND)
    assert set(table["label"]) == {label}


def normal_model(
    prior_sd: float, weeks: int = 50
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return exact draws, log-likelihood and log-prior of a normal mean known from many weeks.

    The data say 3 with a noise of 1; the prior says 0 with `prior_sd`.
    """
    observed = 3 + np.random.default_rng(1).normal(size=weeks)
    precision = weeks + prior_sd**-2
    best = observed.sum() / precision
    draws = np.random.default_rng(2).normal(best, precision**-0.5, (CHAINS, DRAWS))
    dims, coords = ("chain", "draw"), {"chain": range(CHAINS), "draw": range(DRAWS)}
    density = stats.norm(draws[..., None], 1).logpdf(observed)
    likelihood = xr.DataArray(density, dims=(*dims, "week"), coords=coords)
    prior = xr.DataArray(stats.norm(0, prior_sd).logpdf(draws), dims=dims, coords=coords)
    return roas_of(TV=draws.reshape(-1)), likelihood, prior


def test_only_a_prior_that_disagrees_with_the_data_is_felt() -> None:
    weak = power_sensitivity(*normal_model(prior_sd=10.0)).loc["TV"]
    strong = power_sensitivity(*normal_model(prior_sd=0.2)).loc["TV"]
    assert weak["prior_sensitivity"] < 0.01
    assert strong["prior_sensitivity"] > 0.05
    assert weak["likelihood_sensitivity"] > 0.05


def test_without_data_the_likelihood_is_not_felt() -> None:
    roas, likelihood, prior = normal_model(prior_sd=1.0)
    table = power_sensitivity(roas, likelihood * 1e-9, prior)
    assert table.loc["TV", "likelihood_sensitivity"] < 0.01


def test_what_cannot_be_measured_has_no_sensitivity() -> None:
    roas, likelihood, prior = normal_model(prior_sd=1.0)
    draws = roas.sel(channel="TV").to_numpy()
    spoilt = np.where(np.arange(SAMPLES) == 9, np.nan, draws)
    three = roas_of(TV=draws, Radio=spoilt, Social=np.ones(SAMPLES))
    table = power_sensitivity(three, likelihood, prior)
    assert table.loc["TV"].notna().all()
    assert table.loc[["Radio", "Social"]].isna().all(axis=None)
    alone = power_sensitivity(roas, likelihood, prior)
    pd.testing.assert_frame_equal(table.loc[["TV"]], alone)
    prior[0, 0] = np.nan
    assert power_sensitivity(roas, likelihood, prior).isna().all(axis=None)


def shared_spend() -> xr.DataArray:
    """Return three channels; the data know the sum of the first two only."""
    total, split = RNG.normal(10, 0.1, SAMPLES), RNG.normal(0, 1, SAMPLES)
    return roas_of(TV=total / 2 + split, Radio=total / 2 - split, Social=RNG.normal(1, 1, SAMPLES))


def test_channels_that_share_their_spend_are_named() -> None:
    pairs = inseparable_pairs(shared_spend())
    assert pairs[["channel_a", "channel_b"]].to_numpy().tolist() == [["TV", "Radio"]]
    assert pairs["correlation"][0] == pytest.approx(-0.995, abs=0.01)


def test_independent_channels_are_separable() -> None:
    roas = roas_of(TV=RNG.normal(size=SAMPLES), Radio=RNG.normal(size=SAMPLES))
    pairs = inseparable_pairs(roas)
    assert pairs.empty
    assert list(pairs.columns) == ["channel_a", "channel_b", "correlation"]


def table_of(**labels: str) -> pd.DataFrame:
    shares = {"TV": 0.6, "Radio": 0.3, "Social": 0.1}
    rows = [(name, shares[name], label) for name, label in labels.items()]
    return pd.DataFrame(rows, columns=["channel", "spend_share", "label"])


@pytest.mark.parametrize(
    ("labels", "share", "passed", "where"),
    [
        ({"TV": DATA_DRIVEN, "Radio": PRIOR_DRIVEN, "Social": PRIOR_DRIVEN}, 0.4, True, "Radio, "),
        ({"TV": PRIOR_DRIVEN, "Radio": DATA_DRIVEN, "Social": DATA_DRIVEN}, 0.6, True, "TV"),
        ({"TV": PRIOR_DRIVEN, "Radio": DATA_DRIVEN, "Social": PRIOR_DRIVEN}, 0.7, False, "TV, "),
        ({"TV": DATA_DRIVEN, "Radio": NOT_ASSESSABLE}, math.nan, False, "Radio"),
        ({}, math.nan, False, ""),
    ],
)
def test_share_of_spend_that_the_prior_decides(
    labels: dict[str, str], share: float, passed: bool, where: str
) -> None:
    check = identification_checks(table_of(**labels), shared_spend())[0]
    assert (check.name, check.stage) == ("prior_driven_share", FIT_BATTERIES[1])
    assert check.value == pytest.approx(share, nan_ok=True)
    assert check.passed is passed
    assert check.where.startswith(where)
    assert (check.status == NOT_ASSESSABLE) == math.isnan(share)


def test_worst_pair_is_judged() -> None:
    table = table_of(TV=DATA_DRIVEN, Radio=DATA_DRIVEN, Social=DATA_DRIVEN)
    check = identification_checks(table, shared_spend())[1]
    assert (check.name, check.passed, check.where) == (
        "roas_correlation_min",
        False,
        "TV and Radio",
    )
    apart = roas_of(TV=RNG.normal(size=SAMPLES), Radio=RNG.normal(size=SAMPLES))
    assert identification_checks(table, apart)[1].passed


@pytest.mark.parametrize("value", [np.nan, 1.0])
def test_pair_that_cannot_be_measured_is_not_assessable(value: float) -> None:
    table = table_of(TV=DATA_DRIVEN, Radio=DATA_DRIVEN, Social=DATA_DRIVEN)
    roas = shared_spend()
    roas[:, 2] = value
    check = identification_checks(table, roas)[1]
    assert check.status == NOT_ASSESSABLE
    assert "Social" in check.where
    assert check.stage == FIT_BATTERIES[1]


def test_single_channel_has_no_pair() -> None:
    roas = roas_of(TV=RNG.normal(size=SAMPLES))
    checks = identification_checks(table_of(TV=DATA_DRIVEN), roas)
    assert [check.name for check in checks] == ["prior_driven_share"]
    assert inseparable_pairs(roas).empty
