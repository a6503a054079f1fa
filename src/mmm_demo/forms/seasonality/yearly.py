"""Yearly seasonality: sines and cosines of the day of the year."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Frame, MakePrior, Seasonality
from mmm_demo.forms.parameter import MODE, REAL, Parameter

DAYS_OF_YEAR = 365.25
AMPLITUDES = Parameter(
    "gamma_fourier",
    "height of each sine, then of each cosine",
    REAL,
    ("Laplace", {"mu": 0.0, "b": 0.1}),
    MODE,
    in_sales=True,
)


class Yearly(Seasonality):
    """A sine and a cosine for each mode, the first of which takes a year."""

    name = "yearly"
    parameters = (AMPLITUDES,)
    contribution = "yearly_seasonality_contribution"

    def count(self, modes: int) -> int:
        """Return the number of amplitudes."""
        return 2 * modes

    def coefficients(self, fourier: np.ndarray) -> np.ndarray:
        """Return the amplitudes, shape (..., 2 * modes)."""
        return fourier

    def basis(self, dates: np.ndarray, frame: Frame) -> np.ndarray:
        """Return the sines, then the cosines, shape (week, 2 * modes)."""
        days = dates.astype("datetime64[D]")
        of_year = (days - days.astype("datetime64[Y]")).astype(int) + 1
        angles = 2 * np.pi * of_year[:, None] * np.arange(1, frame.modes + 1) / DAYS_OF_YEAR
        return np.hstack([np.sin(angles), np.cos(angles)])

    def graph(self, prior: MakePrior, modes: int) -> dict[str, Any]:
        """Return what PyMC-Marketing's model is called with."""
        amplitudes = {"gamma_fourier": prior(AMPLITUDES)}
        return {"yearly_seasonality": modes, "model_config": amplitudes}
