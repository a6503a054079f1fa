"""Noise in the graph and in what comes after a fit: density, draws, predictions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from pymc_marketing.mmm import MMM
from pymc_marketing.serialization import serialization
from scipy import stats

from drawn_model import DIMS, drawn_model
from mmm_demo.checks.contraction import contraction_table
from mmm_demo.checks.pointwise import fitted_log_likelihood, log_prior
from mmm_demo.evidence.sensitivity import variants
from mmm_demo.fits.build import build_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.likelihood import OwnLikelihood
from mmm_demo.fits.prior import prior_draws, sample_prior
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.forms.registry import FORMS
from mmm_demo.settings.experiment import ModelConfig

DRAWN = drawn_model()
DRAWS = 400
WEEK = pd.Timedelta(days=7)
CASES = [("normal", True), ("student_t", False), ("student_t", True)]
cases = pytest.mark.parametrize(("noise", "autocorrelation"), CASES)
NOISE = {"y_sigma": 0.05, "y_rho": 0.7, "y_nu_above_2": 2.0}


def as_fitted(config: ModelConfig, draws: int = DRAWS) -> FittedModel:
    """Return a model of one truth, drawn from its priors with this noise, and sales of its own."""
    table = DRAWN.table
    drawn = prior_draws(config, draws, dict.fromkeys(config.priors, np.random.default_rng(2)))
    one = drawn.isel(draw=[0] * draws)  # so that the noise alone differs
    for name in {*NOISE} & {*one}:
        one[name] = xr.full_like(one[name], NOISE[name])
    items = [item for item in config.form("baseline").parameters if item.items]
    named = dict(DIMS.values()) | {item.dim: list(item.items) for item in items}
    one = one.assign_coords(chain=[0], draw=range(draws), **named)
    weekly = xr.Dataset.from_dataframe(table.rename_axis("row"))
    made = FittedModel(config, xr.DataTree.from_dict({"posterior": one, WEEKLY_TABLE: weekly}))
    sales = made.response.sales(table, np.random.default_rng(9))[0]
    weekly["Sales"] = ("row", sales)
    return FittedModel(
        replace(config, scaling=made.response.scaling),
        xr.DataTree.from_dict({"posterior": one, WEEKLY_TABLE: weekly}),
    )


def model_of(noise: str, autocorrelation: bool, **others: object) -> ModelConfig:
    return replace(DRAWN.config, noise=noise, autocorrelation=autocorrelation, priors={}, **others)


def graphs_density(fitted: FittedModel) -> np.ndarray:
    """Return the log density of each week as PyMC has it, in sales units."""
    found = pm.stats.compute_log_likelihood(
        fitted.mmm.idata.copy(), model=fitted.mmm.model, var_names=["y"], progressbar=False
    )["log_likelihood"]["y"].transpose("chain", "draw", "date")
    return found.to_numpy() - np.log(fitted.target_scale)


# The graph


@cases
@pytest.mark.parametrize("baseline", FORMS["baseline"])
def test_the_density_is_the_graphs_week_by_week(noise, autocorrelation, baseline) -> None:
    fitted = as_fitted(model_of(noise, autocorrelation, baseline=baseline), draws=3)
    assert isinstance(fitted.mmm.model_config["likelihood"], OwnLikelihood)
    ours = fitted_log_likelihood(fitted).to_numpy()
    np.testing.assert_allclose(ours, graphs_density(fitted), rtol=1e-9)


def test_the_density_of_a_t_is_scipys_in_sales_units() -> None:
    fitted = as_fitted(model_of("student_t", False), draws=2)
    scale = fitted.target_scale
    mean = fitted.response.mean(fitted.table)
    expected = stats.t.logpdf(fitted.observed, 4.0, mean, 0.05 * scale)
    np.testing.assert_allclose(fitted.response.log_density(mean), expected, rtol=1e-9)


@cases
def test_a_trace_keeps_a_likelihood_that_the_library_reads_back(noise, autocorrelation) -> None:
    config = model_of(noise, autocorrelation)
    mmm = build_model(config, DRAWN.table)
    made = mmm.model_config["likelihood"]
    kept = serialization.serialize(made)
    assert kept["__type__"] == "mmm_demo.model.OwnLikelihood"
    assert serialization.deserialize(kept) == made
    other = model_of(noise, not autocorrelation)
    assert build_model(other, DRAWN.table).model_config["likelihood"] != made
    again = MMM(**MMM.attrs_to_init_kwargs(mmm.create_idata_attrs()))
    assert again.model_config["likelihood"] == made


def test_the_default_is_the_librarys_own_as_before() -> None:
    likelihood = build_model(DRAWN.config, DRAWN.table).model_config["likelihood"]
    assert (type(likelihood).__name__, likelihood.distribution) == ("Prior", "Normal")
    assert not DRAWN.config.autocorrelation


# Draws and predictions


@cases
def test_prior_draws_have_the_noise(noise, autocorrelation) -> None:
    config = model_of(noise, autocorrelation)
    assert sample_prior(config, DRAWN.table, seed=1, draws=9).shape == (9, len(DRAWN.table))
    fitted = as_fitted(config)
    left = fitted.response.sales(fitted.table, np.random.default_rng(3))
    left = left - fitted.response.mean(fitted.table)
    found = np.mean([np.corrcoef(row[1:], row[:-1])[0, 1] for row in left])
    assert found == pytest.approx(0.7 if autocorrelation else 0.0, abs=0.06)
    assert left.std() == pytest.approx(fitted.response.noise[0], rel=0.15)


@cases
def test_the_predictive_of_the_training_weeks_takes_each_given_those_before(
    noise, autocorrelation
) -> None:
    fitted = as_fitted(model_of(noise, autocorrelation))
    draws, mean = fitted.predictive(), fitted.response.mean(fitted.table)
    assert draws.shape == (DRAWS, len(fitted.table))
    expected = fitted.response.expected(mean)[0]
    middle = np.median(draws, axis=0) - expected
    assert np.abs(middle).max() < 0.4 * 0.05 * fitted.target_scale
    unknown = np.abs(fitted.observed - expected).mean()
    apart = np.abs(fitted.observed - mean[0]).mean()
    assert (unknown < 0.9 * apart) == autocorrelation  # what is known before helps, or not


def after(fitted: FittedModel, weeks: int) -> pd.DataFrame:
    last = fitted.table.iloc[[-1] * weeks].reset_index(drop=True)
    days = [pd.Timestamp(fitted.weeks[-1]) + WEEK * (ahead + 1) for ahead in range(weeks)]
    return last.assign(Week=days).drop(columns="Sales")


def widths(predicted: pd.DataFrame) -> np.ndarray:
    return (predicted["upper_94"] - predicted["lower_94"]).to_numpy()


def test_predictions_start_from_the_last_residual_and_grow_unsure() -> None:
    fitted = as_fitted(model_of("normal", True), draws=4000)
    weeks = after(fitted, 16)
    predicted, mean = (
        fitted.predict(weeks),
        fitted.response.mean(pd.concat([fitted.table, weeks], ignore_index=True))[0],
    )
    left = fitted.observed[-1] - mean[len(fitted.table) - 1]
    scale = 0.05 * fitted.target_scale
    assert abs(left) > 0.3 * scale  # or nothing would be shown
    ahead = np.arange(1, 17)
    shift = predicted["mean"] - mean[len(fitted.table) :]
    assert shift.to_numpy() == pytest.approx(left * 0.7**ahead, abs=0.1 * scale)
    wide = widths(predicted)
    grown = np.sqrt((1 - 0.49**ahead) / (1 - 0.49)) * 2 * 1.8808 * scale
    assert wide == pytest.approx(grown, rel=0.08)
    assert wide[8:].mean() > 1.25 * wide[0]
    same, other = fitted.predict(weeks), fitted.predict(weeks, seed=1)
    assert same.equals(predicted) and not other.equals(predicted)


def test_predictions_do_not_grow_unsure_where_weeks_are_independent() -> None:
    fitted = as_fitted(model_of("student_t", False), draws=4000)
    wide = widths(fitted.predict(after(fitted, 16)))
    assert wide[8:].mean() == pytest.approx(wide[:8].mean(), rel=0.08)


def test_weeks_inside_the_data_are_predicted_from_those_before_them_alone() -> None:
    fitted = as_fitted(model_of("normal", True), draws=2000)
    inside = fitted.table.iloc[50:60].drop(columns="Sales")
    predicted = fitted.predict(inside)
    mean = fitted.response.mean(fitted.table)[0]
    left = (fitted.observed - mean)[49]
    shift = predicted["mean"].to_numpy() - mean[50:60]
    tolerance = 0.15 * 0.05 * fitted.target_scale
    assert shift == pytest.approx(left * 0.7 ** np.arange(1, 11), abs=tolerance)
    first = fitted.predict(fitted.table.head(6).drop(columns="Sales"))  # nothing is known before
    wide = widths(first)
    assert wide == pytest.approx(np.full(6, wide.mean()), rel=0.1)
    assert wide.mean() > 1.25 * widths(predicted)[0]


def test_a_forecast_over_a_gap_is_that_of_its_later_weeks() -> None:
    """A plan that starts weeks after the data: what is known has faded by then."""
    fitted = as_fitted(model_of("normal", True), draws=4000)
    weeks = pd.concat([fitted.table, after(fitted, 10)], ignore_index=True)
    whole = fitted.response.forecast(weeks, np.random.default_rng(1))
    tail = weeks.tail(4 + fitted.config.adstock_max_lag - 1)
    short = fitted.response.forecast(tail, np.random.default_rng(1))
    assert whole.shape[1] == 10 and short.shape[1] == len(tail)
    np.testing.assert_allclose(short[:, -4:], whole[:, -4:], rtol=1e-9)


def test_a_forecast_of_no_week_after_the_known_ones_has_none() -> None:
    fitted = as_fitted(model_of("normal", True), draws=5)
    assert fitted.response.forecast(fitted.table, np.random.default_rng(1)).shape == (5, 0)


def test_a_forecast_of_independent_weeks_is_drawn_as_ever() -> None:
    response = DRAWN.response
    weeks = pd.concat([DRAWN.table, after(DRAWN, 5)], ignore_index=True)
    found = response.forecast(weeks, np.random.default_rng(1))
    drawn = response.sales(weeks, np.random.default_rng(1))
    assert (found == drawn[:, len(DRAWN.table) :]).all()


# What comes after a fit


@cases
def test_every_other_step_takes_the_noise_as_it_is(noise, autocorrelation) -> None:
    config = model_of(noise, autocorrelation)
    fitted = as_fitted(config, draws=20)
    posterior = fitted.trace["posterior"].to_dataset()
    assert np.isfinite(log_prior(posterior, config)).all()
    told = {*contraction_table(posterior, config)["parameter"]}
    own = {item.name for item in config.form("noise").parameters}
    assert own <= told and ("y_rho" in own) == autocorrelation
    for variant in variants(config).values():
        assert (variant.noise, variant.autocorrelation) == (noise, autocorrelation)
