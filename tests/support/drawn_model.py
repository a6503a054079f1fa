"""A model with draws from its priors in place of a posterior: real in all but the sampling."""

from functools import cache

import numpy as np
import xarray as xr

from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import prior_distribution
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.forms.registry import STORED_NAMES
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.sources.simulate import simulate_market

CHAINS, DRAWS = 2, 30
DIMS = {
    "adstock_alpha": ("channel", ["TV", "Radio"]),
    "saturation_lam": ("channel", ["TV", "Radio"]),
    "saturation_beta": ("channel", ["TV", "Radio"]),
    "gamma_control": ("control", ["Trend"]),
    "gamma_fourier": ("fourier_mode", ["sin_1", "cos_1"]),
}


@cache
def drawn_model() -> FittedModel:
    """Return a model of two channels, on air at both ends of the data. Shared: change nothing.

    One of its priors differs by channel.
    """
    config = ModelConfig(
        channel_columns=("TV", "Radio"),
        control_columns=("Trend",),
        adstock_max_lag=4,
        yearly_seasonality=1,
        priors={
            "saturation_beta": PriorConfig("HalfNormal", {"sigma": (0.2, 0.4)}, "Radio is large"),
        },
    )
    table = simulate_market(seed=7, weeks=104).table[["Week", "Sales", "TV", "Radio", "Trend"]]
    rng = np.random.default_rng(11)
    posterior = xr.Dataset(coords={"chain": range(CHAINS), "draw": range(DRAWS)})
    for name, prior in config.priors.items():
        dim, items = DIMS.get(name, (None, []))
        shape = (CHAINS, DRAWS, len(items)) if dim else (CHAINS, DRAWS)
        draws = prior_distribution(prior).rvs(shape, random_state=rng)
        posterior[STORED_NAMES.get(name, name)] = (("chain", "draw", dim)[: len(shape)], draws)
        posterior = posterior.assign_coords({dim: items} if dim else {})
    weekly = xr.Dataset.from_dataframe(table.rename_axis("row"))
    trace = xr.DataTree.from_dict({"posterior": posterior, WEEKLY_TABLE: weekly})
    return FittedModel(config, trace)
