"""Static baseline: one level for all weeks."""

import numpy as np

from mmm_demo.forms.kinds import INTERCEPT, Baseline, Frame


class Static(Baseline):
    """One level for all weeks."""

    name = "static"
    parameters = (INTERCEPT,)

    def coefficients(self, intercept: np.ndarray) -> np.ndarray:
        """Return none, shape (..., 0)."""
        return np.empty((*intercept.shape, 0))

    def basis(self, dates: np.ndarray, frame: Frame) -> np.ndarray:
        """Return no terms, shape (week, 0)."""
        return np.empty((len(dates), 0))
