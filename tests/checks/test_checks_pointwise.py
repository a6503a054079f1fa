"""Densities in NumPy, held against PyMC's own; leave-one-out on a model whose answer is known."""

import math

import numpy as np
import pandas as pd
import pymc
import pytest
import xarray as xr

from drawn_model import drawn_model
from mmm_demo.checks.pointwise import fitted_log_likelihood, log_likelihood, log_prior, loo
from mmm_demo.fits.response import Response
from mmm_demo.settings.experiment import ModelConfig, ScalingConfig

RNG = np.random.default_rng(8)
WEEKS = pd.date_range("2024-01-01", periods=40, freq="7D").to_numpy()


def test_log_likelihood_is_pymcs_in_sales_units() -> None:
    fitted = drawn_model()
    theirs = pymc.stats.compute_log_likelihood(
        fitted.mmm.idata.copy(), model=fitted.mmm.model, var_names=["y"], progressbar=False
    )["log_likelihood"]["y"].transpose("chain", "draw", "date")
    ours = fitted_log_likelihood(fitted)
    assert ours.dims == ("chain", "draw", "week")
    assert (ours["week"].to_numpy() == fitted.weeks).all()
    # PyMC's density is that of sales divided by the scale.
    expected = theirs.to_numpy() - math.log(fitted.target_scale)
    np.testing.assert_allclose(ours.to_numpy(), expected, rtol=1e-6)


def test_log_prior_is_pymcs_without_the_jacobian() -> None:
    fitted = drawn_model()
    theirs = pymc.stats.compute_log_prior(
        fitted.mmm.idata.copy(), model=fitted.mmm.model, progressbar=False
    )["log_prior"].to_dataset()
    total = sum(
        values.transpose("chain", "draw", ...).to_numpy().reshape(*values.shape[:2], -1).sum(-1)
        for values in theirs.data_vars.values()
    )
    ours = log_prior(fitted.trace["posterior"].to_dataset(), fitted.config)
    assert ours.dims == ("chain", "draw")
    np.testing.assert_allclose(ours.to_numpy(), total, rtol=1e-6)


def test_log_prior_sees_every_parameter() -> None:
    fitted = drawn_model()
    posterior = fitted.trace["posterior"].to_dataset()
    before = log_prior(posterior, fitted.config)
    for name in posterior.data_vars:
        changed = posterior.assign({name: posterior[name] * 0.9})
        assert (log_prior(changed, fitted.config) != before).all(), name


def test_log_prior_outside_its_support_is_nothing() -> None:
    fitted = drawn_model()
    posterior = fitted.trace["posterior"].to_dataset()
    negative = posterior.assign(y_sigma=-posterior["y_sigma"])
    assert (log_prior(negative, fitted.config) == -np.inf).all()


def test_parts_that_a_model_lacks_are_left_out() -> None:
    fitted = drawn_model()
    posterior = fitted.trace["posterior"].to_dataset()
    plain = ModelConfig(channel_columns=("TV", "Radio"), yearly_seasonality=0)
    without = log_prior(posterior.drop_vars(["gamma_control", "gamma_fourier"]), plain)
    assert np.isfinite(without).all()
    assert (without != log_prior(posterior, plain)).all()


def sigma_of(chains: int, draws: int, value: float = 2.0) -> xr.DataArray:
    return xr.DataArray(
        np.full((chains, draws), value),
        dims=("chain", "draw"),
        coords={"chain": range(chains), "draw": range(draws)},
    )


def around(observed: np.ndarray, sigma: xr.DataArray) -> Response:
    """Return a model that knows nothing but its noise."""
    model = ModelConfig(channel_columns=("TV",), yearly_seasonality=0)
    weeks = pd.DataFrame({"Week": WEEKS[: len(observed)], "Sales": observed})
    return Response(model, ScalingConfig(1.0, (1.0,)), xr.Dataset({"y_sigma": sigma}), weeks)


def test_samples_run_chain_by_chain() -> None:
    sigma = sigma_of(2, 3)
    sigma[:] = np.arange(1.0, 7.0).reshape(2, 3)
    mean = np.zeros((6, 40))
    density = log_likelihood(around(np.zeros(40), sigma), mean)
    np.testing.assert_allclose(density[1, 0], -math.log(4.0 * math.sqrt(2 * math.pi)))
    turned = log_likelihood(around(np.zeros(40), sigma.transpose("draw", "chain")), mean)
    xr.testing.assert_equal(turned, density)


@pytest.mark.parametrize("shape", [(5, 40), (6, 39), (40, 6)])
def test_shapes_that_do_not_belong_together_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"mean must have shape \(6, 40\).*got"):
        log_likelihood(around(np.zeros(40), sigma_of(2, 3)), np.zeros(shape))


def normal_mean_fit(observed: np.ndarray) -> tuple[xr.DataArray, xr.Dataset]:
    """Return the exact posterior of a normal mean with known noise 2, and its log-likelihood."""
    weeks = len(observed)
    means = RNG.normal(observed.mean(), 2 / math.sqrt(weeks), (4, 500))
    mean = np.repeat(means.reshape(-1, 1), weeks, axis=1)
    sigma = sigma_of(4, 500)
    likelihood = log_likelihood(around(observed, sigma), mean)
    return likelihood, xr.Dataset({"mean": (("chain", "draw"), means)}, dict(sigma.coords))


def test_loo_of_a_model_whose_answer_is_known() -> None:
    observed = RNG.normal(10, 2, 40)
    estimate = loo(*normal_mean_fit(observed))
    exact = []
    for week in range(40):  # leaving one out leaves a normal posterior of the other weeks
        others = np.delete(observed, week)
        spread = 2 * math.sqrt(1 + 1 / 39)
        z = (observed[week] - others.mean()) / spread
        exact.append(-0.5 * z**2 - math.log(spread * math.sqrt(2 * math.pi)))
    np.testing.assert_allclose(estimate.elpd_i.to_numpy(), exact, atol=0.01)
    assert estimate.elpd == pytest.approx(sum(exact), abs=0.05)
    assert estimate.se > 0
    assert float(estimate.pareto_k.max()) < 0.7
    assert (estimate.elpd_i["week"].to_numpy() == WEEKS).all()


def test_week_far_from_all_others_has_a_high_k_and_no_warning() -> None:
    observed = RNG.normal(10, 2, 10)
    observed[4] += 60
    estimate = loo(*normal_mean_fit(observed))
    assert int(estimate.pareto_k.to_numpy().argmax()) == 4
    assert float(estimate.pareto_k.max()) > 0.7


def test_draws_that_are_not_finite_give_no_estimate() -> None:
    likelihood, posterior = normal_mean_fit(RNG.normal(10, 2, 40))
    likelihood[0, 0, 3] = np.nan
    estimate = loo(likelihood, posterior)
    assert math.isnan(estimate.elpd)
    assert math.isnan(estimate.elpd_i[3])
