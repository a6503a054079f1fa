"""Log-likelihood by week, log-prior by draw, and leave-one-out prediction: NumPy, no compilation.

A trace holds the free parameters only, and the model's mean comes from its decomposition. Both
densities are simple functions of these; asking PyMC for them would compile a graph each time.
"""

import warnings

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.contraction import STORED_NAMES, prior_distribution
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.settings.experiment import ModelConfig

DRAW = ("chain", "draw")
HIGH_K = "Estimated shape parameter of Pareto distribution"


def fitted_log_likelihood(fitted: FittedModel) -> xr.DataArray:
    """Return a fitted model's log-likelihood of each week, see `log_likelihood`."""
    sigma = fitted.trace["posterior"]["y_sigma"] * fitted.target_scale
    return log_likelihood(
        fitted.observed, fitted.decompose().mean.to_numpy(), sigma, weeks=fitted.weeks
    )


def log_likelihood(
    observed: np.ndarray, mean: np.ndarray, sigma: xr.DataArray, weeks: np.ndarray
) -> xr.DataArray:
    """Return the log density of each week's sales under each draw.

    Everything is in sales units, so that models that scale the target differently compare.

    Parameters
    ----------
    observed
        Sales, shape (week,).
    mean
        The model's mean, shape (sample, week), samples chain by chain.
    sigma
        Standard deviation of the noise, dims (chain, draw).
    weeks
        Dates, shape (week,).

    Returns
    -------
    xarray.DataArray
        Dims (chain, draw, week).

    Raises
    ------
    ValueError
        When the shapes do not belong together.
    """
    sigma = sigma.transpose(*DRAW)
    wanted = (sigma.size, len(weeks))
    if mean.shape != wanted or observed.shape != wanted[1:]:
        raise ValueError(
            f"mean must have shape {wanted} and observed {wanted[1:]} for these draws and weeks; "
            f"got {mean.shape} and {observed.shape}"
        )
    spread = sigma.to_numpy().reshape(-1, 1)
    density = -0.5 * ((observed - mean) / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))
    return xr.DataArray(
        density.reshape(*sigma.shape, -1),
        dims=(*DRAW, "week"),
        coords={**{dim: sigma[dim] for dim in DRAW}, "week": weeks},
        name="log_likelihood",
    )


def log_prior(posterior: xr.Dataset, config: ModelConfig) -> xr.DataArray:
    """Return the log density of each draw under the joint prior.

    It is the density of the parameters themselves, without the Jacobian of the transformations
    that the sampler works on: power-scaling raises the prior, not the prior times a Jacobian.

    Parameters
    ----------
    posterior
        Every free parameter, dims (chain, draw, ...).
    config
        Model with its priors.

    Returns
    -------
    xarray.DataArray
        Dims (chain, draw).
    """
    total = xr.zeros_like(posterior["y_sigma"].transpose(*DRAW))
    for name, prior in config.priors.items():
        stored = STORED_NAMES.get(name, name)
        if stored not in posterior:
            continue  # no control or no seasonality in this model
        draws = posterior[stored].transpose(*DRAW, ...).to_numpy()
        density = prior_distribution(prior).logpdf(draws)
        total = total + density.reshape(*total.shape, -1).sum(axis=-1)
    return total.rename("log_prior")


def loo(likelihood: xr.DataArray, posterior: xr.Dataset) -> az.ELPDData:
    """Estimate how well each week would be predicted by a fit without it (PSIS-LOO).

    Parameters
    ----------
    likelihood
        Log-likelihood, dims (chain, draw, week).
    posterior
        Free parameters; they tell how many independent draws there are.

    Returns
    -------
    arviz.ELPDData
        `elpd`, its standard error `se`, and by week `elpd_i` and `pareto_k`. An estimate from
        draws that are not finite is NaN.
    """
    tree = xr.DataTree.from_dict(
        {"posterior": posterior, "log_likelihood": likelihood.to_dataset(name="sales")}
    )
    with warnings.catch_warnings():  # a high k is judged by `plausibility`, with its week
        warnings.filterwarnings("ignore", HIGH_K, UserWarning)
        return az.loo(tree, pointwise=True)


def loo_table(estimate: az.ELPDData) -> pd.DataFrame:
    """Return an estimate (`loo`) by week: columns week, elpd_i, pareto_k."""
    return pd.DataFrame(
        {
            "week": estimate.elpd_i["week"].to_numpy(),
            "elpd_i": estimate.elpd_i.to_numpy(),
            "pareto_k": estimate.pareto_k.to_numpy(),
        }
    )
