"""Geometric adstock: each week works a fixed share of the one before."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Adstock
from mmm_demo.forms.parameter import CHANNEL, UNIT, Parameter

RETENTION = Parameter(
    "adstock_alpha",
    "share of a week's effect that the next week still has",
    UNIT,
    ("Beta", {"alpha": 1.0, "beta": 3.0}),
    CHANNEL,
)


class Geometric(Adstock):
    """Each week works a fixed share of the one before."""

    name = "geometric"
    parameters = (RETENTION,)

    def weights(self, lags: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Return the weight of each lag, shape (..., lag, channel)."""
        return alpha**lags

    def graph_weights(self, lags: Any, weeks: Any, alpha: Any) -> Any:
        """Return the same in the graph."""
        from pytensor.xtensor.math import power

        return power(alpha, lags)

    def library(self) -> Any:
        """Return PyMC-Marketing's class."""
        from pymc_marketing.mmm import GeometricAdstock

        return GeometricAdstock
