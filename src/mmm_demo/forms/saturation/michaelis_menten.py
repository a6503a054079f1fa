"""Michaelis-Menten saturation in the parameters of the logistic one.

The rate puts half of the saturation where the logistic one has it, so the same priors say the same
and only the form of the curve differs.
"""

from typing import Any

import numpy as np

from mmm_demo.forms.graphs import own_saturation
from mmm_demo.forms.kinds import Saturation
from mmm_demo.forms.saturation.logistic import LOG_3, SHARED


class MichaelisMenten(Saturation):
    """Spend over spend plus a constant: levels off later than the logistic curve."""

    name = "michaelis_menten"
    parameters = SHARED
    concave = True

    def curve(self, x: np.ndarray) -> np.ndarray:
        """Return the response to rate times spend, from 0 to 1; any shape."""
        return x / (x + LOG_3)

    def slope(self, x: np.ndarray, reached: np.ndarray) -> np.ndarray:
        """Return the slope of the curve; any shape."""
        return (1 - reached) ** 2 / LOG_3

    def graph(self) -> Any:
        """Return the class for PyMC-Marketing, whose own has other parameters."""

        def response(x: Any, lam: Any, beta: Any) -> Any:
            return beta * lam * x / (lam * x + LOG_3)

        return own_saturation(self, response, "HalfSaturation")
