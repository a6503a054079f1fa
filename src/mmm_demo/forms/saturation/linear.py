"""Linear: twice the spend brings twice the sales."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Saturation
from mmm_demo.forms.saturation.logistic import SHARED

HEIGHT_OF_LARGEST = SHARED[1]  # scaled spend is 1 in its largest week: the same prior says the same


class Linear(Saturation):
    """No saturation at all: the height is what the largest weekly spend brings."""

    name = "linear"
    parameters = (HEIGHT_OF_LARGEST,)
    concave = True

    def curve(self, x: np.ndarray) -> np.ndarray:
        """Return spend itself; any shape."""
        return np.array(x, dtype=float)

    def slope(self, x: np.ndarray, reached: np.ndarray) -> np.ndarray:
        """Return ones; any shape."""
        return np.ones_like(reached)

    def graph(self) -> Any:
        """Return PyMC-Marketing's class."""
        from pymc_marketing.mmm import NoSaturation

        return NoSaturation
