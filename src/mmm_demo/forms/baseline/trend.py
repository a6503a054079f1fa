"""Trend: a level that grows or shrinks in straight lines, which bend at a few weeks.

PyMC-Marketing's `LinearTrendEffect` counts time from the first week that it is given and in parts
of its last one, so its forecasts are of another trend. Here both are those of the training weeks,
and the trend may go on bending in the year after them, by its prior.
"""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import INTERCEPT, Baseline, Frame
from mmm_demo.forms.parameter import REAL, Parameter

YEAR = 52
PIECES = 5  # of the training weeks
AHEAD, STEP = 4, 13  # bends after them, and weeks between two
BENDS = (
    *("first slope", *(f"bend {number}" for number in range(1, PIECES))),
    *(f"{STEP * number} weeks ahead" for number in range(AHEAD)),
)
CHANGES = Parameter(
    "trend_change",
    "slope at the start and what each bend adds, in sales a year",
    REAL,
    # Sales that grow by a tenth of their best week in a year grow fast.
    ("Normal", {"mu": 0.0, "sigma": 0.1}),
    "trend_bend",
    in_sales=True,
    items=BENDS,
)


class Trend(Baseline):
    """Piecewise linear, with bends at fixed weeks."""

    name = "trend"
    parameters = (INTERCEPT, CHANGES)
    dim = CHANGES.dim
    other = "drift"

    def coefficients(self, intercept: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Return the changes of slope, shape (..., bend)."""
        return change

    def graph_coefficients(self, change: Any) -> Any:
        """Return the same in the graph."""
        return change

    def basis(self, dates: np.ndarray, frame: Frame) -> np.ndarray:
        """Return years since each bend, on average 0 in the training weeks; (week, bend)."""
        piece = frame.length / PIECES
        within = piece * np.arange(PIECES)
        after = frame.length + STEP * np.arange(AHEAD)
        # As many bends in a year are as strong together, whatever the number of training weeks.
        strength = np.repeat([1.0, np.sqrt(STEP / piece)], [PIECES, AHEAD])

        def since(days: np.ndarray) -> np.ndarray:
            return np.maximum(frame.weeks(days)[:, None] - np.hstack([within, after]), 0) / YEAR

        return (since(dates) - since(frame.training).mean(axis=0)) * strength
