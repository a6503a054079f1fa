"""Binomial adstock: a power of the time left, which runs out soon after the last week."""

from dataclasses import replace
from typing import Any

import numpy as np

from mmm_demo.forms.adstock.geometric import RETENTION
from mmm_demo.forms.kinds import Adstock


class Binomial(Adstock):
    """A power of the time left, which runs out soon after the last week."""

    name = "binomial"
    parameters = (
        replace(RETENTION, meaning="how long spend works: 0 only at once, 1 evenly to the end"),
    )

    def weights(self, lags: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Return the weight of each lag, shape (..., lag, channel)."""
        return (1 - lags / (len(lags) + 1)) ** (1 / alpha - 1)

    def graph_weights(self, lags: Any, weeks: Any, alpha: Any) -> Any:
        """Return the same in the graph."""
        from pytensor.xtensor.math import maximum, power

        left = maximum(1 - lags / (weeks + 1), 1e-9)  # late ones must stay real numbers
        return power(left, 1 / alpha - 1)

    def library(self) -> Any:
        """Return PyMC-Marketing's class."""
        from pymc_marketing.mmm import BinomialAdstock

        return BinomialAdstock
