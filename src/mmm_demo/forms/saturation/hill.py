"""Hill's curve with a slope of its own for each channel: from steepest at once to a threshold."""

from typing import Any

import numpy as np

from mmm_demo.forms.graphs import own_saturation
from mmm_demo.forms.kinds import Saturation
from mmm_demo.forms.parameter import CHANNEL, POSITIVE, Parameter
from mmm_demo.forms.saturation.logistic import LOG_3, SHARED

# A slope of 1 is Michaelis-Menten's curve, 2 the S-shaped one; the middle lies between them. 95 %
# lie between 0.5, where the first money brings nearly all, and 3.8, where less than half of the
# money that brings half of the effect brings almost nothing: beyond either, weeks are on and off.
SLOPE = Parameter(
    "saturation_slope",
    "steepness: up to 1 each further unit brings less, above it there is a threshold",
    POSITIVE,
    ("LogNormal", {"mu": 0.35, "sigma": 0.5}),
    CHANNEL,
)
LEAST = 1e-6  # of rate times spend: below a slope of 1, the first unit of all brings without bound


class Hill(Saturation):
    """Hill's curve, with half of the effect where the others have it."""

    name = "hill"
    parameters = (SHARED[0], SLOPE, SHARED[1])  # as PyMC meets them (streams of draws)
    concave = False  # where a slope is above 1, which draws of any channel may be

    def curve(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return the response to rate times spend, from 0 to 1; any shape."""
        with np.errstate(divide="ignore", over="ignore"):
            return 1 / (1 + (LOG_3 / x) ** slope)

    def slope(self, x: np.ndarray, reached: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return the slope of the curve; any shape. At no spend, that of the first `LEAST`."""
        low = np.maximum(x, LEAST)
        at = np.where(x < LEAST, self.curve(low, slope), reached)
        return slope / low * at * (1 - at)

    def graph(self) -> Any:
        """Return the class for PyMC-Marketing, whose own has no gradient at no spend."""
        from pytensor.xtensor.math import log, sigmoid, where

        def response(x: Any, lam: Any, beta: Any, slope: Any) -> Any:
            spent = x > 0
            level = lam * where(spent, x, 1.0)
            return beta * where(spent, sigmoid(slope * log(level / LOG_3)), 0.0)

        return own_saturation(self, response)
