"""How much the data told about each parameter, against what the prior had said."""

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.fits.prior import prior_distribution
from mmm_demo.forms.registry import STORED_NAMES
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.names import key
from mmm_demo.settings.priors import PriorConfig, parameters_of

# A posterior that is less than a tenth narrower than its prior (in variance) and has moved by less
# than half of the prior's standard deviation is, for all that matters, the prior.
MIN_CONTRACTION, MIN_SHIFT = 0.10, 0.50


def contraction_table(posterior: xr.Dataset, config: ModelConfig) -> pd.DataFrame:
    """Compare each parameter's posterior with its prior.

    Parameters
    ----------
    posterior
        Free parameters, dims (chain, draw, ...).
    config
        Model with its priors.

    Returns
    -------
    pandas.DataFrame
        Columns parameter, item (channel, control or Fourier mode; empty for a single value),
        prior_mean, prior_sd, posterior_mean, posterior_sd, contraction (1 - ratio of variances;
        1 is all from the data, 0 all from the prior, negative when wider than the prior) and
        identified (bool).
    """
    rows, parameters = [], parameters_of(config.form)
    for name, prior in config.priors.items():
        stored = STORED_NAMES.get(name, name)
        if stored not in posterior or parameters[name].items:
            continue  # no control or no seasonality in this model; waves say nothing one by one
        draws = posterior[stored].stack(sample=("chain", "draw")).transpose("sample", ...)
        values = draws.to_numpy().reshape(draws.sizes["sample"], -1)
        items = [str(item) for item in draws[draws.dims[1]].values] if draws.ndim > 1 else [""]
        means, sds = _moments(prior, len(items))
        for index, item in enumerate(items):
            rows.append(_row(name, item, means[index], sds[index], values[:, index]))
    return pd.DataFrame(rows)


def _row(name: str, item: str, mean: float, sd: float, draws: np.ndarray) -> dict[str, object]:
    contraction = float(1 - draws.var() / sd**2)
    shift = float(abs(draws.mean() - mean) / sd)
    return {
        "parameter": name,
        "item": item,
        "prior_mean": mean,
        "prior_sd": sd,
        "posterior_mean": float(draws.mean()),
        "posterior_sd": float(draws.std()),
        "contraction": contraction,
        # Passing side first: what cannot be measured is not identified.
        "identified": bool(contraction >= MIN_CONTRACTION or shift >= MIN_SHIFT),
    }


def _moments(prior: PriorConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of a prior, one of each per item."""
    frozen = prior_distribution(prior)
    return np.broadcast_to(frozen.mean(), count), np.broadcast_to(frozen.std(), count)


def label(row: pd.Series) -> str:
    """Return a parameter's name as the plots write it, e.g. `adstock_alpha[TV]`."""
    return f"{row['parameter']}[{row['item']}]" if row["item"] else str(row["parameter"])


def contraction_key(row: pd.Series) -> str:
    """Return the metric about a parameter, e.g. `contraction.adstock_alpha_TV_`."""
    before = f"contraction.{row['parameter']}"
    return key(row["item"], f"{before}_", "_") if row["item"] else before


def not_identified(table: pd.DataFrame) -> list[str]:
    """Return the parameters that the data told nothing about."""
    return [label(row) for _, row in table[~table["identified"]].iterrows()]
