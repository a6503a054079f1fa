"""Constant baseline: one level for all weeks; a trend is a control (`data.trend`)."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Baseline, MakePrior
from mmm_demo.forms.parameter import POSITIVE, REAL, Parameter

INTERCEPT = Parameter(
    "intercept",
    "sales without media, with average controls and season",
    REAL | POSITIVE,
    ("Normal", {"mu": 0.5, "sigma": 0.25}),
    stored="intercept_contribution",
    in_sales=True,
)


class Constant(Baseline):
    """One level for all weeks."""

    name = "constant"
    parameters = (INTERCEPT,)

    def coefficients(self, intercept: np.ndarray) -> np.ndarray:
        """Return the level, shape (..., 1)."""
        return intercept[..., None]

    def basis(self, dates: np.ndarray, modes: int) -> np.ndarray:
        """Return ones, shape (week, 1)."""
        return np.ones((len(dates), 1))

    def graph(self, prior: MakePrior, modes: int) -> dict[str, Any]:
        """Return what PyMC-Marketing's model is called with."""
        return {"model_config": {"intercept": prior(INTERCEPT)}}
