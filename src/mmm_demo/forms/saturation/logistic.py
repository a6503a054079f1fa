"""Logistic saturation, and the two parameters that the others share with it."""

import math
from typing import Any

import numpy as np

from mmm_demo.forms.kinds import HEIGHT, RATE, Saturation
from mmm_demo.forms.parameter import CHANNEL, POSITIVE, Parameter

# Each form that shares the rate has half of its effect at log(3) / rate, so one prior of the rate
# says the same of all of them.
LOG_3 = math.log(3.0)
SHARED = (
    Parameter(
        RATE,
        "how soon spend saturates: half of the effect is reached at log(3) / rate",
        POSITIVE,
        ("Gamma", {"alpha": 3.0, "beta": 1.0}),
        CHANNEL,
    ),
    Parameter(
        HEIGHT,
        "sales at full saturation",
        POSITIVE,
        ("HalfNormal", {"sigma": 0.25}),
        CHANNEL,
        in_sales=True,
    ),
)


class Logistic(Saturation):
    """Twice the logistic curve less 1, which is tanh of half."""

    name = "logistic"
    parameters = SHARED
    concave = True
    other = "michaelis_menten"

    def curve(self, x: np.ndarray) -> np.ndarray:
        """Return the response to rate times spend, from 0 to 1; any shape."""
        # This is tanh(x / 2), but faster; in place, because it is memory that takes the time.
        left = np.exp(np.negative(x))
        reached = 1 - left
        left += 1
        reached /= left
        return reached

    def slope(self, x: np.ndarray, reached: np.ndarray) -> np.ndarray:
        """Return the slope of the curve; any shape."""
        steep = reached * reached
        np.subtract(0.5, np.multiply(steep, 0.5, out=steep), out=steep)
        return steep

    def graph(self) -> Any:
        """Return PyMC-Marketing's class."""
        from pymc_marketing.mmm import LogisticSaturation

        return LogisticSaturation
