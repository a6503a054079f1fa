"""Stacking: how much each of several models adds to a mixture of their predictions."""

import warnings
from collections.abc import Mapping

import arviz as az
import numpy as np
import xarray as xr

NO_WINNER = ("Difference in performance potentially", "All models have nearly identical")


def stacking_weights(elpd: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return stacking weights, which add up to 1 (Yao et al. 2018).

    Parameters
    ----------
    elpd
        By model: leave-one-out log density of each week, shape (week,), the same weeks for all.

    Raises
    ------
    ValueError
        When there is no model, or a density is not finite.
    """
    if not elpd:
        raise ValueError("there is no model to give a stacking weight")
    stacked = np.stack(list(elpd.values()))
    if not np.isfinite(stacked).all():
        raise ValueError("stacking needs a finite log density of every week from every model")
    if len(elpd) == 1:
        return dict.fromkeys(elpd, 1.0)
    # What all models share in a week does not move the weights; without it no density is 0 in
    # floating point.
    relative = stacked - stacked.max(axis=0)
    found = {name: _estimate(row) for name, row in zip(elpd, relative, strict=True)}
    with warnings.catch_warnings():  # that they are equally good is why they are stacked
        for message in NO_WINNER:
            warnings.filterwarnings("ignore", message, UserWarning)
        weights = az.compare(found, method="stacking", round_to="none")["weight"]
    return {name: float(weights[name]) for name in elpd}


def _estimate(by_week: np.ndarray) -> az.ELPDDataLOO:
    return az.ELPDDataLOO(
        elpd=float(by_week.sum()),
        se=float(np.sqrt(len(by_week) * np.var(by_week, ddof=1))),
        p=0.0,  # not used by stacking, nor is anything below
        n_samples=0,
        n_data_points=len(by_week),
        scale="log",
        warning=False,
        good_k=0.7,
        elpd_i=xr.DataArray(by_week, dims="week"),
    )
