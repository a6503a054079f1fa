"""A model whose channels differ, with draws from its priors in place of a posterior."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import prior_draws
from mmm_demo.fits.trace import WEEKLY_TABLE, as_written
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.sources.simulate import simulate_market

CHANNELS = ("TV", "Radio", "Search")
STEEP = {"distribution": "LogNormal", "mu": 0.5, "sigma": 0.3, "rationale": "it has a threshold"}
LARGE = {"distribution": "HalfNormal", "sigma": 0.4, "rationale": "most of the money"}
# Radio lacks nothing that TV has but the peak; Search has neither carryover nor a rate.
MEDIA: dict[str, Any] = {
    "TV": {"adstock": "delayed", "max_lag": 6, "saturation": "hill"},
    "Radio": {"saturation": "hill", "priors": {"saturation_slope": STEEP}},
    "Search": {"adstock": "none", "saturation": "linear", "priors": {"saturation_beta": LARGE}},
}
CONCAVE: dict[str, Any] = {
    "TV": {"adstock": "delayed", "max_lag": 6, "saturation": "michaelis_menten"},
    "Search": {"adstock": "none", "saturation": "linear"},
}


def own_model(media: Mapping[str, Any], **settings: Any) -> ModelConfig:
    """Return a small model of three channels."""
    usual = {"control_columns": ("Trend",), "adstock_max_lag": 4, "yearly_seasonality": 1}
    return ModelConfig(channel_columns=CHANNELS, media=dict(media), **(usual | settings))


def as_fitted(config: ModelConfig, draws: int = 40) -> FittedModel:
    """Return a model with draws of its priors in place of a posterior."""
    table = simulate_market(seed=7, weeks=104).table[["Week", "Sales", *CHANNELS, "Trend"]]
    drawn = prior_draws(config, draws, dict.fromkeys(config.priors, np.random.default_rng(2)))
    named = {"chain": [0], "draw": range(draws), "fourier_mode": ["sin_1", "cos_1"]}
    drawn = as_written(drawn.assign_coords(named), config)
    weekly = xr.Dataset.from_dataframe(table.rename_axis("row"))
    return FittedModel(config, xr.DataTree.from_dict({"posterior": drawn, WEEKLY_TABLE: weekly}))


@cache
def own_forms(concave: bool = False) -> FittedModel:
    """Return the model of `MEDIA` or `CONCAVE`. Shared: change nothing."""
    return as_fitted(own_model(CONCAVE if concave else MEDIA))
