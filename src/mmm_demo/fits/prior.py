"""Draws from the priors, and sales from them: NumPy and SciPy, no compilation."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.settings.experiment import ModelConfig, free_parameters
from mmm_demo.settings.priors import PriorConfig, parameters_of

PRIOR_DRAWS = 500
# PyMC draws each parameter from a stream of its own. It hands them out in this order.
LIBRARYS_ORDER = (
    *("seasonality", "noise", "controls", "adstock", "saturation", "baseline"),
    "event_effects",
)


def sample_prior(
    config: ModelConfig, table: pd.DataFrame, seed: int, draws: int = PRIOR_DRAWS
) -> np.ndarray:
    """Draw sales from the prior alone; lift tests are evidence and have no part in it.

    The draws are those of PyMC-Marketing for this seed, without its graph, where it has the noise.

    Returns
    -------
    numpy.ndarray
        Sales in original units, shape (sample, week).
    """
    free, parameters = free_parameters(config), parameters_of(config.form, LIBRARYS_ORDER)
    names = [name for name, item in parameters.items() if item.variable in free]
    streams = np.random.SeedSequence(seed).spawn(len(names) + 1)
    *own, noise = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    return sales_of(
        config, table, prior_draws(config, draws, dict(zip(names, own, strict=True))), noise
    )


def sales_of(
    config: ModelConfig, table: pd.DataFrame, drawn: xr.Dataset, rng: np.random.Generator
) -> np.ndarray:
    """Draw sales from drawn parameters, noise included; shape (sample, week)."""
    scaling = config.scaling or scaling_of(config, table)
    return Response(config, scaling, drawn, table).sales(table, rng)


def prior_draws(
    config: ModelConfig, draws: int, streams: Mapping[str, np.random.Generator]
) -> xr.Dataset:
    """Draw parameters from their priors.

    Parameters
    ----------
    config
        Model with its priors.
    draws
        How many.
    streams
        Parameters to draw, as priors call them, in this order; each from its own stream or all
        from one. What the model has no value of is left out.

    Returns
    -------
    xarray.Dataset
        Named as in a trace, one chain; dims (chain, draw, ...).
    """
    parameters, sizes, drawn = parameters_of(config.form), free_parameters(config), {}
    for name, stream in streams.items():
        item = parameters[name]
        if item.variable not in sizes:
            continue
        dims = ("chain", "draw", item.dim)[: 3 if item.dim else 2]
        shape = (1, draws, sizes[item.variable])[: len(dims)]
        values = prior_distribution(config.priors[name]).rvs(size=shape, random_state=stream)
        drawn[item.variable] = (dims, values)
    return xr.Dataset(drawn)


def prior_distribution(prior: PriorConfig) -> stats.distributions.rv_frozen:
    """Return a prior as SciPy's distribution, on the model's scale.

    A prior with a list of values is that many distributions in one: `logpdf` and `rvs` take them
    along the last axis.

    Raises
    ------
    ValueError
        When the distribution is none that a prior may have.
    """
    of = {name: np.asarray(value) for name, value in prior.parameters.items()}
    match prior.distribution:
        case "Normal":
            return stats.norm(of["mu"], of["sigma"])
        case "Laplace":
            return stats.laplace(of["mu"], of["b"])
        case "StudentT":
            return stats.t(of["nu"], of["mu"], of["sigma"])
        case "HalfNormal":
            return stats.halfnorm(scale=of["sigma"])
        case "Gamma":
            return stats.gamma(of["alpha"], scale=1 / of["beta"])
        case "LogNormal":
            return stats.lognorm(of["sigma"], scale=np.exp(of["mu"]))
        case "Exponential":
            return stats.expon(scale=1 / of["lam"])
        case "Beta":
            return stats.beta(of["alpha"], of["beta"])
        case _:
            raise ValueError(f"unknown prior distribution {prior.distribution!r}; see `priors`")
