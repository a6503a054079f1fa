"""No adstock: spend works in its own week only."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Adstock


class NoCarryover(Adstock):
    """Spend works in its own week only."""

    name = "none"
    parameters = ()
    other = "geometric"

    def reach(self, weeks: int) -> int:
        """Return 1, whatever is asked for."""
        return 1

    def weights(self, lags: np.ndarray) -> np.ndarray:
        """Return the weight of each lag, shape (lag, 1)."""
        return (lags == 0).astype(float)

    def graph_weights(self, lags: Any, weeks: Any) -> Any:
        """Return the same in the graph."""
        from pytensor.xtensor.math import eq, where

        return where(eq(lags, 0.0), 1.0, 0.0)

    def library(self) -> Any:
        """Return PyMC-Marketing's class."""
        from pymc_marketing.mmm import NoAdstock

        return NoAdstock
