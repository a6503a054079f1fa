"""S-shaped saturation: Hill's curve of slope 2; little happens below a threshold.

A slope of its own for each channel (`hill`) is often more than weekly data can tell.
"""

from typing import Any

import numpy as np

from mmm_demo.forms.graphs import own_saturation
from mmm_demo.forms.kinds import Saturation
from mmm_demo.forms.saturation.logistic import LOG_3, SHARED


class SShaped(Saturation):
    """Hill's curve of slope 2, with half of the effect where the others have it."""

    name = "s_shaped"
    parameters = SHARED
    concave = False

    def curve(self, x: np.ndarray) -> np.ndarray:
        """Return the response to rate times spend, from 0 to 1; any shape."""
        return x**2 / (x**2 + LOG_3**2)

    def slope(self, x: np.ndarray, reached: np.ndarray) -> np.ndarray:
        """Return the slope of the curve; any shape."""
        return 2 * x * (1 - reached) ** 2 / LOG_3**2

    def graph(self) -> Any:
        """Return the class for PyMC-Marketing, whose own has a slope for each channel."""

        def response(x: Any, lam: Any, beta: Any) -> Any:
            return beta * (lam * x) ** 2 / ((lam * x) ** 2 + LOG_3**2)

        return own_saturation(self, response, "SShapedSaturation")
