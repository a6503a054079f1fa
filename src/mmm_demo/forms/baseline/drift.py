"""Drift: a level that wanders smoothly, over months, and grows unsure after the data.

A Gaussian process in its Hilbert-space approximation (Riutort-Mayol et al., 2023): waves over the
training weeks and a year of room after them, each as strong as the process says.
"""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import INTERCEPT, Baseline, Frame
from mmm_demo.forms.parameter import POSITIVE, REAL, Parameter

ROOM = 52  # weeks after the data
BEYOND = 40  # weeks further on each side, as the approximation is too calm at its ends
WAVES = 20  # follow all that such lengths allow in up to six years, slower things in more
# Weeks over which the drift stays alike, and how likely each is: LogNormal around 6 months, from 3
# to 12 (95 %). Shorter ones would follow single weeks, and take what media did.
LENGTHS = 6 * 365.25 / 12 / 7 * np.exp(0.35 * np.linspace(-2, 2, 9))
LIKELY = np.exp(-(np.linspace(-2, 2, 9) ** 2) / 2)
SIZE = Parameter(
    "drift_size",
    "standard deviation of the drift",
    POSITIVE,
    # From 2 to 16 % of the best week's sales (95 %). Never nothing: `static` says that.
    ("LogNormal", {"mu": -3.0, "sigma": 0.6}),
    in_sales=True,
)
HEIGHTS = Parameter(
    "drift_wave",
    "height of each wave, 1 where it is as likely",
    REAL,
    ("Normal", {"mu": 0.0, "sigma": 1.0}),
    "drift_waves",
    items=tuple(str(number) for number in range(1, WAVES + 1)),
)


class Drift(Baseline):
    """A smooth path: covariance `size**2 * exp(-(weeks apart / length)**2 / 2)`, over lengths."""

    name = "drift"
    parameters = (INTERCEPT, SIZE, HEIGHTS)
    dim = HEIGHTS.dim
    other = "trend"
    pooled = (SIZE, HEIGHTS)

    def coefficients(self, intercept: np.ndarray, size: np.ndarray, wave: np.ndarray) -> np.ndarray:
        """Return the waves' heights in scaled sales, shape (..., wave)."""
        return size[..., None] * wave

    def graph_coefficients(self, size: Any, wave: Any) -> Any:
        """Return the same in the graph."""
        return size * wave

    def basis(self, dates: np.ndarray, frame: Frame) -> np.ndarray:
        """Return the waves, on average 0 in the training weeks; shape (week, wave)."""
        half = (frame.length + ROOM) / 2 + BEYOND
        rates = np.arange(1, WAVES + 1) * np.pi / (2 * half)

        def waves(days: np.ndarray) -> np.ndarray:
            place = frame.weeks(days) - (frame.length + ROOM) / 2 + half
            return np.sin(place[:, None] * rates)

        by_length = np.sqrt(2 * np.pi) * LENGTHS * np.exp(-((np.outer(rates, LENGTHS)) ** 2) / 2)
        strength = np.sqrt(by_length @ LIKELY / LIKELY.sum() / half)
        return (waves(dates) - waves(frame.training).mean(axis=0)) * strength
