"""Log-likelihood by week, log-prior by draw, and leave-one-out prediction: NumPy, no compilation.

A trace holds the free parameters only, and the model's mean comes from its decomposition. Both
densities are simple functions of these; asking PyMC for them would compile a graph each time.

The log-likelihood takes the one-step law of the noise (`forms.kinds.Noise`): each week given the
sales before it. So fits compare whether or not their residuals hang together; where they do,
leave-one-out leaves out what a week adds to the weeks before it, not that week from those after.
"""

import warnings

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import prior_distribution
from mmm_demo.fits.response import Response
from mmm_demo.forms.registry import STORED_NAMES
from mmm_demo.settings.experiment import ModelConfig

DRAW = ("chain", "draw")
HIGH_K = "Estimated shape parameter of Pareto distribution"


def fitted_log_likelihood(fitted: FittedModel) -> xr.DataArray:
    """Return a fitted model's log-likelihood of each week, see `log_likelihood`."""
    return log_likelihood(fitted.response, fitted.decompose().mean.to_numpy())


def log_likelihood(response: Response, mean: np.ndarray) -> xr.DataArray:
    """Return the log density of each training week's sales under each draw.

    Everything is in sales units, so that models that scale the target differently compare.

    Parameters
    ----------
    response
        The model with its draws and training weeks.
    mean
        The model's mean, shape (sample, week), samples chain by chain.

    Returns
    -------
    xarray.DataArray
        Dims (chain, draw, week).

    Raises
    ------
    ValueError
        When the mean is not of these draws and weeks.
    """
    weeks = response.training[response.config.date_column].to_numpy()
    draws = {dim: response.posterior[dim] for dim in DRAW}
    shape = (*(response.posterior.sizes[dim] for dim in DRAW), len(weeks))
    if mean.shape != (shape[0] * shape[1], shape[2]):
        raise ValueError(
            f"mean must have shape {(shape[0] * shape[1], shape[2])} for these draws and weeks; "
            f"got {mean.shape}"
        )
    return xr.DataArray(
        response.log_density(mean).reshape(shape),
        dims=(*DRAW, "week"),
        coords={**draws, "week": weeks},
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
    total = xr.DataArray(0.0, {dim: posterior[dim] for dim in DRAW}, DRAW)
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
